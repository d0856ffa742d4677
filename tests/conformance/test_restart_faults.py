# SPDX-License-Identifier: MIT
"""Each case with a restart can fail: a broker whose store forgets, or remembers too much, is accused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence

import pytest

from mqtt_conformance.case import Case, load_cases
from mqtt_conformance.outage import Outage
from mqtt_conformance.profile import Profile
from mqtt_conformance.runner import Result, probe, run_case
from mqtt_conformance.target import Target
from mqtt_conformance.verdict import Verdict
from mqtt_ref.broker.memory import MemoryStore
from mqtt_ref.engine.generated.qos_send import AWAIT_PUBREC
from mqtt_ref.engine.options import Options
from mqtt_ref.hooks import AllowAll
from mqtt_ref.net.tcp import TcpListener
from mqtt_ref.ports import (
    InflightPut,
    QueuePut,
    ReceivedPut,
    Record,
    RetainedDelete,
    RetainedPut,
    SessionDelete,
    SessionPut,
    SubscriptionDelete,
    SubscriptionPut,
)
from mqtt_ref.server import Server

Change = Callable[[Record], Record | None]
SLUGS = sorted(
    {
        case.id.partition("/")[2].removesuffix("-after-restart")
        for case in load_cases().values()
        if "restart" in case.needs
    }
)


class Faulty(MemoryStore):
    """A store that changes records, or drops them, when they are `stored` or `loaded`."""

    def __init__(self, stored: Change, loaded: Change) -> None:
        super().__init__()
        self._stored = stored
        self._loaded = loaded

    def commit(self, batch: int, records: Sequence[Record]) -> None:
        super().commit(batch, [found for record in records if (found := self._stored(record)) is not None])

    def load(self) -> Iterator[Record]:
        return (found for record in list(super().load()) if (found := self._loaded(record)) is not None)


class Here(Profile):
    """Restarts a broker in this process."""

    def __init__(self, storage: MemoryStore, options: Options) -> None:
        super().__init__(commands={"restart": "", "kill": ""}, provides=frozenset({"persistence", "durability"}))
        self._storage = storage
        self._options = options
        self.port = 0

    async def command(self, name: str, settings: Mapping[str, object] | None = None) -> None:
        if name in ("stop", "restart"):
            await self.server.stop()
        if name in ("start", "restart"):
            self.server = Server(
                self._options, [TcpListener(port=self.port)], hooks=[AllowAll()], storage=self._storage
            )
            await self.server.start()
            self.port = self.server.port


async def once(case: Case, target: Target, profile: Profile, outage: Outage) -> Result:
    try:
        return await run_case(case, target, profile, outage=outage)
    finally:
        outage.leave()


def judged(stored: Change, loaded: Change, slugs: Sequence[str], wills: str = "publish") -> list[Result]:
    wanted = {f"{slug}-after-restart" for slug in slugs}
    cases = [case for case in load_cases().values() if case.id.partition("/")[2] in wanted]
    profile = Here(Faulty(stored, loaded), Options(decisions={"shutdown_wills": wills}))

    async def run() -> list[Result]:
        await profile.command("start")
        try:
            target = Target(f"mqtt://127.0.0.1:{profile.port}", factor=0.4)
            await probe(target)
            outage = Outage(profile, target, "restart", len(cases))
            return await asyncio.gather(*(once(case, target, profile, outage) for case in cases))
        finally:
            await profile.command("stop")

    return asyncio.run(run())


def same(record: Record) -> Record:
    return record


def without(*kinds: type) -> Change:
    return lambda record: None if isinstance(record, kinds) else record


def _without_properties(record: Record) -> Record:
    if isinstance(record, QueuePut | RetainedPut):
        return record._replace(message=record.message._replace(properties=b""))
    return record


def _never_expiring(record: Record) -> Record:
    if isinstance(record, QueuePut | RetainedPut):
        return record._replace(message=record.message._replace(expires_at=0))
    return record


def _only_retained_expire(record: Record) -> Record:
    return record if isinstance(record, RetainedPut) else _never_expiring(record)


def _old_retained(record: Record) -> Record | None:
    return None if isinstance(record, RetainedPut) and record.message.payload == b"new" else record


def _without_qos_2(record: Record) -> Record | None:
    return None if isinstance(record, InflightPut) and record.qos == 2 else record


def _without_pubrel(record: Record) -> Record:
    return record._replace(state=AWAIT_PUBREC) if isinstance(record, InflightPut) and record.qos == 2 else record


def _other_identifiers(record: Record) -> Record:
    return record._replace(packet_id=record.packet_id + 7) if isinstance(record, InflightPut) else record


def _plain_options(record: Record) -> Record:
    return record._replace(options=record.options & 3) if isinstance(record, SubscriptionPut) else record


def _all_as_published(record: Record) -> Record:
    return record._replace(options=record.options | 8) if isinstance(record, SubscriptionPut) else record


def _without_identifier(record: Record) -> Record:
    return record._replace(identifier=0) if isinstance(record, SubscriptionPut) else record


def _without_group(record: Record) -> Record:
    if isinstance(record, SubscriptionPut) and record.topic_filter.startswith("$share/"):
        return record._replace(topic_filter=record.topic_filter.split("/", 2)[2])
    return record


def _without_share(record: Record) -> Record | None:
    return None if isinstance(record, SubscriptionPut) and record.topic_filter.startswith("$share/") else record


def _endless(record: Record) -> Record:
    return record._replace(ends_at=0, expiry=600) if isinstance(record, SessionPut) else record


def _without_will(record: Record) -> Record | None:
    if isinstance(record, QueuePut) and record.message.payload == b"will":
        return None  # it was published when the broker stopped
    return record._replace(will=None) if isinstance(record, SessionPut) else record


def _hasty_will(record: Record) -> Record:
    return record._replace(will_at=1) if isinstance(record, SessionPut) and record.will is not None else record


def _reversed(record: Record) -> Record:
    return record._replace(order=1000 - record.order) if isinstance(record, QueuePut) else record


FAULTS: list[tuple[str, Change, Change, list[str]]] = [
    ("no sessions", same, without(SessionPut), ["session"]),
    ("no subscriptions", same, without(SubscriptionPut), ["session", "options", "unsubscribed"]),
    ("no queue", same, without(QueuePut), ["queued"]),
    ("a queue in another order", _reversed, same, ["queued"]),
    ("nothing in flight", same, without(InflightPut), ["in-flight", "in-flight-qos2", "new-identifier"]),
    ("no QoS 2 in flight", same, _without_qos_2, ["in-flight", "in-flight-qos2", "new-identifier"]),
    ("PUBREC forgotten", same, _without_pubrel, ["in-flight"]),
    ("other identifiers", same, _other_identifiers, ["in-flight", "in-flight-qos2"]),
    ("nothing received", same, without(ReceivedPut), ["received"]),
    ("nothing retained", same, without(RetainedPut), ["retained"]),
    ("removed messages retained", without(RetainedDelete), same, ["retained"]),
    ("an older message retained", _old_retained, same, ["retained"]),
    ("no properties", same, _without_properties, ["properties"]),
    ("no options", same, _plain_options, ["options"]),
    ("other options", same, _all_as_published, ["options"]),
    ("no Subscription Identifiers", same, _without_identifier, ["identifiers"]),
    ("no groups", same, _without_group, ["shared"]),
    ("no Shared Subscriptions", same, _without_share, ["shared"]),
    ("removed subscriptions", without(SubscriptionDelete), same, ["unsubscribed"]),
    ("ended sessions", without(SessionDelete), same, ["ended"]),
    ("endless sessions", same, _endless, ["expiry"]),
    ("messages that never expire", same, _never_expiring, ["expired"]),
    ("queued messages that never expire", same, _only_retained_expire, ["expired"]),
    ("no wills", same, _without_will, ["will", "will-delay"]),
    ("hasty wills", same, _hasty_will, ["will-cancelled"]),
]


@pytest.mark.parametrize(("stored", "loaded", "slugs"), [fault[1:] for fault in FAULTS], ids=[f[0] for f in FAULTS])
def test_a_store_that_does_this_is_accused(stored: Change, loaded: Change, slugs: list[str]) -> None:
    results = [result for result in judged(stored, loaded, slugs) if result.case.version == 5]
    assert len(results) == len(slugs)
    acquitted = [f"{r.verdict.value} {r.case.id}: {r.message}" for r in results if r.verdict is not Verdict.FAIL]
    assert acquitted == []


def test_each_case_is_accused_of_something() -> None:
    assert sorted({slug for fault in FAULTS for slug in fault[3]}) == SLUGS


def test_a_sound_store_is_not() -> None:
    results = judged(same, same, SLUGS)
    assert len(results) >= 35
    assert [f"{r.verdict.value} {r.case.id}: {r.message}" for r in results if r.verdict is not Verdict.PASS] == []


def test_wills_may_be_published_before_or_after_a_restart() -> None:
    for decision in ("publish", "keep"):
        results = judged(same, same, ["will", "will-delay", "will-cancelled"], decision)
        assert [f"{r.verdict.value} {r.case.id}: {r.message}" for r in results if r.verdict is not Verdict.PASS] == []

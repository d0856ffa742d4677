# SPDX-License-Identifier: MIT
"""Brokers that keep the standard in another way than ours: small limits, fewer words, less than was asked for.

No case may accuse one of them. Those cases run that once did, or might; all of them with MQTT_REF_PROFILE=exhaustive.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import pytest

from mqtt_conformance.case import Case, load_cases
from mqtt_conformance.faults.meddler import Meddler, Meddling, Talk
from mqtt_conformance.faults.spoil import Alter, drop, on
from mqtt_conformance.profile import Profile
from mqtt_conformance.runner import Result, probe, run_cases
from mqtt_conformance.target import Target
from mqtt_conformance.verdict import Verdict
from mqtt_ref.broker.views import Client
from mqtt_ref.engine.options import Bounds, Capabilities, Options
from mqtt_ref.hooks import AllowAll, Hook
from mqtt_ref.server import Server
from mqtt_ref.wire.packets import (
    Connack,
    Disconnect,
    Packet,
    Puback,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Unsuback,
)
from mqtt_ref.wire.primitives import V5

ALL = os.environ.get("MQTT_REF_PROFILE") == "exhaustive"
SHARE = 60
"""One of so many cases runs, beside those that are named."""
ACCUSES = (Verdict.FAIL,)
RESENT_AFTER = 1.6
"""Seconds until something is sent again: longer than cases wait at a factor of 0.2, even where they are tried again."""
MOMENT = 0.1
"""Seconds until a subscription takes effect, where it does not at once."""


class Denies(Hook):
    """Nobody may use topics below `denied/`."""

    def on_acl_check(self, client: Client, topic: str, write: bool) -> bool | None:
        return False if topic.startswith("denied/") else None


@dataclass(frozen=True)
class Lawful:
    """A broker that does nothing wrong, and the slugs of cases that run against it in any event."""

    slugs: str
    options: Options = field(default_factory=Options)
    up: Alter | None = None
    down: Alter | None = None
    linger: Callable[[Talk], bool] | None = None
    late: Callable[[Talk, Packet], float] | None = None
    factor: float = 1.0


def has(**values: int) -> Options:
    return Options(Capabilities(**values))  # type: ignore[arg-type]


def granted(most: int) -> Alter:
    @on(Subscribe)
    def lower(talk: object, packet: Subscribe) -> None:
        for wanted in packet.subscriptions:
            wanted.qos = min(wanted.qos, most)

    return lower


@on(Connack, Disconnect, Puback, Pubrec, Suback, Unsuback, when=lambda talk, packet: talk.version == V5)
def unspecified(talk: object, packet: Connack | Disconnect | Puback | Pubrec | Suback | Unsuback) -> None:
    if isinstance(packet, (Suback, Unsuback)):
        packet.reason_codes = [0x80 if code >= 0x80 else code for code in packet.reason_codes]
    elif packet.reason_code >= 0x80:
        packet.reason_code = 0x80


@on(Disconnect)
def leaving(talk: Talk, packet: Disconnect) -> None:
    talk.here["leaving"] = True


@on(Suback, Publish)
def unsettled(talk: Talk, packet: Suback | Publish) -> Iterable[Suback | Publish]:
    """A subscription that takes effect a moment after its SUBACK: for QoS 0, where nobody waits for anything."""
    if isinstance(packet, Suback):
        talk.here["since"] = time.monotonic()
    elif packet.qos == 0 and not packet.retain and time.monotonic() - talk.here["since"] < MOMENT:
        return ()
    return (packet,)


@on(Publish, when=lambda talk, packet: set("+#") & set(packet.topic))
def passed_over(talk: Talk, packet: Publish) -> Iterable[Publish]:
    """A PUBLISH with a wildcard in its topic, which nobody is told to do anything about."""
    return ()


def resent(talk: Talk, packet: Packet) -> float:
    """What is sent again on a resumed session comes when the time for it has come, as with a timer of its own."""
    if isinstance(packet, Connack):
        talk.here["resumed"] = packet.session_present
    release = isinstance(packet, Pubrel) and packet.packet_id not in talk.here.setdefault("fresh", set())
    if isinstance(packet, Publish) and not packet.dup:
        talk.here.setdefault("fresh", set()).add(packet.packet_id)
    again = (isinstance(packet, Publish) and packet.dup) or (release and bool(talk.here.get("resumed")))
    return RESENT_AFTER if again else 0.0


LAWFUL = {
    "a Receive Maximum of 1": Lawful("order replaced-nothing-lost behind-connect", has(receive_maximum=1)),
    "a Maximum Packet Size of 200": Lawful(
        "long-topic no-size-limit exact-size delivery correlation-data connack-size-limit", has(maximum_packet_size=200)
    ),
    "Maximum QoS 0": Lawful("unauthorized", has(maximum_qos=0)),
    "no session outlives its connection": Lawful("qos0-not-stored", has(maximum_session_expiry=0)),
    "a Server Keep Alive": Lawful("keep-alive keep-alive-off", has(maximum_keep_alive=30, minimum_keep_alive=10)),
    "two messages in flight": Lawful(
        "unique-ids receive-maximum send-qos1 resend-qos1 order-resend refusal-alone quota-new-connection",
        Options(bounds=Bounds(maximum_inflight=2)),
    ),
    "QoS 1 is granted": Lawful(
        "will-qos queued-qos2 wrong-ack overlap-qos downgrade send-qos2 resend-pubrel same-ids granted", up=granted(1)
    ),
    "QoS 0 is granted": Lawful("queued-qos1 retained-qos shared-qos expired-while-waiting", up=granted(0)),
    "every refusal is 0x80": Lawful(
        "keep-alive takeover disconnect-flags shared-no-local disconnect-after-zero receive-maximum-exceeded "
        "alias-above-maximum unauthorized", down=unspecified,
    ),
    "subscriptions take effect a moment later": Lawful(
        "delivery every-subscriber response-topic retain-cleared long-topic levels several-filters", down=unsettled
    ),
    "leaves it to the client to close behind a DISCONNECT": Lawful(
        "disconnect-short disconnect-drops-will clean-start", up=leaving, linger=lambda talk: "leaving" in talk.here
    ),
    "closes without a DISCONNECT": Lawful("takeover second-connect alias-unknown", down=drop(Disconnect)),
    "closes without a CONNACK": Lawful(
        "refusal refusal-closes unknown-version unknown-method", down=drop(Connack, when=lambda t, p: p.reason_code > 0
                                                                           and t.version == V5),
    ),
    "sends again by a timer": Lawful(
        "resend-qos1 resend-qos2 resend-pubrel order-resend quota-new-connection resend-ends wrong-ack quota-ceiling "
        "no-revert unsubscribed-in-flight shared-qos2-finishes no-expiry-in-flight no-expiry-at-takeover",
        late=resent, factor=0.2,
    ),
    "passes a PUBLISH over whose topic has a wildcard": Lawful(
        "vector-topic-wildcard-publish-topic", up=passed_over,
    ),
    "waits behind its DISCONNECT, closes on a PUBLISH that is denied": Lawful(
        "takeover unauthorized wrong-flags vector-flags-pingreq-fixed_header",
        Options(decisions={"server_disconnect": "wait", "unauthorized_publish": "close", "overlapping": "each",
                           "dollar_publish": "allow"}),
    ),
}  # fmt: skip


def chosen(slugs: str) -> list[Case]:
    cases = list(load_cases().values())
    named = set(slugs.split())
    found = [c for c in cases if c.id.partition("/")[2] in named]
    assert named == {c.id.partition("/")[2] for c in found}
    return cases if ALL else list({c.id: c for c in [*found, *cases[::SHARE]]}.values())


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", LAWFUL)
def test_nobody_is_accused_who_keeps_the_standard(name: str) -> None:
    lawful = LAWFUL[name]

    async def run() -> list[Result]:
        async with AsyncExitStack() as stack:
            server = await stack.enter_async_context(Server(lawful.options, hooks=[Denies(), AllowAll()]))
            meddler = Meddler(server.port, Meddling(lawful.up, lawful.down, lawful.linger, late=lawful.late))
            target = Target((await stack.enter_async_context(meddler)).url, factor=lawful.factor)
            await probe(target)
            return await run_cases(chosen(lawful.slugs), target, Profile(provides=frozenset({"users"})))

    results = asyncio.run(run())
    assert [f"{r.case.id}: {r.message}: {r.seen}" for r in results if r.verdict in ACCUSES] == []
    assert Counter(r.verdict for r in results)[Verdict.PASS] > 10

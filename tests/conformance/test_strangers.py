# SPDX-License-Identifier: MIT
"""Messages that no case asked for accuse nobody: they are acknowledged, noted, and passed over.

Those cases run that count messages or wait for silence; all of them with MQTT_REF_PROFILE=exhaustive.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from mqtt_conformance.case import Case, load_cases
from mqtt_conformance.faults.meddler import Meddler, Meddling, Talk
from mqtt_conformance.faults.spoil import Alter, on
from mqtt_conformance.peer import Peer
from mqtt_conformance.reports import html, jsonform, junit, markdown, terminal
from mqtt_conformance.runner import Result, probe, run_cases
from mqtt_conformance.strangers import concerns
from mqtt_conformance.target import Target
from mqtt_conformance.verdict import Verdict
from mqtt_ref.broker.views import Client
from mqtt_ref.hooks import AllowAll, Hook
from mqtt_ref.server import Server
from mqtt_ref.wire.packets import (
    Connack,
    Packet,
    Pingresp,
    Puback,
    Publish,
    PublishProperties,
    Pubrec,
    Suback,
    Unsuback,
)
from mqtt_ref.wire.primitives import V5
from tests.conformance.test_runner import made

ALL = os.environ.get("MQTT_REF_PROFILE") == "exhaustive"
SLUGS = {
    "disconnect-flags", "granted", "several-filters", "replaced-retained", "pingresp", "unsuback", "suback",
    "one-connack", "dollar", "dollar-sys", "shared-dollar", "send-qos1", "send-qos2", "resend-qos1", "resend-pubrel",
    "receive-maximum", "receive-maximum-qos2", "quota-zero-goes-on", "quota-new-connection", "unique-ids",
    "wrong-ack", "wrong-ack-qos2", "order", "order-resend", "small-answers", "exact-size", "no-aliases",
    "aliases-in-range", "behind-connect", "closed-after-own-disconnect", "queued-qos1", "empty-id-keeps-session",
    "refused-means-closed", "link-lost", "will-again", "one-of-group", "retained", "takeover", "no-duplicate",
    "slash", "short-acks", "keep-alive",
}  # fmt: skip
BAD = (Verdict.FAIL, Verdict.NON_STRICT, Verdict.INCONCLUSIVE)
HIGH = 65_000
"""Above the Packet Identifiers that the broker itself chooses."""


def chosen() -> list[Case]:
    cases = list(load_cases().values())
    return cases if ALL else [c for c in cases if c.id.partition("/")[2] in SLUGS]


def everything(talk: Talk, at: int) -> list[Packet | bytes]:
    """A message at each QoS, with flags, and to a 5.0 client with properties."""
    number = talk.here["number"] = (talk.here.get("number", 0) + 2) % 400
    properties = PublishProperties(user_property=[("a", "b")]) if talk.version == V5 and at == 0 else None
    return [
        Publish(f"other/{at}", b"m", properties=properties),
        Publish("elsewhere", b"m", 1, True, packet_id=HIGH + number),
        Publish("$SYS/uptime", b"m", 2, dup=True, packet_id=HIGH + number + 1),
    ]


@on(Connack, Suback, Unsuback, Puback, Pubrec)
def behind(talk: Talk, packet: Any) -> Iterable[Packet | bytes]:
    if isinstance(packet, Connack) and packet.reason_code:
        return (packet,)
    if isinstance(packet, Pubrec) and packet.packet_id >= HIGH:
        return (packet,)
    return (packet, *everything(talk, packet.TYPE))


@on(Pingresp)
def ahead(talk: Talk, packet: Pingresp) -> Iterable[Packet | bytes]:
    return (*everything(talk, 0), packet)


async def judged(cases: list[Case], down: Alter | None = None, hooks: list[Hook] | None = None) -> list[Result]:
    async with Server(hooks=hooks or [AllowAll()]) as server, Meddler(server.port, Meddling(down=down)) as meddler:
        target = Target(meddler.url)
        await probe(target)
        return await run_cases(cases, target)


def complaints(results: list[Result]) -> list[str]:
    return [f"{r.verdict} {r.case.id}: {r.message}: {r.seen}" for r in results if r.verdict in BAD]


UNDECIDED = ("dollar-sys", "shared-dollar")
"""Cases that cannot tell whether a `$` topic came for a wildcard where a client gets some unasked."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("down", [behind, ahead], ids=["behind each answer", "ahead of each PINGRESP"])
def test_messages_that_nobody_asked_for_accuse_nobody(down: Alter) -> None:
    results = asyncio.run(judged(chosen(), down))
    bad = [line for line in complaints(results) if not line.partition(":")[0].endswith(UNDECIDED)]
    assert bad == []
    assert all(r.verdict is not Verdict.FAIL for r in results)
    assert sum("passed over" in " ".join(r.notes) for r in results) > 20


class Assigns(Hook):
    """Subscribes each client to messages of others, as some brokers let their users configure."""

    server: Server

    def on_session_established(self, client: Client, session_present: bool) -> None:
        assert client.session is not None
        self.server.broker.router.subscribe(client.session.handle, "assigned/#", 2, 0)


@asynccontextmanager
async def assigning() -> Any:
    """A broker with such a hook, on which somebody publishes all the time."""
    hook = Assigns()
    async with Server(hooks=[hook, AllowAll()]) as server:
        hook.server = server

        async def publish() -> None:
            number = 0
            while True:
                number += 1
                server.publish(f"assigned/{number % 3}", b"m", qos=number % 3)
                await asyncio.sleep(0.02)

        task = asyncio.create_task(publish())
        try:
            yield server
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


@pytest.mark.timeout(600)
def test_subscriptions_that_the_server_made_accuse_nobody() -> None:
    async def run() -> list[Result]:
        async with assigning() as server:
            target = Target(server.url)
            await probe(target)
            return await run_cases(chosen(), target)

    results = asyncio.run(run())
    assert complaints(results) == []
    assert sum("assigned/" in " ".join(r.notes) for r in results) > 20


@pytest.mark.parametrize(
    ("first", "rule"),
    [(Publish("other", b"m"), "MQTT5-3.2.0-1"), (Publish("other", b"m", 1, packet_id=9), "MQTT5-3.2.0-1")],
)
def test_a_message_ahead_of_the_connack_is_blamed_on_its_own_rule(first: Publish, rule: str) -> None:
    @on(Connack)
    def early(talk: Talk, packet: Connack) -> Iterable[Packet | bytes]:
        return (first, packet)

    cases = [load_cases()["MQTT5-3.10.4-4/unsuback"]]
    one, broken = asyncio.run(judged_unprobed(cases, early))
    assert (one.verdict, one.breach) == (Verdict.INCONCLUSIVE, rule)
    assert (broken.verdict, broken.case.statements) == (Verdict.FAIL, (rule,))


async def judged_unprobed(cases: list[Case], down: Alter) -> list[Result]:
    async with Server(hooks=[AllowAll()]) as server, Meddler(server.port, Meddling(down=down)) as meddler:
        await probe(sound := Target(server.url))
        return await run_cases(cases, Target(meddler.url, capabilities=sound.capabilities))


def test_a_message_for_a_client_that_was_refused_is_blamed_on_its_own_rule() -> None:
    @on(Connack, when=lambda talk, packet: packet.reason_code > 0)
    def late(talk: Talk, packet: Connack) -> Iterable[Packet | bytes]:
        return (packet, Publish("other", b"m"))

    one, broken = asyncio.run(judged([load_cases()["MQTT311-3.1.3-8/empty-id-keeps-session"]], late))
    assert (one.verdict, one.breach) == (Verdict.INCONCLUSIVE, "MQTT311-3.2.2-5")
    assert broken.case.statements == ("MQTT311-3.2.2-5",)


@pytest.mark.parametrize(
    ("properties", "size", "rule"),
    [(PublishProperties(topic_alias=1), 0, "MQTT5-3.1.2-27"), (None, 200, "MQTT5-3.1.2-24")],
    ids=["an alias that the client does not allow", "too large for the client"],
)
def test_a_message_that_may_not_come_at_all_is_blamed(
    properties: PublishProperties | None, size: int, rule: str
) -> None:
    @on(Connack)
    def wrong(talk: Talk, packet: Connack) -> Iterable[Packet | bytes]:
        return (packet, Publish("other", b"x" * size, properties=properties))

    cases = [load_cases()["MQTT5-3.9.2-1/small-answers"]]
    one, broken = asyncio.run(judged(cases, wrong))
    assert one.breach == rule
    assert broken.case.statements == (rule,)


def test_each_qos_is_acknowledged_as_it_asks() -> None:
    seen: list[Any] = []

    async def body(peer: Peer) -> None:
        await peer.connect()
        await peer.barrier()
        await peer._wait(lambda: sum(type(r.packet).__name__ == "Pubcomp" for r in peer.run.trace) > 0, 3)
        seen.extend(type(r.packet).__name__ for r in peer.run.trace if r.what == "out")
        assert peer.inbox == []

    (result,) = asyncio.run(judged([made(body)], on(Connack)(lambda talk, packet: (packet, *everything(talk, 2)))))
    assert (result.verdict, result.message) == (Verdict.PASS, "")
    assert sorted(seen) == ["Connect", "Pingreq", "Puback", "Pubcomp", "Pubrec"]
    assert result.notes == ["passed over 3 messages that the case did not ask for: $SYS/uptime, elsewhere, other/2"]
    target = Target("mqtt://localhost")
    assert json.loads(jsonform.render([result], target))["results"][0]["notes"] == result.notes
    for text in (junit.render([result]), html.render([result], {}, "broker")):
        assert "passed over 3 messages" in text
    for text in (terminal.render([result], {}), markdown.render([result])):
        assert "1 case passed over messages that it had not asked for" in text


def test_what_a_case_is_about_is_not_passed_over() -> None:
    own = "conformance/abc/t"
    assert concerns(f"$other/{own}/x", own, ())
    assert not concerns("other/x", own, ())
    assert not concerns("other/x", own, ["other", "other/x/y", "x/#", "+"])
    assert all(concerns("other/x", own, [f]) for f in ("#", "other/x", "other/+", "+/x", "other/#", "other/x/#"))
    assert concerns("other/x", own, ["$share/g/other/#"])
    assert concerns("$SYS/x", own, ["#"])

# SPDX-License-Identifier: MIT
"""What is held against a broker at once, what has to fail again, and what says nothing about it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack

import pytest

from mqtt_conformance import peer as peer_module
from mqtt_conformance import runner as runner_module
from mqtt_conformance.case import load_cases
from mqtt_conformance.cases.vectors import _private
from mqtt_conformance.faults.meddler import Meddler, Meddling, Talk
from mqtt_conformance.faults.spoil import drop, on
from mqtt_conformance.judging import reordered
from mqtt_conformance.peer import Peer
from mqtt_conformance.reacted import expect_reaction
from mqtt_conformance.rules import ORDER
from mqtt_conformance.runner import Result, probe, run_case, run_cases
from mqtt_conformance.target import Target
from mqtt_conformance.verdict import Verdict
from mqtt_ref.auth.ledger import Ledger
from mqtt_ref.auth.ledger_hook import LedgerHook
from mqtt_ref.broker.views import Client
from mqtt_ref.engine.options import Options
from mqtt_ref.engine.tables import TABLES, Tables, changed
from mqtt_ref.hooks import AllowAll, Hook
from mqtt_ref.server import Server
from mqtt_ref.wire.generated.vectors import vectors
from mqtt_ref.wire.packets import Connack, Connect, Packet, Pingresp, Puback, Publish, Pubrel, Subscribe
from mqtt_ref.wire.reactions import reaction
from tests.conformance.lame import lame_broker
from tests.conformance.test_runner import made

RESUMED = (
    "resend-qos1 resend-qos2 resend-pubrel no-expiry-in-flight no-expiry-at-takeover resend-ends wrong-ack "
    "quota-ceiling no-revert unsubscribed-in-flight shared-qos2-finishes quota-new-connection"
)


def judged(
    slugs: str,
    meddling: Meddling | None = None,
    *,
    versions: Iterable[int] = (5, 4, 3),
    factor: float = 1.0,
    options: Options | None = None,
    tables: Tables = TABLES,
    password: bool = False,
    hook: Hook | None = None,
) -> list[Result]:
    """The cases of these slugs against our broker behind a meddler; with `password` it lets one user in."""
    cases = [c for c in load_cases().values() if c.id.partition("/")[2] in slugs.split() and c.version in versions]
    assert cases
    ledger = Ledger.from_mapping({"users": {"me": {"password": "secret"}}})

    async def run() -> list[Result]:
        async with AsyncExitStack() as stack:
            allows = hook or (LedgerHook(ledger) if password else AllowAll())
            server = await stack.enter_async_context(Server(options or Options(), hooks=[allows], tables=tables))
            meddler = await stack.enter_async_context(Meddler(server.port, meddling or Meddling()))
            target = Target(meddler.url, factor=factor)
            if password:
                target.username, target.password = "me", b"secret"
            target.capabilities = await probe(target)
            return await run_cases(cases, target)

    return asyncio.run(run())


def once(change: Callable[[Packet], object]) -> Callable[[Talk, Packet], bool]:
    """Holds for the first packet of all connections that `change` holds for."""

    def first(talk: Talk, packet: Packet) -> bool:
        if talk.all.get("done") or not change(packet):
            return False
        talk.all["done"] = True
        return True

    return first


@on(Publish, when=lambda talk, packet: packet.qos == 1 and not talk.all.get("done"))
def shuffled(talk: Talk, packet: Publish) -> Iterable[Publish]:
    """The first three messages of QoS 1 in another order; what comes later in the right one."""
    held = talk.here.setdefault("held", [])
    held.append(packet)
    if len(held) < 3:
        return ()
    talk.all["done"] = True
    return (held[1], held[0], held[2])


@pytest.mark.parametrize("version", [5, 4])
def test_another_order_is_a_failure_when_seen_once(version: int) -> None:
    result, broken = judged("queued-qos1", Meddling(down=shuffled), versions=[version])
    assert result.verdict is Verdict.INCONCLUSIVE
    assert broken.case.statements == (ORDER[0 if version == 5 else 2],)
    assert (broken.verdict, broken.proven) == (Verdict.FAIL, True)


def test_3_1_has_no_rule_of_order() -> None:
    (result,) = judged("queued-qos1", Meddling(down=shuffled), versions=[3])
    assert (result.verdict, result.breach) == (Verdict.INCONCLUSIVE, "")


@on(Puback, when=once(lambda p: isinstance(p, Puback)))
def other_identifier(talk: Talk, packet: Puback) -> None:
    packet.packet_id = packet.packet_id % 65_535 + 1


@on(Publish, when=once(lambda p: isinstance(p, Publish) and len(p.payload) == 256))
def other_bytes(talk: Talk, packet: Publish) -> None:
    packet.payload = packet.payload[::-1]


@on(Publish, when=once(lambda p: isinstance(p, Publish)))
def illegal(talk: Talk, packet: Publish) -> Iterable[bytes]:
    body = len(packet.topic).to_bytes(2, "big") + packet.topic.encode() + b"\x00\x01"
    return (bytes([0x36, len(body)]) + body,)


@pytest.mark.parametrize(
    ("slug", "down"), [("puback", other_identifier), ("delivery", other_bytes), ("delivery", illegal)]
)
def test_wrong_identifiers_and_bytes_are_a_failure_when_seen_once(
    slug: str, down: Callable[[Talk, Packet], Iterable[Packet | bytes]]
) -> None:
    result = judged(slug, Meddling(down=down), versions=[4])[-1]
    assert (result.verdict, result.proven) == (Verdict.FAIL, True)


def test_a_message_that_does_not_come_once_is_no_failure() -> None:
    lost = drop(Publish, when=once(lambda p: isinstance(p, Publish)))
    (result,) = judged("delivery", Meddling(down=lost), versions=[4], factor=0.2)
    assert (result.verdict, result.proven) == (Verdict.INCONCLUSIVE, False)


def test_what_is_another_order() -> None:
    wanted = [b"0", b"1", b"2"]
    assert reordered([b"1", b"0", b"2"], wanted)
    assert reordered([b"2", b"1"], wanted)
    assert not reordered([b"0", b"2"], wanted)
    assert not reordered([b"0", b"1", b"0", b"2"], wanted), "a repeat"
    assert not reordered([b"0", b"3", b"1"], wanted), "somebody else's"
    assert not reordered([6, 0], [0, 6]), "numbers of messages are no messages"
    assert not reordered([b"1", b"0"], [b"0", b"0"]), "which of two that are alike came first, nobody can tell"


def resent(talk: Talk, packet: Packet) -> float:
    if isinstance(packet, Connack):
        talk.here["resumed"] = packet.session_present or talk.version == 3
    fresh = talk.here.setdefault("fresh", set())
    if isinstance(packet, Publish) and not packet.dup:
        fresh.add(packet.packet_id)
    owed = isinstance(packet, Pubrel) and packet.packet_id not in fresh and talk.here.get("resumed")
    return 1.6 if owed or (isinstance(packet, Publish) and packet.dup) else 0.0


@pytest.mark.timeout(180)
def test_who_sends_again_by_a_timer_is_not_accused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer than the cases wait, also on a busy machine: they are inconclusive, and say why."""
    monkeypatch.setattr(runner_module, "SLOWEST", 1.0)
    results = judged(RESUMED, Meddling(late=resent), factor=0.2)
    assert [f"{r.case.id}: {r.message}" for r in results if r.verdict is Verdict.FAIL] == []
    told = [r.case.id for r in results if "the standard sets no time" in r.message]
    assert {i.partition("/")[2] for i in told} >= {"resend-qos1", "resend-qos2", "resend-pubrel", "wrong-ack"}


@pytest.mark.timeout(180)
def test_who_never_sends_again_is_accused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer_module, "RESENT", 3.0)
    never = drop(Publish, when=lambda talk, packet: packet.dup)
    results = judged("resend-qos1 resend-qos2 no-expiry-in-flight", Meddling(down=never), factor=0.2, versions=[5, 4])
    assert {r.verdict for r in results} == {Verdict.FAIL}


def test_a_will_topic_that_is_none_may_be_refused_with_a_code() -> None:
    """3.1.4 of MQTT 3.1.1 forbids a CONNACK only where section 3.1 is broken, which says nothing of such a topic."""
    slugs = "vector-topic-wildcard-connect-will_topic vector-topic-empty-connect-will_topic"
    results = judged(slugs, Meddling(farewell=b"\x20\x02\x00\x05"), versions=[4])
    assert [r.verdict for r in results] == [Verdict.PASS] * 2
    other = judged("vector-trailing-connect", Meddling(farewell=b"\x20\x02\x00\x05"), versions=[4])
    assert [(r.verdict, r.proven) for r in other] == [(Verdict.FAIL, True)]
    away = judged("vector-trailing-connect", Meddling(farewell=b"\x20\x02\x00\x03"), versions=[4])
    assert [r.verdict for r in away] == [Verdict.INCONCLUSIVE], "a server that is not available may not have looked"


def connects() -> str:
    names = [c.id.partition("/")[2] for c in load_cases().values()]
    return " ".join(n for n in names if (n.startswith("vector-") and "-connect-" in n) or n == "cut-payload")


@pytest.mark.timeout(180)
def test_a_password_changes_no_verdict() -> None:
    results = judged(connects(), password=True)
    assert len(results) > 300
    assert [f"{r.case.id}: {r.message}" for r in results if r.verdict is not Verdict.PASS] == []


@pytest.mark.parametrize("version", [5, 4])
def test_who_accepts_a_malformed_connect_is_caught_with_a_password(version: int) -> None:
    """The reserved flag, a byte too much and a name that is no UTF-8 are overlooked, the password is not."""
    rules = {
        5: ("MQTT5-3.1.2-3", "X5-trailing-bytes", "MQTT5-1.5.4-1"),
        4: ("MQTT311-3.1.2-3", "X311-trailing-bytes", "MQTT311-1.5.3-1"),
    }[version]
    slugs = "vector-bits-connect-connect_flags vector-trailing-connect vector-utf8-broken-connect-client_id"
    for rule in rules:
        row = reaction(rule, 0x81, version, "new")._replace(action="ignore")
        tables = changed(TABLES, reactions={rule: row})
        results = [r for r in judged(slugs, versions=[version], tables=tables, password=True, factor=0.4)
                   if rule in r.case.statements]  # fmt: skip
        assert [r.verdict for r in results] == [Verdict.FAIL], rule


def test_a_refusal_for_want_of_credentials_counts_for_nothing() -> None:
    """A broker that refuses all it does not know in the same way has shown nothing about a CONNECT that is cut."""
    closes = Options(decisions={"unauthorized_connect": "close"})
    results = judged("vector-truncation-connect-client_id cut-payload", options=closes, versions=[4], password=True)
    assert {r.verdict for r in results} == {Verdict.INCONCLUSIVE}
    assert all("credentials" in r.message for r in results)
    carried = judged("vector-trailing-connect", options=closes, versions=[4], password=True)
    assert [r.verdict for r in carried] == [Verdict.PASS]


class NobodyByName(Hook):
    """Clients without a user name are let in, and nobody who has one."""

    def on_connect_authenticate(self, client: Client, connect: Connect) -> bool:
        return connect.username is None

    def on_acl_check(self, client: Client, topic: str, write: bool) -> bool:
        return True


def test_a_made_up_name_is_no_ground_for_a_refusal_that_counts() -> None:
    """Malformed CONNECTs have no name where the run has none; what needs one cannot be told here."""
    row = reaction("MQTT311-1.5.3-1", 0x81, 4, "new")._replace(action="ignore")
    tables = changed(TABLES, reactions={"MQTT311-1.5.3-1": row})
    slug = "vector-utf8-broken-connect-client_id"
    (accepted,) = judged(slug, tables=tables, hook=NobodyByName(), factor=0.4, versions=[4])
    assert accepted.verdict is Verdict.FAIL
    closes = Options(decisions={"unauthorized_connect": "close"})
    (named,) = judged("vector-utf8-broken-connect-username", hook=NobodyByName(), options=closes, versions=[4])
    assert (named.verdict, "credentials" in named.message) == (Verdict.INCONCLUSIVE, True)


def ignored(*statements: str) -> Tables:
    """A broker that carries on when one of these rules is broken."""
    rows = {s: reaction(s, 0x81, 5, "connected")._replace(action="ignore") for s in statements}
    return changed(TABLES, reactions=rows)


def test_who_reads_no_auth_at_all_is_accused_of_that_alone() -> None:
    """On a connection without an Authentication Method any AUTH is out of place, whatever is wrong with it besides."""
    some = judged("vector-trailing-auth", tables=ignored("X5-trailing-bytes"), versions=[5])
    assert [(r.verdict, r.breach) for r in some] == [(Verdict.FAIL, "")]
    own, broken = judged("vector-trailing-auth", tables=ignored("X5-trailing-bytes", "MQTT5-4.12.0-7"), versions=[5])
    assert (own.verdict, own.breach) == (Verdict.INCONCLUSIVE, "MQTT5-4.13.1-1")
    assert (broken.verdict, broken.case.id) == (Verdict.FAIL, "MQTT5-4.13.1-1/in-other-cases")


@pytest.mark.parametrize("answers", [True, False])
def test_silence_is_not_carrying_on(*, answers: bool) -> None:
    """A broker may pass a wildcard in a PUBLISH over, but not by falling silent for ever."""

    async def body(peer: Peer) -> None:
        await peer.connect()
        await peer.send(Publish("fine", b"as if it were not"))
        peer.note(await expect_reaction(peer, "MQTT311-3.3.2-2", 0x90, "connected"))

    async def run() -> Result:
        async with Server(hooks=[AllowAll()]) as server:
            silenced = Meddling(down=None if answers else drop(Pingresp))
            async with Meddler(server.port, silenced) as meddler:
                case = made(body, version=4, statements=("MQTT311-3.3.2-2",))
                return await run_case(case, Target(meddler.url, factor=0.3))

    result = asyncio.run(run())
    assert (result.verdict, result.notes) == ((Verdict.INFORMATIONAL, ["ignore"]) if answers else (
        Verdict.INCONCLUSIVE, []))  # fmt: skip
    assert ("does not answer even a PINGREQ" in result.message) is not answers


def test_the_type_of_auth_is_reserved_before_5_0() -> None:
    """A broker that overlooks it is accused of that; there is no AUTH to try it with."""
    case = load_cases()["X311-packet-type-reserved/vector-reserved-type-auth-fixed_header"]
    with lame_broker() as port:
        result = asyncio.run(run_case(case, Target(f"mqtt://127.0.0.1:{port}", factor=0.3)))
    assert (result.verdict, result.breach, result.rule) == (Verdict.FAIL, "", "MQTT311-4.8.0-1")


def test_the_identifier_0_that_comes_back_is_not_what_was_broken_first() -> None:
    """A PUBLISH with a Topic Name that is no UTF-8 has the identifier 0 besides: not to refuse it is the breach."""

    @on(Pingresp)
    def acknowledges(talk: Talk, packet: Pingresp) -> Iterable[Packet | bytes]:
        return (b"\x40\x02\x00\x00", packet)

    async def body(peer: Peer) -> None:
        await peer.connect()
        await peer.send(Publish("fine", b"as if it were not"))
        await expect_reaction(peer, "MQTT311-1.5.3-1", 0x81, "connected")

    async def run() -> Result:
        async with Server(hooks=[AllowAll()]) as server, Meddler(server.port, Meddling(down=acknowledges)) as meddler:
            case = made(body, version=4, statements=("MQTT311-1.5.3-1",))
            return await run_case(case, Target(meddler.url, factor=0.3))

    result = asyncio.run(run())
    assert (result.verdict, result.breach, result.rule) == (Verdict.FAIL, "", "MQTT311-4.8.0-1")


@pytest.mark.parametrize(("version", "verdict"), [(5, Verdict.FAIL), (4, Verdict.PASS)])
def test_a_malformed_disconnect_may_delete_the_will_before_5_0(version: int, verdict: Verdict) -> None:
    results = judged("disconnect-flags", Meddling(down=drop(Publish)), versions=[version], factor=0.3)
    assert results[-1].verdict is verdict


def test_vectors_that_run_at_the_same_time_never_share_a_client_identifier() -> None:
    """Brokers end the one for the other. However often they were sent before, those of late have names of their own."""
    vector = next(v for v in vectors() if v.version == 4 and v.data[:1] == b"\x10" and v.data.find(b"\x00\x02c1") > 0)
    sent = [_private(vector) for _ in range(5000)]
    assert len(set(sent[-1000:])) == 1000


def test_a_will_is_not_due_while_the_connection_that_was_taken_over_stays_open() -> None:
    will = drop(Publish, when=lambda talk, packet: packet.payload == b"will")
    own, broken = judged("will-at-takeover", Meddling(down=will, linger=lambda talk: True), versions=[4], factor=0.3)
    assert own.verdict is Verdict.INCONCLUSIVE
    assert (broken.verdict, broken.case.id) == (Verdict.FAIL, "MQTT311-3.1.4-2/in-other-cases")


@on(Subscribe)
def unreadable(talk: Talk, packet: Subscribe) -> Iterable[bytes]:
    talk.here["closes"] = True
    return (b"\x00\x00",)


def test_who_closes_without_a_connack_has_sent_nothing_ahead_of_it() -> None:
    """A broker that has no patience with what comes behind the CONNECT: no first packet was another one."""
    silent = drop(Connack, when=lambda talk, packet: "closes" in talk.here)
    (result,) = judged("connack-first", Meddling(unreadable, silent), versions=[4], factor=0.3)
    assert (result.verdict, result.breach) == (Verdict.INCONCLUSIVE, "")

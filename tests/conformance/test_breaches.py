# SPDX-License-Identifier: MIT
"""The first rule that a broker breaks is the one that is blamed, whatever the case is about that saw it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from mqtt_conformance import testing
from mqtt_conformance.baseline import compare, read_baseline, write_baseline
from mqtt_conformance.breaches import booked, is_finding
from mqtt_conformance.case import load_cases
from mqtt_conformance.faults.meddler import Meddler, Meddling, Talk
from mqtt_conformance.faults.spoil import Alter, drop, on, property_
from mqtt_conformance.peer import Peer
from mqtt_conformance.reports import html, jsonform, junit, markdown, reproducer, terminal
from mqtt_conformance.reports.summary import by_section
from mqtt_conformance.rules import PUBREC, SECOND_CONNECT
from mqtt_conformance.runner import Result, broken_rule, probe, run_cases
from mqtt_conformance.target import Target
from mqtt_conformance.verdict import Verdict
from mqtt_ref.hooks import AllowAll
from mqtt_ref.server import Server
from mqtt_ref.wire.packets import Auth, Connack, Connect, Packet, Puback, Publish, PublishProperties, Pubrec, Pubrel
from mqtt_ref.wire.primitives import V5
from mqtt_ref.wire.statements import STATEMENTS
from tests.conformance.test_runner import made


@on(Connect)
def first_only(talk: Talk, packet: Connect) -> Iterable[Packet]:
    """The broker takes no notice of a second CONNECT."""
    again = "known" in talk.here
    talk.here["known"] = True
    return () if again else (packet,)


@on(Connect, when=lambda talk, packet: not packet.client_id)
def named(talk: Talk, packet: Connect) -> None:
    packet.client_id = f"somebody-{len(talk.all)}"
    packet.clean_start = True


@on(Connack, when=lambda talk, packet: packet.reason_code > 0)
def reserved_code(talk: Talk, packet: Connack) -> Iterable[bytes]:
    return (b"\x20\x02\x00\x82",)


def long(talk: Talk, packet: Publish) -> bool:
    return len(packet.topic) > 50_000


@on(Pubrec)
def puback_instead(talk: Talk, packet: Pubrec) -> Iterable[Packet]:
    return (Puback(packet.packet_id),)


@on(Publish, when=lambda talk, packet: packet.qos > 0)
def dup_at_once(talk: Talk, packet: Publish) -> None:
    packet.dup = True


BLAMED: dict[str, tuple[str, str, Alter | None, Alter | None]] = {
    "a second CONNECT is not noticed": ("MQTT311-3.1.2-8/protocol-error", "MQTT311-3.1.0-2", first_only, None),
    "the same in 5.0": ("MQTT5-3.1.2-8/protocol-error", "MQTT5-3.1.0-2", first_only, None),
    "PUBREC never comes": ("MQTT311-3.8.4-1/behind-connect", "MQTT311-4.3.3-2", None, drop(Pubrec)),
    "PUBREC never comes to an exchange": ("MQTT5-2.2.1-3/id-in-use", "MQTT5-4.3.3-8", None, drop(Pubrec)),
    "PUBACK for QoS 2": ("MQTT311-3.8.4-6/downgrade", "MQTT311-4.3.3-2", None, puback_instead),
    "DUP in the first delivery": ("MQTT311-3.1.2-5/queued-qos1", "MQTT311-4.3.2-1", None, dup_at_once),
    "the same at QoS 2": ("MQTT5-3.1.2-23/queued-qos2", "MQTT5-4.3.3-2", None, dup_at_once),
    "PUBACK never comes": ("MQTT5-3.3.1-3/dup-not-forwarded", "MQTT5-4.3.2-4", None, drop(Puback)),
    "PUBREL never comes": ("MQTT5-4.4.0-1/resend-pubrel", "MQTT5-4.3.3-4", None, drop(Pubrel)),
    "an identifier is accepted": ("MQTT311-3.1.3-9/refused-id", "MQTT311-3.1.3-8", named, None),
    "a message is lost": ("MQTT5-4.7.3-3/long-topic", "X5-message-to-every-match", None, drop(Publish, when=long)),
    "the same in 3.1.1": ("MQTT311-4.7.3-3/long-topic", "X311-deliver-to-matching", None, drop(Publish, when=long)),
    "a code that does not exist": (
        "MQTT311-3.1.3-8/empty-id-keeps-session", "X311-connack-codes-reserved", None, reserved_code,
    ),
    "another property": (
        "MQTT5-3.3.2-6/properties-retained", "MQTT5-3.3.2-20", None, property_(Publish, "content_type", "other"),
    ),
    "no retained messages": (
        "MQTT5-3.3.2-6/properties-retained", "MQTT5-3.3.1-9", None, drop(Publish, when=lambda t, p: p.retain),
    ),
}  # fmt: skip


async def judged(names: Iterable[str], up: Alter | None = None, down: Alter | None = None) -> list[Result]:
    async with Server(hooks=[AllowAll()]) as server, Meddler(server.port, Meddling(up, down)) as meddler:
        target = Target(meddler.url, factor=0.3)
        await probe(target)
        return await run_cases([load_cases()[name] for name in names], target)


@pytest.mark.parametrize("what", BLAMED)
def test_the_rule_that_was_broken_is_blamed(what: str) -> None:
    name, rule, up, down = BLAMED[what]
    one, broken = asyncio.run(judged([name], up, down))
    assert (one.verdict, one.breach) == (Verdict.INCONCLUSIVE, rule), one.message
    assert one.message.startswith(f"{rule} was broken first: ")
    assert (broken.verdict, broken.case.statements) == (Verdict.FAIL, (rule,))
    assert broken.case.id == f"{rule}/in-other-cases"
    assert broken.notes == [f"seen in {name}"]


def test_what_a_case_is_about_is_its_own_failure() -> None:
    names = ["MQTT5-3.1.0-2/second-connect", "MQTT311-3.1.0-2/two-connects-at-once"]
    results = asyncio.run(judged(names, first_only))
    assert [(r.case.id, r.verdict, r.breach) for r in results] == [(n, Verdict.FAIL, "") for n in names]


def steps(version: int, statements: tuple[str, ...]) -> Result:
    """A case of these rules in which a step fails that rests on another rule."""

    async def body(peer: Peer) -> None:
        await peer.connect()
        await peer.expect(Pubrec, within=0.1, under=PUBREC)

    async def run() -> Result:
        async with Server(hooks=[AllowAll()]) as server:
            await probe(target := Target(server.url))
            return (await run_cases([made(body, version=version, statements=statements)], target))[0]

    return asyncio.run(run())


def test_a_failure_names_the_rule_of_the_step_that_failed() -> None:
    async def lost(name: str, down: Alter) -> Result:
        return (await judged([name], down=down))[0]

    dup = asyncio.run(lost("MQTT311-4.4.0-1/resend-qos1", without_dup))
    assert (dup.verdict, dup.breach, dup.rule) == (Verdict.FAIL, "", "MQTT311-3.3.1-1")
    size = asyncio.run(lost("MQTT5-3.3.4-3/identifier-replaced", stale))
    assert (size.verdict, size.rule) == (Verdict.FAIL, "X5-subscription-identifier-removed")


@on(Publish)
def without_dup(talk: Talk, packet: Publish) -> None:
    packet.dup = False


@on(Publish)
def stale(talk: Talk, packet: Publish) -> None:
    packet.properties = PublishProperties(subscription_identifier=[3])


def test_a_rule_of_clients_stands_for_what_a_server_does_then() -> None:
    """A server cannot break it: it breaks what says how it takes such a packet."""
    cases = load_cases()
    assert broken_rule(cases["MQTT5-3.1.0-2/second-connect"]) == "MQTT5-3.1.0-2"
    for case in cases.values():
        rule = STATEMENTS[broken_rule(case)]
        assert rule.version == case.version
        assert rule.binds != "client" or case.version == 3, case.id
    (result,) = asyncio.run(judged(["MQTT5-4.12.0-7/auth-without-method"], drop(Auth)))
    assert (result.verdict, result.rule) == (Verdict.FAIL, "MQTT5-4.13.1-1")
    section = {k: len(v) for k, v in by_section([result]).items()}
    assert section == {(5, "4.13"): 1}
    assert "(MQTT5-4.13.1-1)" in markdown.render([result])


def test_a_version_without_such_a_rule_is_accused_of_nothing() -> None:
    assert steps(V5, ("MQTT5-3.12.4-1",)).breach == "MQTT5-4.3.3-8"
    assert steps(V5, ("MQTT5-4.3.3-8",)).verdict is Verdict.FAIL
    nobody = steps(3, ("X31-pipelining",))
    assert (nobody.verdict, nobody.breach) == (Verdict.INCONCLUSIVE, "")


def seen(name: str, verdict: Verdict = Verdict.FAIL, breach: str = "") -> Result:
    return Result(load_cases()[name], verdict, "it stays open", "closed", "open", 0.1, breach=breach)


@pytest.fixture
def results() -> list[Result]:
    rule = SECOND_CONNECT[0]
    return booked([
        seen("MQTT5-3.12.4-1/pingresp", Verdict.PASS), seen("MQTT5-3.1.2-8/protocol-error", breach=rule),
        seen("X5-second-connect-code/errors-are-told", breach=rule),
    ])  # fmt: skip


def test_one_result_stands_for_a_rule_that_several_cases_saw_broken(results: list[Result]) -> None:
    assert [r.verdict for r in results] == [Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE, Verdict.FAIL]
    rule = results[-1]
    assert rule.case.id == "MQTT5-3.1.0-2/in-other-cases"
    assert rule.notes == ["seen in MQTT5-3.1.2-8/protocol-error", "seen in X5-second-connect-code/errors-are-told"]
    assert "protocol-error" in rule.message


def test_every_report_follows_the_blame(results: list[Result]) -> None:
    target = Target("mqtt://localhost")
    suite = ElementTree.fromstring(junit.render(results).split("\n", 1)[1])
    assert [c.attrib["name"] for c in suite.iter("testcase") if c.find("failure") is not None] == [results[-1].case.id]
    assert {k: len(v) for k, v in by_section(results).items()}[5, "3.1"] == 2
    assert json.loads(markdown.badge(results))["message"] == "1/2"
    rows: list[dict[str, Any]] = json.loads(jsonform.render(results, target))["results"]
    assert [r["id"] for r in rows if r["verdict"] == "fail"] == ["MQTT5-3.1.0-2/in-other-cases"]
    assert [r.get("breach") for r in rows] == [None, "MQTT5-3.1.0-2", "MQTT5-3.1.0-2", None]
    for text in (html.render(results, {}, "b"), terminal.render(results, {}), reproducer.render(results[-1], target)):
        assert "MQTT5-3.1.0-2/in-other-cases" in text


def test_a_baseline_lists_a_rule_that_other_cases_saw_broken(results: list[Result], tmp_path: Path) -> None:
    path = tmp_path / "known.toml"
    path.write_text(write_baseline(results))
    known = read_baseline(path)
    assert list(known.reasons) == ["MQTT5-3.1.0-2/in-other-cases"]
    assert is_finding("MQTT5-3.1.0-2/in-other-cases")
    assert not is_finding("MQTT5-99/in-other-cases")
    assert compare(results, known) == ([], [])
    assert compare(results[:1], known) == ([], [])
    kept = seen("MQTT5-3.1.0-2/second-connect", Verdict.PASS)
    new, repaired = compare([kept], known)
    assert (new, [r.case.id for r in repaired]) == ([], ["MQTT5-3.1.0-2/in-other-cases"])


def test_from_pytest_the_rule_is_named_that_was_broken(monkeypatch: pytest.MonkeyPatch, results: list[Result]) -> None:
    monkeypatch.setattr(testing, "judge", lambda case, target, profile: results[1])
    with pytest.raises(pytest.fail.Exception, match=r"MQTT5-3\.1\.0-2 was broken first"):
        testing.check(results[1].case, "mqtt://localhost")

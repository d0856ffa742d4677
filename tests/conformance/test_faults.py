# SPDX-License-Identifier: MIT
"""The suite accuses brokers that are broken on purpose, of the rule that they break."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from mqtt_conformance.faults import invisible
from mqtt_conformance.faults.fault import Fault
from mqtt_conformance.faults.judge import cases_of
from mqtt_conformance.faults.meddler import Meddler, Meddling
from mqtt_conformance.faults.score import ENOUGH, Found, all_faults, report, run, share, unproven
from mqtt_ref.engine.tables import MACHINES

RECORD = Path(__file__).parents[2] / "conformance" / "results" / "faults.json"
SAMPLE = (
    "connection/connected/pingreq/does-ignore",
    "connection/await_connect/publish/does-ignore",
    "session/dormant/connect_resume/does-create",
    "qos_send/await_puback/resumed/does-ignore",
    "qos_send/await_pubrec/pubrec/does-ignore",
    "qos_receive/held/publish_qos2/does-deliver_pubrec",
    "will/armed/closed/does-nothing",
    "subscription/present/unsubscribe/goes-to-present",
    "number/send_quota_share/more",
    "number/keep_alive_percent/more",
    "reaction/MQTT5-3.8.1-1/overlooked",
    "connection/deciding/subscribe/does-ignore",
    "auth/asked/continue/does-ask",
    "auth/reasked/failure/does-refuse",
    "handmade/auth/no-reply",
    "handmade/connack/session-present-never",
    "handmade/publish/dup-never",
    "handmade/acks/suback-reversed",
    "handmade/properties/user-properties-sorted",
    "handmade/end/after-disconnect",
)


def test_a_sample_of_broken_brokers_is_accused() -> None:
    faults = {f.id: f for f in all_faults()}
    missing = [name for name in SAMPLE if name not in faults]
    assert not missing
    found = run([faults[name] for name in SAMPLE], jobs=1)
    assert [f.id for f in found if not f.by] == []
    for one in found:
        if faults[one.id].thorough:
            assert set(one.by) == set(one.statements)


@pytest.mark.skipif(
    os.environ.get("MQTT_REF_PROFILE") != "exhaustive", reason="some minutes: MQTT_REF_PROFILE=exhaustive"
)
@pytest.mark.timeout(1800)
def test_the_whole_catalogue() -> None:
    found = run(all_faults(), jobs=2)
    assert share(found) >= ENOUGH, "\n".join(report(found))


def test_the_record_is_good_enough() -> None:
    """`python -m mqtt_conformance.faults --record conformance/results/faults.json` renews it."""
    record = {f["id"]: f for f in json.loads(RECORD.read_text())["faults"]}
    visible = [f.id for f in all_faults() if not f.invisible]
    seen = [name for name in visible if name in record and record[name]["by"]]
    assert len(seen) / len(visible) >= ENOUGH


def test_ids_are_unique_and_rules_are_broken() -> None:
    faults = all_faults()
    assert len({f.id for f in faults}) == len(faults)
    assert all(f.statements for f in faults)


@pytest.mark.parametrize("machine", MACHINES)
def test_every_machine_has_faults(machine: str) -> None:
    assert any(f.id.startswith(f"{machine}/") for f in all_faults())


def test_every_reason_names_a_fault() -> None:
    assert not invisible.check(all_faults())
    assert all(rule.why and rule.kind in invisible.KINDS for rule in invisible.rules())


def test_a_reason_of_no_kind_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "invisible.toml").write_text('[[invisible]]\nfaults = ["*"]\nkind = "boring"\nwhy = "so"\n')
    monkeypatch.setattr(invisible, "files", lambda package: tmp_path)
    with pytest.raises(ValueError, match="boring"):
        invisible.rules.__wrapped__()


def test_faults_that_can_be_seen_have_cases() -> None:
    without = [f.id for f in all_faults() if not f.invisible and not cases_of(f)]
    assert not without


def test_the_report_names_what_was_missed() -> None:
    rule = "MQTT5-3.12.4-1"
    found = [
        Found("a/found", (rule,), "", 1, {rule: "a case"}),
        Found("a/missed", (rule,), "", 2, {}),
        Found("a/hidden", (rule,), "permitted: so", 0, {}),
        Found("a/wrong", (rule,), "permitted: so", 0, {rule: "a case"}),
    ]
    lines = list(report(found))
    assert any(line.startswith(rule) and line.endswith("1/2") for line in lines)
    assert "not found: a/missed (MQTT5-3.12.4-1; 2 cases)" in lines
    assert any("listed as invisible but seen: a/wrong" in line for line in lines)
    assert lines[-1] == "1 of 2 faults found (50.0%); 2 cannot be accused"
    assert rule not in unproven(found)


def test_a_sound_broker_is_not_accused_through_a_meddler() -> None:
    """What passes packets on unchanged is no fault: the meddler itself breaks nothing."""
    fault = Fault(
        "control", ("MQTT5-3.12.4-1", "MQTT311-3.12.4-1", "MQTT5-3.3.2-3", "MQTT5-4.3.3-8"),
        meddling=Meddling(lambda talk, packet: (packet,), lambda talk, packet: (packet,)), thorough=True,
    )  # fmt: skip
    import asyncio

    from mqtt_conformance.faults.judge import Healthy, judge

    assert not asyncio.run(judge(fault, Healthy())).by
    assert Meddler(1, Meddling()).port == 1

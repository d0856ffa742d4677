# SPDX-License-Identifier: MIT
"""The judge can accuse: every faulty client is caught and named, and is accused of nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mqtt_ref.oracle.coverage import decided
from mqtt_ref.oracle.faults import __main__ as command
from mqtt_ref.oracle.faults.catalogue import FAULTS, Fault, from_vectors, play_vector
from mqtt_ref.oracle.faults.client import SWITCHES, Refused
from mqtt_ref.oracle.faults.stage import Stage

RECORDED = Path(__file__).with_name("faults.json")
PLAYED = [(fault, version) for fault in FAULTS for version in fault.versions]


def name(value: object) -> str:
    return value.id if isinstance(value, Fault) else str(value)


@pytest.mark.parametrize(("fault", "version"), PLAYED, ids=name)
def test_the_faulty_client_is_named(fault: Fault, version: int) -> None:
    stage = Stage(version, fault.switches)
    fault.play(stage)
    rules = stage.rules()
    assert set(fault.expected(version)) <= rules
    for finding in stage.findings:
        assert {finding.rule, *finding.also} & set(fault.breaks), f"accused of {finding.rule} too: {finding.seen}"


BY_HAND = {"pubcomp-of-another-identifier", "reasons-too-long"}
"""What the script itself sends or sets is the fault, not what the client makes of it."""


@pytest.mark.parametrize(
    ("fault", "version"), [(f, v) for f, v in PLAYED if f.switches and f.id not in BY_HAND], ids=name
)
def test_the_same_client_without_its_switches_is_not_accused(fault: Fault, version: int) -> None:
    stage = Stage(version)
    try:
        fault.play(stage)
    except Refused:
        pass
    assert not stage.rules()


def test_each_switch_is_used() -> None:
    assert {switch for fault in FAULTS for switch in fault.switches} == SWITCHES


def test_every_malformed_packet_is_named() -> None:
    missed = [vector.id for vector, broken in from_vectors() if not set(broken) <= play_vector(vector)]
    assert not missed


def test_every_rule_that_is_decided_has_a_faulty_client() -> None:
    played = {one for fault in FAULTS for one in fault.breaks}
    played |= {one for _, broken in from_vectors() for one in broken}
    assert not set(decided()) - played


def test_the_command_prints_the_score(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["-q"]) == 0
    out = capsys.readouterr().out
    assert "100.0%" in out
    assert "missed" not in out


def test_the_recorded_score_is_the_one_of_now(tmp_path: Path) -> None:
    """`python -m mqtt_ref.oracle.faults --record tests/oracle/faults.json` renews it."""
    assert command.main(["-q", "--record", str(tmp_path / "faults.json")]) == 0
    now = json.loads((tmp_path / "faults.json").read_text())
    assert json.loads(RECORDED.read_text()) == now
    assert now["share"] >= command.BAR
    assert set(now["rules"]) == set(decided())

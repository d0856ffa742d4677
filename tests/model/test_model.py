# SPDX-License-Identifier: MIT
"""The random clients in short: the same ones on every run, on the broker and on some that break a rule."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mqtt_ref.engine.tables import TABLES
from mqtt_ref.wire.statements import STATEMENTS
from tests.model.faults import FAULTS, Fault
from tests.model.machine import machine
from tests.model.run import LIMIT, RESULTS, batch, find

SHORT = (
    "QoS 1 is lost on resume",
    "a repeat of QoS 2 is delivered",
    "Session Present 0 on resume",
    "no will after a lost link",
    "retained messages again",
    "taken over without a word",
    "twice the Receive Maximum",
)
"""A fault or two of each table and of the numbers; all of them take a quarter of an hour."""


def recorded(part: str) -> dict[str, Any]:
    """A part of the committed result of the long form."""
    results: dict[str, dict[str, Any]] = json.loads(RESULTS.read_text(encoding="utf-8"))
    return results[part]


def test_random_clients_get_what_they_must_and_may() -> None:
    clients = machine(TABLES)
    assert batch(clients, 1, shrink=False) == ("", "")
    assert clients.examples == 100
    assert clients.steps > 1000


@pytest.mark.parametrize("fault", [f for f in FAULTS if f.name in SHORT], ids=lambda f: f.name)
def test_a_broken_rule_is_found(fault: Fault) -> None:
    assert find(fault, 1, 60).finding


def test_faults_are_told_apart_and_break_rules_that_there_are() -> None:
    assert {f.name for f in FAULTS} >= {*SHORT}
    assert len({f.name for f in FAULTS}) == len(FAULTS)
    assert [f.statement for f in FAULTS if f.statement not in STATEMENTS] == []


def test_the_long_run_saw_nothing_wrong() -> None:
    run = recorded("run")
    assert run["minutes"] >= 30
    assert run["findings"] == 0


def test_every_fault_was_found_in_time() -> None:
    faults = recorded("faults")["faults"]
    assert {*faults} == {f.name for f in FAULTS}
    assert len(faults) >= 30
    assert [name for name, row in faults.items() if row["seconds"] is None or row["seconds"] > LIMIT] == []

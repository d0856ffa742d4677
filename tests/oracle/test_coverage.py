# SPDX-License-Identifier: MIT
"""Every statement that binds the client has a detector, a scenario or a reason, and the list says nothing else."""

from __future__ import annotations

import pytest

from mqtt_ref.oracle.coverage import REASONS, coverage, decided, rows, scenarios
from mqtt_ref.oracle.monitors import MONITORS
from mqtt_ref.wire.statements import STATEMENTS


@pytest.mark.parametrize(("version", "count"), [(5, 133), (4, 71)])
def test_each_numbered_statement_is_accounted_for(version: int, count: int) -> None:
    covers = coverage(version)
    assert len(covers) == count
    for cover in covers:
        ways = [bool(cover.detectors or cover.scenario), bool(cover.reason)]
        assert sum(ways) == 1, cover


def test_the_rules_of_31_are_accounted_for() -> None:
    covers = coverage(3, minted=True)
    asked = {s.id for s in STATEMENTS.values() if s.version == 3 and s.level == "must" and s.binds != "server"}
    assert asked <= {cover.statement.id for cover in covers}


def test_the_list_names_what_there_is() -> None:
    for name, row in rows().items():
        statement = STATEMENTS[name]
        assert statement.binds in ("client", "both")
        assert set(row) <= {"scenario", "reason", "note"}
        assert ("scenario" in row) != ("reason" in row)
        if "scenario" in row:
            assert row["scenario"] in scenarios()
        else:
            assert row["reason"] in REASONS
            assert name not in decided(), f"{name} has a detector, and a reason for which it has none"


def test_nothing_in_the_lists_is_unused() -> None:
    assert {row["scenario"] for row in rows().values() if "scenario" in row} == set(scenarios())
    used = {row["reason"] for row in rows().values() if "reason" in row}
    assert used == set(REASONS)


def test_what_a_monitor_decides_is_a_rule() -> None:
    for monitor in MONITORS:
        assert monitor.decides
        for one in monitor.decides:
            assert STATEMENTS[one].level in ("must", "should"), one

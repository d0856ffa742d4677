# SPDX-License-Identifier: MIT
"""Checks the oracle's findings in clients: each is about a rule that binds clients, and is found again in its trace."""

import json
from typing import Any

import pytest

from interop.findings import FOLDER, PAGE, clients, page
from interop.misbehaviour.__main__ import RESULTS
from mqtt_ref.oracle.recorded import judge_recording
from mqtt_ref.wire.statements import STATEMENTS

ROWS = [(name, row) for name, data in clients().items() for row in data["finding"]]
KEYS = {"title", "rule", "cases", "trace", "seen", "explanation"}


@pytest.mark.parametrize(("client", "row"), [pytest.param(c, r, id=r["trace"]) for c, r in ROWS])
def test_a_finding_is_found_in_its_trace(client: str, row: dict[str, Any]) -> None:
    """The trace breaks this rule, and no other rule that is a MUST."""
    assert set(row) == KEYS
    assert all(row.values())
    assert STATEMENTS[row["rule"]].binds in ("client", "both")
    judge = judge_recording((FOLDER / row["trace"]).read_bytes())
    found = [finding for finding in judge.findings if finding.level == "must"]
    assert {finding.rule for finding in found} == {row["rule"]}
    assert row["seen"] == found[0].seen


def test_each_rule_that_a_client_broke_is_explained() -> None:
    """The findings match the run of the misbehaviours, with the same versions."""
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    broke = {(one["client"], one["case"], rule) for one in results["outcomes"] for rule in one["broke"]}
    assert {(client, case, row["rule"]) for client, row in ROWS for case in row["cases"]} == broke
    assert {name: data["version"] for name, data in clients().items()} == results["versions"]


def test_nothing_lies_about() -> None:
    """Each trace belongs to one finding."""
    traces = [row["trace"] for _, row in ROWS]
    assert sorted(traces) == sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.jsonl"))


def test_the_page_is_made_from_the_files() -> None:
    """The page is the output of `python -m interop.findings`."""
    assert PAGE.read_text(encoding="utf-8") == page()

# SPDX-License-Identifier: MIT
"""Every statement that binds a server has a case, or one of a short list of reasons why none can decide it."""

from __future__ import annotations

import pytest

from mqtt_conformance import coverage as module
from mqtt_conformance.case import load_cases
from mqtt_conformance.coverage import KINDS, coverage, read_reasons
from mqtt_ref.wire.statements import STATEMENTS

VERSIONS = (5, 4, 3)
ONE = 'statement = "MQTT5-3.1.0-1"\nkind = "silence"'


@pytest.mark.parametrize("minted", [False, True])
@pytest.mark.parametrize("version", VERSIONS)
def test_no_statement_is_open(version: int, minted: bool) -> None:
    found = coverage(version, minted=minted)
    assert not found.open, f"no case and no reason (reasons.toml): {', '.join(found.open)}"


@pytest.mark.parametrize("version", [5, 4])
def test_most_numbered_statements_are_decided(version: int) -> None:
    assert coverage(version).share >= 0.85


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_counted_is_what_binds_a_server(version: int) -> None:
    counted: set[str] = set()
    for minted in (False, True):
        found = coverage(version, minted=minted)
        assert not set(found.decided) & set(found.reasoned)
        counted |= {*found.decided, *found.reasoned, *found.open}
    assert counted == {s.id for s in STATEMENTS.values() if s.version == version and s.binds in ("server", "both")}


def test_cases_and_statements_name_each_other() -> None:
    cases = load_cases()
    for version in VERSIONS:
        for minted in (False, True):
            for statement, ids in coverage(version, minted=minted).decided.items():
                assert ids
                assert all(statement in cases[i].statements for i in ids)
    for case in cases.values():
        assert all(STATEMENTS[s].version == case.version for s in case.statements)


def test_no_reason_excuses_what_a_case_decides() -> None:
    cited = {s for case in load_cases().values() for s in case.statements}
    assert not sorted(cited & set(read_reasons())), "these have cases by now: take them out of reasons.toml"


def test_reasons_are_for_statements_that_bind_a_server() -> None:
    assert all(STATEMENTS[s].binds in ("server", "both") for s in read_reasons())


def test_only_what_allows_something_is_a_permission() -> None:
    for reason in read_reasons().values():
        assert reason.kind in KINDS
        if reason.kind == "permission":
            assert STATEMENTS[reason.statement].level == "may" or reason.note, reason.statement
        if reason.kind in ("configuration", "silence", "other side", "storage"):
            assert reason.note, reason.statement


def test_what_is_decided_elsewhere_is_decided_there() -> None:
    cited = {s for case in load_cases().values() for s in case.statements}
    for reason in read_reasons().values():
        if reason.kind == "elsewhere":
            assert reason.covered_by in cited, reason.statement


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ('statement = "MQTT5-9.9.9-9"\nkind = "silence"', "no statement"),
        ('statement = "MQTT5-3.1.0-1"\nkind = "laziness"', "is not one of"),
        ('statement = "MQTT5-3.1.0-1"\nkind = "elsewhere"', "covered_by"),
        (f"{ONE}\n[[reason]]\n{ONE}", "twice"),
    ],
)  # fmt: skip
def test_a_wrong_reason_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path, row: str, problem: str) -> None:
    (tmp_path / "reasons.toml").write_text(f"[[reason]]\n{row}\n")
    monkeypatch.setattr(module, "files", lambda package: tmp_path)
    with pytest.raises(ValueError, match=problem):
        read_reasons()


def test_a_statement_without_case_or_reason_is_open() -> None:
    found = coverage(5, cases={})
    assert "MQTT5-3.1.0-2" in found.open
    assert found.share == 0

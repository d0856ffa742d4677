# SPDX-License-Identifier: MIT
"""The registry of cases: what it refuses, and that names which users rely on stay as they are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mqtt_conformance import case as module
from mqtt_conformance.case import NEEDS, Case, add_case, case, load_cases
from mqtt_conformance.cli import select
from mqtt_conformance.peer import Peer

LOCK = Path(__file__).with_name("case_ids.txt")


async def nothing(peer: Peer) -> None:
    """Does nothing."""


@pytest.fixture
def empty(monkeypatch: pytest.MonkeyPatch) -> dict[str, Case]:
    registry: dict[str, Case] = {}
    monkeypatch.setattr(module, "REGISTRY", registry)
    return registry


def test_ids_stay() -> None:
    """Users keep them in baselines; vectors may come and go with the tables that they are derived from."""
    ids = [i for i in sorted(load_cases()) if "/vector-" not in i]
    if os.environ.get("MQTT_REF_UPDATE"):
        LOCK.write_text("\n".join(ids) + "\n")
    locked = LOCK.read_text().split()
    assert ids == locked, "case ids changed; if that is meant: MQTT_REF_UPDATE=1 pytest tests/conformance/test_cases.py"


def test_there_are_enough() -> None:
    cases = load_cases().values()
    assert sum(c.version == 5 for c in cases) >= 600
    assert len(cases) >= 1000


@pytest.mark.parametrize("version", [5, 4, 3])
def test_every_case_says_what_it_is_for(version: int) -> None:
    for one in load_cases().values():
        if one.version == version:
            assert one.intent.endswith("."), one.id
            assert one.needs <= NEEDS
            assert one.id.startswith(f"{one.statements[0]}/")
            assert bool(one.settings) == ("setting" in one.needs), one.id


def test_one_function_is_a_case_of_each_version(empty: dict[str, Case]) -> None:
    case("MQTT311-3.12.4-1", "MQTT5-3.12.4-1", "MQTT5-2.2.1-2", slug="ping", needs=["tcp"])(nothing)
    assert list(empty) == ["MQTT5-3.12.4-1/ping", "MQTT311-3.12.4-1/ping"]
    assert empty["MQTT5-3.12.4-1/ping"].statements == ("MQTT5-3.12.4-1", "MQTT5-2.2.1-2")
    assert empty["MQTT311-3.12.4-1/ping"].version == 4
    assert empty["MQTT5-3.12.4-1/ping"].intent == "Does nothing."


def test_level_is_that_of_its_strictest_rule(empty: dict[str, Case]) -> None:
    add_case(nothing, "A.", "X5-second-connect-code", slug="a")
    add_case(nothing, "B.", "X5-second-connect-code", "MQTT5-3.1.0-2", slug="b")
    add_case(nothing, "C.", "X5-shared-choice", slug="c")
    assert [c.level for c in empty.values()] == ["should", "must", "may"]


def test_an_unknown_statement_is_refused(empty: dict[str, Case]) -> None:
    with pytest.raises(ValueError, match="no statement 'MQTT5-9-9'"):
        case("MQTT5-9-9", slug="x")(nothing)


def test_an_unknown_need_is_refused(empty: dict[str, Case]) -> None:
    with pytest.raises(ValueError, match="'luck' is not a need"):
        case("MQTT5-3.12.4-1", slug="x", needs=["luck"])(nothing)


def test_a_slug_is_used_once(empty: dict[str, Case]) -> None:
    case("MQTT5-3.12.4-1", slug="x")(nothing)
    with pytest.raises(ValueError, match="registered twice"):
        case("MQTT5-3.12.4-1", slug="x")(nothing)


def test_a_docstring_is_needed(empty: dict[str, Case]) -> None:
    async def silent(peer: Peer) -> None: ...

    with pytest.raises(ValueError, match="docstring"):
        case("MQTT5-3.12.4-1", slug="x")(silent)


def test_cases_are_selected_by_statement_case_and_section() -> None:
    cases = list(load_cases().values())
    by_statement = select(cases, (5, 4), ["MQTT5-3.12.4-1"], [])
    assert by_statement
    assert all("MQTT5-3.12.4-1" in c.statements for c in by_statement)
    assert [c.id for c in select(cases, (5, 4), ["MQTT311-3.12.4-1/pingresp"], [])] == ["MQTT311-3.12.4-1/pingresp"]
    assert all(c.version == 4 for c in select(cases, (4,), [], ["3.12"]))
    with pytest.raises(ValueError, match="nowhere"):
        select(cases, (5,), ["nowhere"], [])

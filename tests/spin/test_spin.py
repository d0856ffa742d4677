# SPDX-License-Identifier: MIT
"""The short form of the model: small bounds, seeded faults, random runs; what the long form has recorded."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from typing import Any

import pytest

from mqtt_ref.engine.tables import TABLES, changed
from tests.spin.__main__ import CYCLES, INVISIBLE, RESULTS, SHORT, shown, walk
from tests.spin.checker import Bounds, explore, simulate
from tests.spin.faults import JOURNAL, Fault, faults
from tests.spin.replay import Disagreement, packets, replay, steps

SMALL = {"MESSAGES": 1, "LOSSES": 1, "CRASHES": 0, "FAILURES": 0, "CLEANS": 0}


@pytest.fixture(autouse=True)
def _needs(require: Any) -> None:
    for program in ("spin", "gcc"):
        require.program(program)


@pytest.fixture
def seeded() -> Callable[[str], Fault]:
    """A seeded fault by its name."""
    return {fault.name: fault for fault in faults()}.__getitem__


@pytest.mark.timeout(300)
def test_every_claim_holds_in_every_state() -> None:
    """One session, two identifiers, two messages, one batch under way."""
    explored = explore(SHORT)
    assert explored.complete, shown(SHORT, explored)
    assert explored.states > 100_000


@pytest.mark.timeout(300)
def test_no_run_goes_on_for_ever() -> None:
    bounds = Bounds(CYCLES.name, {**CYCLES.values, "MESSAGES": 1})
    explored = explore(bounds, cycles=True)
    assert explored.complete, shown(bounds, explored)


@pytest.mark.parametrize(
    ("name", "finding"),
    [
        ("qos_receive: held x publish_qos2: does deliver_pubrec", "a QoS 2 message twice"),
        ("qos_send: await_puback x resumed: goes to await_pubrec", ""),
        ("session: active x closed_keeping: goes to absent", "the session is lost"),
    ],
)
def test_a_wrong_row_has_a_counter_example_that_the_engine_follows(
    seeded: Callable[[str], Fault], name: str, finding: str
) -> None:
    fault = seeded(name)
    bounds = Bounds(name, SMALL)
    explored = explore(bounds, fault.machines, breadth=True)
    assert explored.finding, shown(bounds, explored)
    assert finding in explored.finding
    qos, trail = steps(explored.printed)
    assert replay(bounds.bounded(), fault.tables, qos, trail) > 0
    assert "PUBLISH" in "\n".join(packets(qos, trail)) or finding == "the session is lost"


def test_a_sound_engine_does_not_follow_a_journal_that_holds_nothing_back(seeded: Callable[[str], Fault]) -> None:
    """The model sends what is not stored; so the replay must notice."""
    fault = seeded(JOURNAL["NOT_HELD"])
    bounds = Bounds(fault.name, {**SMALL, "CRASHES": 1})
    explored = explore(bounds, rule=fault.rule, breadth=True)
    assert explored.finding
    with pytest.raises(Disagreement, match="the broker sends"):
        replay(bounds.bounded(), TABLES, *steps(explored.printed))


def test_random_runs_agree_with_the_engine_step_by_step() -> None:
    runs = list(walk(12, 1))
    assert [(name, seed, what) for name, seed, _, what in runs if what] == []
    assert sum(compared for _, _, compared, _ in runs) > 200


def test_a_replay_notices_an_engine_with_another_row() -> None:
    """What agrees with everything would prove nothing."""
    wrong = changed(TABLES, "qos_receive", "free", "publish_qos1", action="refuse_puback")
    bounds = Bounds("quiet", {**SMALL, "LOSSES": 0})
    for seed in range(1, 20):
        qos, trail = steps(simulate(bounds, seed))
        if qos == [1]:
            assert replay(bounds.bounded(), TABLES, qos, trail) > 0
            with pytest.raises(Disagreement, match="the broker"):
                replay(bounds.bounded(), wrong, qos, trail)
            return
    pytest.fail("no run has a message with QoS 1")


def test_the_recorded_result_is_that_of_these_tables() -> None:
    """Whoever changes a table or the model runs `python -m tests.spin --long --record` again."""
    result = json.loads(RESULTS.read_text())
    reasons = tomllib.loads(INVISIBLE.read_text())
    assert sorted(result["faults"]) == sorted(fault.name for fault in faults())
    none = [name for name, found in result["faults"].items() if not found["finding"]]
    assert sorted(none) == sorted(reasons["fault"])
    apart = [name for name, found in result["faults"].items() if found.get("engine", "agrees") != "agrees"]
    assert sorted(apart) == sorted(reasons["apart"])
    assert [name for name, found in result["explored"].items() if found["finding"]] == []
    assert result["random runs"]["runs"] >= 1000
    assert result["random runs"]["differ"] == []

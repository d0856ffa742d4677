# SPDX-License-Identifier: MIT
"""Runs the Eclipse Paho interoperability suite if a checkout exists, and checks its last recorded result.

The suite is Eclipse's and is not part of this project. If MQTT_REF_PAHO_SUITE is set (a checkout), it must run and
pass. Otherwise it is cloned if its home can be reached. If it cannot, as on a CI machine that reaches only package
registries, the run is skipped, even with MQTT_REF_REQUIRE=all. The committed result then takes its place.
"""

import os

import pytest

from interop.broker import VARIABLE
from interop.paho_suite import (
    JOBS,
    SUITE_VARIABLE,
    SuiteUnavailable,
    discover,
    find_suite,
    is_pinned,
    notes,
    recorded,
    run_tests,
    suited_broker,
    table,
)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("module", sorted(notes()["suite"]["files"]))
def test_paho_suite(module: str) -> None:
    """Every test of the file passes. The table is in the failure text, and in the output with -s or -rP."""
    if os.environ.get(VARIABLE):
        pytest.skip(f"{VARIABLE} is set: `python -m interop.paho_suite URL` runs the suite against another broker")
    try:
        folder = find_suite()
    except SuiteUnavailable as reason:
        if os.environ.get(SUITE_VARIABLE):
            pytest.fail(str(reason), pytrace=False)
        pytest.skip(str(reason))
    tests = [test for test in discover(folder) if test.module == module]
    if is_pinned(folder):
        assert len(tests) == notes()["suite"]["files"][module]["tests"]
    verdicts = run_tests(folder, tests, suited_broker, JOBS)
    print(table(verdicts))
    if any(verdict.outcome != "pass" for verdict in verdicts):
        pytest.fail(table(verdicts), pytrace=False)


def test_recorded_result() -> None:
    """The committed result is for mqtt_ref's broker and the pinned suite: all 37 tests pass, three times in a row."""
    result = recorded()
    suite = notes()["suite"]
    assert (result["suite"]["commit"], result["suite"]["pinned"], result["broker"]) == (
        suite["commit"],
        True,
        "mqtt_ref",
    )
    assert len(result["rounds"]) >= 3
    for verdicts in result["rounds"]:
        for module, row in suite["files"].items():
            outcomes = [outcome for test, (outcome, _) in verdicts.items() if test.startswith(f"{module}.")]
            assert outcomes == ["pass"] * row["tests"], verdicts


def test_notes_are_about_tests_of_the_suite() -> None:
    """Every note names a test that the recorded rounds ran, once, and says if a broker may behave as the test wants."""
    ran = set(recorded()["rounds"][0])
    named = [row["test"] for row in notes()["note"]]
    assert len(named) == len(set(named))
    assert set(named) <= ran
    for row in notes()["note"]:
        assert set(row) == {"test", "asks", "rule", "allowed", "by"}
        assert row["by"] in ("configuration", "default")

# SPDX-License-Identifier: MIT
"""Tests `python -m interop.misbehaviour`: a run against one client, and the page made from the recorded run."""

import json
import re
from collections.abc import Callable

from interop.misbehaviour.__main__ import PAGE, RESULTS
from interop.misbehaviour.cases import CASES
from interop.misbehaviour.page import page
from interop.misbehaviour.player import SUBJECTS, did, play
from mqtt_ref.wire.statements import STATEMENTS

BY_NAME = {case.name: case for case in CASES}


def test_a_client_that_loses_a_puback_with_its_link(need: Callable[[str | None], None]) -> None:
    """The client connects again, resends with DUP, and is not accused."""
    paho = SUBJECTS[0]
    need(paho.missing())
    outcome = play(BY_NAME["puback-lost-with-link"], paho)
    assert outcome["connections"] == 2
    assert "PUBLISH with DUP" in outcome["resent"]
    assert outcome["completed"] == 3
    assert outcome["broke"] == []
    assert did(outcome).startswith("connected 2 times; sent PUBLISH with DUP again")


def test_what_is_cited_exists() -> None:
    """Every cited statement exists and binds clients."""
    cited = [name for case in CASES for name in re.findall(r"MQTT5-[\d.]+-\d+|X5-[a-z-]+", case.right)]
    assert cited
    assert [name for name in cited if name not in STATEMENTS] == []
    assert [name for name in cited if STATEMENTS[name].binds == "server"] == []


def test_the_page_is_made_from_the_results() -> None:
    """The page is made from the recorded run, and every case ran against every client."""
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    assert PAGE.read_text(encoding="utf-8") == page(results)
    played = {(one["case"], one["client"]) for one in results["outcomes"]}
    assert played == {(case.name, subject.name) for case in CASES for subject in SUBJECTS}

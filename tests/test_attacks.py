# SPDX-License-Identifier: MIT
"""The page on security states what was measured, and every attack is measured both ways."""

from __future__ import annotations

import json
from pathlib import Path

from bench.attacks import ATTACKS, table
from bench.bystander import LIVE


def test_the_page_has_the_recorded_figures(root: Path) -> None:
    assert table() in (root / "docs" / "security.md").read_text(), "put the output of `bench.attacks --table` there"


def test_it_has_the_recorded_pauses_too(root: Path) -> None:
    found = json.loads((root / "bench" / "results" / "pauses.json").read_text())["plain"]["results"]
    page = (root / "docs" / "security.md").read_text()
    assert f"longest pause took {found['serve']['longest_ms']:.0f} ms of CPU time" in page
    assert f" {found['default']['longest_ms']:.0f} ms with the\ngarbage collector" in page


def test_each_attack_runs_over_sockets_too() -> None:
    assert list(LIVE) == [attack.__name__ for attack in ATTACKS]

# SPDX-License-Identifier: MIT
"""What the suite finds wrong with other brokers: every row is about cases and rules that exist, and can be shown."""

from __future__ import annotations

import datetime
import fnmatch
import subprocess
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conftest import Require
from mqtt_conformance.breaches import is_finding
from mqtt_conformance.case import load_cases
from mqtt_ref.wire.statements import STATEMENTS

ROOT = Path(__file__).parents[2]
FINDINGS = ROOT / "conformance" / "findings"
PROFILES = ROOT / "conformance" / "profiles"
FILES = sorted(FINDINGS.glob("*.toml"))
KEYS = {"title", "cases", "statements", "expected", "seen", "packets", "explanation"}
OPTIONAL = {"profile", "reproducer"}
CHANGES = {"newly found", "no longer accused", "booked elsewhere"}


def read(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text())


def test_there_are_findings_on_three_brokers() -> None:
    assert len(FILES) >= 3


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_findings_are_complete(path: Path) -> None:
    data = read(path)
    assert {"broker", "version", "date", "source", "started", "steady", "counts", "versions", "finding"} <= set(data)
    assert data["broker"] == path.stem
    assert isinstance(data["date"], datetime.date)
    for row in data["finding"]:
        assert set(row) - OPTIONAL == KEYS, row.get("title")
        assert (PROFILES / row.get("profile", "mosquitto.toml")).exists()
        assert [c for c in row["cases"] if not _exists(c)] == []
        assert [s for s in row["statements"] if s not in STATEMENTS] == []
        assert all(row[key] for key in KEYS), row["title"]
        if "reproducer" in row:
            script = FINDINGS / path.stem / row["reproducer"]
            compile(script.read_text(), str(script), "exec")
    counted = Counter(c for row in data["finding"] for c in row["cases"])
    assert [c for c, n in counted.items() if n > 1] == []
    assert data["counts"]["fail"] == sum(len(row["cases"]) for row in data["finding"] if "profile" not in row)
    assert data["counts"]["fail"] == sum(version["fail"] for version in data["versions"].values())
    scripts = {row["reproducer"] for row in data["finding"] if "reproducer" in row}
    assert scripts, "some of them can be shown"
    assert {p.name for p in (FINDINGS / path.stem).glob("*.py")} == scripts


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_changes_since_the_last_record_are_of_cases_that_exist(path: Path) -> None:
    data = read(path)
    failed = {c for row in data["finding"] for c in row["cases"]}
    for row in data.get("changed", []):
        assert set(row) == {"what", "cases", "why"}
        assert row["what"] in CHANGES
        assert row["why"]
        for pattern in row["cases"]:
            assert _exists(pattern) or fnmatch.filter(load_cases(), pattern), pattern
            assert bool(fnmatch.filter(failed, pattern)) is (row["what"] != "no longer accused"), pattern


def _exists(case: str) -> bool:
    """Whether a row can be about it: a case, or a rule that other cases saw broken."""
    return case in load_cases() or is_finding(case)


def test_mosquitto_fails_what_is_listed_and_nothing_else(
    require: Require, free_port: Callable[[], int], tmp_path: Path
) -> None:
    data = read(FINDINGS / "mosquitto.toml")
    program = require.program("mosquitto")
    said = subprocess.run([program, "-h"], capture_output=True, text=True, timeout=10, check=False).stdout
    require.that(f"version {data['version']}" in said, f"mosquitto is not version {data['version']}")
    port = free_port()
    (tmp_path / "mosquitto.conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    known = tmp_path / "known.toml"
    known.write_text(
        "".join(
            f'[[failure]]\ncase = "{case}"\nreason = "{row["title"]}"\n'
            for row in data["finding"]
            if "profile" not in row
            for case in row["cases"]
        )
    )
    broker = subprocess.Popen([program, "-c", tmp_path / "mosquitto.conf"], stderr=subprocess.DEVNULL)
    try:
        time.sleep(0.5)
        changes, said = _changes(port, known)
        if changes:  # a machine that stalls can cost a case its time: what is new has to be seen twice, undisturbed
            cases = [line.rpartition(": ")[2] for line in changes]
            changes, said = _changes(port, known, "--jobs", "1", "--timeout-factor", "2", "--select", *cases)
        assert changes == [], said
        script = FINDINGS / "mosquitto" / "shared-no-local.py"
        shown = subprocess.run(
            [sys.executable, "-I", script, "127.0.0.1", str(port)],
            capture_output=True, text=True, timeout=30, check=True,
        ).stdout  # fmt: skip
        assert "<- SUBACK 90 04 00 01 00 00" in shown
    finally:
        broker.terminate()
        broker.wait(10)


def _changes(port: int, known: Path, *more: str) -> tuple[list[str], str]:
    """What of a run against the known failures is new or repaired, and all that it said."""
    ran = subprocess.run(
        [sys.executable, "-m", "mqtt_ref", "conformance", f"mqtt://127.0.0.1:{port}", "--expect", known, *more],
        capture_output=True, text=True, timeout=300, check=False, cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'conformance'}", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    said = ran.stdout[-2000:] + ran.stderr[-2000:]
    changes = [line for line in ran.stdout.splitlines() if line.startswith(("new failure", "repaired"))]
    assert (ran.returncode == 0) is (not changes), said
    return changes, said

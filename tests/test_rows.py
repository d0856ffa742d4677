# SPDX-License-Identifier: MIT
"""The command that changes one row after the other, and what it found when it was last run."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from mqtt_ref.engine import connection
from tests.rows.changes import changes

ROOT = Path(__file__).parents[1]
plain = pytest.mark.skipif(
    not str(connection.__file__).endswith(".py"), reason="compiled code reads the tables directly"
)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, on its own."""
    command = [sys.executable, "-m", "tests.rows", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


@plain
def test_the_stories_of_sessions_notice_every_wrong_row_of_the_session() -> None:
    """All but one, of which `invisible.toml` says why it makes no difference."""
    done = run("--only", "session:", "tests/broker/test_session_stories.py")
    *missed, score = done.stdout.splitlines()
    assert len(missed) == 1
    assert missed[0].startswith("session: absent x connect_clean: does replace: There is no old session")
    assert score.startswith("15 of 16 changes found, 1 more with a reason")
    assert done.returncode == 0, done.stderr


@plain
def test_what_no_test_notices_is_named() -> None:
    """A test that has nothing to do with a machine finds nothing, and the command fails."""
    done = run("--only", "auth: settled", "tests/engine/test_topics.py")
    *missed, score = done.stdout.splitlines()
    assert missed
    assert all(line.startswith("auth: settled") and line.endswith("no test looks it up") for line in missed)
    assert score.startswith(f"0 of {len(missed)} changes found")
    assert done.returncode == 1


def test_the_recorded_result_is_that_of_these_tables() -> None:
    """Whoever changes a table runs `python -m tests.rows --record` again."""
    names = [change.name for change in changes()]
    reasons = tomllib.loads((ROOT / "tests" / "rows" / "invisible.toml").read_text())["change"]
    result = json.loads((ROOT / "tests" / "rows" / "results.json").read_text())
    assert result["changes"] == len(names)
    assert result["missed"] == []
    assert result["found"] + result["invisible"] == len(names)
    assert result["invisible"] == len(reasons)
    assert set(reasons) <= set(names)

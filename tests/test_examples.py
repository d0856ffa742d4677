# SPDX-License-Identifier: MIT
"""Every example runs as it stands and prints what it says."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).resolve().parent.parent / "examples").glob("*.py"))


def promised(path: Path) -> str:
    """What its docstring says that it prints."""
    said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    _, found, lines = said.partition("Prints:\n")
    assert found, f"{path.name} does not say what it prints"
    return textwrap.dedent(lines).strip()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_it_prints_what_it_says(path: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", str(path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert re.sub(r":\d{4,5}\b", ":PORT", done.stdout).strip() == promised(path)
    assert "Traceback" not in done.stderr


def test_there_are_examples() -> None:
    assert {path.stem for path in EXAMPLES} >= {"embed_async", "embed_threaded", "custom_hook", "auth_hook", "tls"}

# SPDX-License-Identifier: MIT
"""Prints the lowest versions that pyproject.toml allows, as pip constraints. Its output is .ci/lowest.txt."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"
REQUIREMENT = re.compile(r"([A-Za-z0-9_.-]+)\s*>=\s*([0-9.]+)\s*(;.*)?")


def lowest() -> Iterator[str]:
    """Yield a constraint for each dependency of the package and of its tests."""
    project = tomllib.loads(PROJECT.read_text())["project"]
    for requirement in sorted({*project["dependencies"], *project["optional-dependencies"]["test"]}, key=str.lower):
        found = REQUIREMENT.fullmatch(requirement)
        if found is None:
            raise SystemExit(f"pyproject.toml: {requirement!r} has no lowest version; write name >= version")
        yield f"{found[1]}=={found[2]}{found[3] or ''}"


if __name__ == "__main__":
    print("# Written by .ci/lowest.py: the lowest versions that pyproject.toml allows.")
    for line in lowest():
        print(line)

# SPDX-License-Identifier: MIT
"""A property that is added to the tables, and to nothing else, goes every way through the broker."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.codegen.made_up import rows
from tests.codegen.ways import WAYS


@pytest.fixture(scope="module")
def outcomes(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What came of each way, with a copy of the package that was written from tables with more properties."""
    place = tmp_path_factory.mktemp("more")
    shutil.copytree(root / "spec", place / "spec")
    shutil.copytree(root / "mqtt_ref", place / "mqtt_ref", ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    with (place / "spec" / "properties.toml").open("a") as table:
        table.write(rows())
    run([sys.executable, "-m", "codegen", "--root", str(place)], root)
    here = run([sys.executable, "-c", "import mqtt_ref; print(mqtt_ref.__file__)"], place, root).strip()
    assert Path(here).is_relative_to(place), "the copy is not what is imported"
    found: dict[str, str] = json.loads(run([sys.executable, "-m", "tests.codegen.ways"], place, root))
    return found


def run(command: list[str], *folders: Path) -> str:
    """What a command prints; packages are looked for in these folders first, in that order."""
    path = {"PYTHONPATH": os.pathsep.join(map(str, folders))}
    done = subprocess.run(
        command, cwd=folders[0], env=os.environ | path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", WAYS)
def test_it_arrives(outcomes: dict[str, str], name: str) -> None:
    assert outcomes[name] == "", f"\n{outcomes[name]}"

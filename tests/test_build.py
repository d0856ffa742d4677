# SPDX-License-Identifier: MIT
"""The compiled build is all or nothing; a stand-in for mypyc decides what goes wrong."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

BREAKS_WHEN_TRANSLATING = """
def mypycify(paths, **options):
    print("primitives.py:1: error: this does not type-check")
    raise SystemExit(1)
"""
BREAKS_WHEN_COMPILING = """
from setuptools import Extension

def mypycify(paths, **options):
    return [Extension("mqtt_ref.wire.primitives", ["nosuchfile.c"])]
"""
MUST_NOT_BE_CALLED = """
raise AssertionError("an editable install is never compiled")
"""


@pytest.fixture
def source(tmp_path: Path, root: Path) -> Path:
    """The least that can be built."""
    there = tmp_path / "source"
    (there / "conformance").mkdir(parents=True)
    for name in ("pyproject.toml", "setup.py", "LICENSE", "README.md"):
        shutil.copy(root / name, there)
    skip = shutil.ignore_patterns("*.so", "__pycache__")
    shutil.copytree(root / "mqtt_ref" / "wire", there / "mqtt_ref" / "wire", ignore=skip)
    shutil.copy(root / "mqtt_ref" / "__init__.py", there / "mqtt_ref")
    shutil.copytree(root / "conformance" / "mqtt_conformance", there / "conformance" / "mqtt_conformance", ignore=skip)
    return there


def build(source: Path, wish: str, mypyc: str, hook: str = "build_wheel") -> subprocess.CompletedProcess[str]:
    """Do what pip does, without the network."""
    stand_in = source.parent / "stand_in" / "mypyc"
    stand_in.mkdir(parents=True)
    (stand_in / "__init__.py").touch()
    (stand_in / "build.py").write_text(mypyc)
    code = f"""
import sys
sys.path.insert(0, {str(stand_in.parent)!r})
from setuptools import build_meta
build_meta.{hook}("out")
"""
    env = {**os.environ, "MQTT_REF_COMPILE": wish}
    (source / "out").mkdir()
    return subprocess.run(
        [sys.executable, "-c", code], cwd=source, env=env, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("mypyc", [BREAKS_WHEN_TRANSLATING, BREAKS_WHEN_COMPILING], ids=["translating", "compiling"])
def test_a_failure_gives_the_pure_wheel_and_a_warning(source: Path, mypyc: str) -> None:
    done = build(source, "1", mypyc)
    assert done.returncode == 0, done.stderr
    assert "not compiled, plain Python instead" in done.stderr
    (wheel,) = (source / "out").glob("*.whl")
    assert wheel.name.endswith("-py3-none-any.whl")
    with ZipFile(wheel) as content:
        assert not [name for name in content.namelist() if name.endswith((".so", ".pyd"))]


@pytest.mark.parametrize("mypyc", [BREAKS_WHEN_TRANSLATING, BREAKS_WHEN_COMPILING], ids=["translating", "compiling"])
def test_a_failure_is_an_error_where_compiling_is_required(source: Path, mypyc: str) -> None:
    done = build(source, "require", mypyc)
    assert done.returncode != 0
    assert not list((source / "out").glob("*.whl"))


def test_an_editable_install_is_never_compiled(source: Path) -> None:
    done = build(source, "require", MUST_NOT_BE_CALLED, hook="build_editable")
    assert done.returncode == 0, done.stderr
    assert not list(source.rglob("*.so"))


def test_an_isolated_build_is_told_that_it_needs_mypy(source: Path) -> None:
    code = "from setuptools import build_meta; print(build_meta.get_requires_for_build_wheel())"
    env = {**os.environ, "MQTT_REF_COMPILE": "1"}
    done = subprocess.run([sys.executable, "-c", code], cwd=source, env=env, capture_output=True, text=True, check=True)
    assert "mypy" in done.stdout.splitlines()[-1]


def test_a_wish_nobody_knows_is_refused(source: Path) -> None:
    done = build(source, "yes", MUST_NOT_BE_CALLED)
    assert done.returncode != 0
    assert "MQTT_REF_COMPILE=yes: only 1, require, 0 or nothing" in done.stderr

# SPDX-License-Identifier: MIT
"""The page of features: complete by what the code declares, and every test that it names is one that is run."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from mqtt_ref.broker.sys_topics import PREFIX, SYS_TOPICS
from mqtt_ref.config import model
from mqtt_ref.config.check import alternatives, fields_of
from mqtt_ref.hooks.declare import EVENTS

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "docs" / "features.md").read_text(encoding="utf-8")
TEST = re.compile(r"`((?:tests|interop)/[\w/]+\.py::[\w:]+)`")
UNTESTED = ("later", "a measurement: ")
"""How a row begins whose last cell need not name a test."""


def rows(title: str) -> list[list[str]]:
    """The cells of the table under this heading."""
    section = TEXT.split(f"\n## {title}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[1:]]


def titles() -> list[str]:
    return re.findall(r"^## (.+)$", TEXT, re.MULTILINE)


def names(title: str) -> list[str]:
    """The first cells, where each is one name."""
    return [row[0].strip("`") for row in rows(title) if row[0].startswith("`")]


def listed(prefix: str, names: Iterable[str]) -> set[str]:
    return {prefix + name for name in names}


@pytest.mark.parametrize("title", titles())
def test_no_row_is_empty(title: str) -> None:
    for row in rows(title):
        assert all(row), row
        assert TEST.search(row[-1]) or row[-1].startswith(UNTESTED), row


def test_hook_events() -> None:
    """One row is about all of them; what else is tested of some has its own, in the order of `docs/hooks.md`."""
    assert rows("Hook events")[0][0] == "every event of [hooks.md](hooks.md)"
    listed_here = names("Hook events")
    assert listed_here == [name for name in EVENTS if name in listed_here]


def test_capabilities() -> None:
    assert names("Capabilities") == [name for name in fields_of(model.Capabilities) if name != "compatibilities"]
    assert names("Compatibilities") == list(fields_of(model.Compatibilities))


def test_options() -> None:
    options = listed("options.", (name for name in fields_of(model.Options) if name != "capabilities"))
    assert set(names("Other options")) == options | listed("logging.", fields_of(model.Logging))


def test_listener_types() -> None:
    assert names("Listener types") == list(alternatives(model.Listener))


def test_sys_topics() -> None:
    assert listed(PREFIX, names("SYS topics")) == set(SYS_TOPICS)


def test_ledger() -> None:
    rules = listed("auth.", fields_of(model.AuthRule)) | listed("acl.", fields_of(model.AclRule))
    assert rules | listed("users.", fields_of(model.User)) <= set(names("Ledger and access"))


def test_debug_options() -> None:
    (row,) = [row for row in rows("Hooks") if row[0].startswith("debug")]
    assert re.findall(r"`(\w+)`", row[0]) == list(fields_of(model.Debug))


def collected() -> set[str]:
    """Every test there is, with its parameters."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:xdist", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=550, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    return {line.strip() for line in done.stdout.splitlines() if "::" in line}


@pytest.mark.timeout(600)  # it imports all tests, which takes minutes on a slow machine
def test_every_test_that_is_named_is_collected() -> None:
    """And there are more than 1,000 scenarios in all."""
    tests = collected()
    named = TEST.findall(TEXT)
    assert set(named) - {name.split("[")[0] for name in tests} == set()
    assert len(named) == TEXT.count(".py::")
    assert len(tests) > 1000

# SPDX-License-Identifier: MIT
"""The kills in short; that a store that lies is found out; and the numbers of the long form, as the docs have them."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kills import faults
from tests.kills.child import LIES
from tests.kills.ledger import KINDS
from tests.kills.places import BACK_ENDS
from tests.kills.run import RESULTS, control, plan_for, run

__all__: list[str] = []

SHORT = {
    "sqlite": ("at a random time", "between write and commit", "power fails"),
    "lmdb": ("after the commit", "power fails after compaction"),
    "rocksdb": ("before the write", "fsync fails"),
    "redis": ("both", "between write and commit"),
}
CAUGHT = {
    "everything": {"lost"},
    "messages": {"lost"},
    "deliveries": {"twice"},
    "received": {"twice"},
    "retained": {"retained"},
    "sessions": {"will lost", "will twice"},
    "subscriptions": {"lost"},
    "unsubscriptions": {"subscription"},
}
"""What a store that lies in this way is found out by."""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory, require: Any) -> Path:
    require.program("gcc")
    return faults.build(tmp_path_factory.mktemp("shim"))


@pytest.fixture
def folder() -> Iterator[Path]:
    """In memory where that is to be had: what a disk does is up to the library."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="mqtt_ref-", dir=memory if memory.is_dir() else None) as name:
        yield Path(name)


@pytest.mark.parametrize("back_end", BACK_ENDS)
def test_what_was_acknowledged_survives(back_end: str, folder: Path, library: Path, require: Any) -> None:
    module = {"lmdb": "lmdb", "rocksdb": "rocksdict", "redis": "redis"}.get(back_end)
    if module is not None:
        require.module(module)
    program = require.program("redis-server") if back_end == "redis" else ""
    outcome = run(back_end, 7, dict.fromkeys(SHORT[back_end], 1), folder, library, window=60, program=program)
    assert outcome.findings == []
    assert sum(outcome.kills.values()) >= len(SHORT[back_end])
    assert sum(outcome.under_way) > 100
    assert outcome.totals["acknowledged"] > 200


def test_a_store_that_lies_is_found_out(folder: Path, library: Path) -> None:
    outcome = control("everything", folder, library)
    assert outcome.count("lost") > 100


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(RESULTS.read_text())
    return found


def test_the_long_form_has_broken_no_promise(results: dict[str, Any]) -> None:
    assert set(results) == {*BACK_ENDS, "controls"}
    for back_end in BACK_ENDS:
        one = results[back_end]
        assert one["findings"] == dict.fromkeys(KINDS, 0)
        assert one["all_kills"] >= 50
        assert set(plan_for(back_end)) <= set(one["kills"])
        assert one["under_way"]["sum"] >= 200 * one["all_kills"]


def test_the_long_form_has_found_all_lies(results: dict[str, Any]) -> None:
    assert set(results["controls"]) == set(LIES) == set(CAUGHT)
    for lie, kinds in CAUGHT.items():
        assert kinds & set(results["controls"][lie]), lie


def test_the_page_has_the_numbers(results: dict[str, Any], root: Path) -> None:
    text = (root / "docs" / "persistence.md").read_text()
    for back_end in BACK_ENDS:
        name = {"sqlite": "SQLite", "lmdb": "LMDB", "rocksdb": "RocksDB", "redis": "Redis"}[back_end]
        one = results[back_end]
        numbers = [
            one["all_kills"],
            one["messages"],
            one["under_way"]["sum"],
            one["torn"].get("writes not synced", 0),
            one["findings"]["lost"],
            one["findings"]["twice"],
        ]
        row = re.escape(f"| {name} | " + " | ".join(f"{number:,}" for number in numbers) + " |")
        assert re.search(row, text), f"{name}: {numbers}"

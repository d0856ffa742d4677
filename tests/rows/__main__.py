# SPDX-License-Identifier: MIT
"""Changes each row of the machines and of the reaction table, and looks whether a test of the engine notices.

    python -m tests.rows                     # the score, and each row that can't be told apart
    python -m tests.rows --only qos_send     # changes whose name contains this
    python -m tests.rows --only will: tests/engine/test_will_stories.py    # by these tests alone: seconds
    python -m tests.rows --record            # writes tests/rows/results.json

First every test runs once with tables that note which rows it looks up. Then, for each change, those that looked up its
row run with the changed tables until one fails. Tests that compare the tables with the specification, or with what is
generated from it, do not count: a change is found by bytes, effects, or what is stored. `invisible.toml` says of each
change that no test can notice why that is so; one that is found all the same is reported too. Plain Python only.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import io
import json
import signal
import sys
import time
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest
from _pytest.runner import runtestprotocol

import tests.sansio
from mqtt_ref.engine import connection
from mqtt_ref.engine.tables import TABLES, Tables
from tests.rows.changes import Change, changes
from tests.rows.noting import noting

HERE = Path(__file__).parent
PLACES = ("tests/engine", "tests/broker", "tests/hooks", "tests/auth")
COMPARES = ("test_tables.py", "test_every_state_with_every_input", "test_every_state_with_every_packet")
"""What holds tables against the specification, or against generated files."""
LIMIT = 15.0
"""Seconds after which a test counts as failed."""
LONG = 2.0
"""Seconds above which a test is left out: it would be run hundreds of times."""


class Scorer:
    """A pytest plugin that runs the tests in its own way."""

    def __init__(self, only: str) -> None:
        self.changes = [change for change in changes() if only in change.name]
        self.found: dict[str, str] = {}
        """By change: the test that noticed it."""
        self.unreached: list[str] = []

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [
            item
            for item in items
            if type(item) is pytest.Function  # no class of unittest, which can't run twice
            and not any(word in item.nodeid for word in COMPARES)
            and item.get_closest_marker("alone") is None
        ]

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        reach = self._reach(session.items)
        for number, change in enumerate(self.changes, 1):
            tests_of_row = reach.get(change.row, [])
            if not tests_of_row:
                self.unreached.append(change.name)
            noticed = self._noticed(change, tests_of_row)
            if noticed:
                self.found[change.name] = noticed
            if number % 20 == 0:
                print(f"{number} of {len(self.changes)}, {len(self.found)} found", file=sys.stderr, flush=True)
        return True

    def _reach(self, items: list[pytest.Item]) -> dict[tuple[str, int], list[pytest.Item]]:
        """By row: the tests that look it up, quick ones first."""
        out: dict[tuple[str, int], list[tuple[float, int, pytest.Item]]] = defaultdict(list)
        for number, item in enumerate(items):
            seen: set[tuple[str, int]] = set()
            began = time.perf_counter()
            passes = _passes(item, noting(seen))
            took = time.perf_counter() - began
            if not passes and took < LIMIT:
                raise SystemExit(f"{item.nodeid} fails with the tables of the standard")
            if took < LONG:
                for row in seen:
                    out[row].append((took, number, item))
        return {row: [item for _, _, item in sorted(found)] for row, found in out.items()}

    def _noticed(self, change: Change, items: list[pytest.Item]) -> str:
        tables = change.make()
        for item in items:
            if not _passes(item, tables):
                return item.nodeid
        return ""


def _passes(item: pytest.Item, tables: Tables) -> bool:
    """Run a test with these tables. One that does not end in time fails: a wrong row may keep a broker busy."""
    tests.sansio.standard = tables
    signal.setitimer(signal.ITIMER_REAL, LIMIT)
    try:
        item._initrequest()  # type: ignore[attr-defined]  # what pytest does before each run of a test
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            reports = runtestprotocol(item, nextitem=None, log=False)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        tests.sansio.standard = TABLES
    return not any(report.failed for report in reports)


def _late(number: int, frame: object) -> None:
    raise TimeoutError(f"not over after {LIMIT:.0f} s")


def main() -> int:
    """Print the score; 0 if every change is found or has its reason, 1 if not."""
    parser = argparse.ArgumentParser(prog="python -m tests.rows", description=__doc__.split("\n")[0])
    parser.add_argument("--only", default="", help="changes whose name contains this")
    parser.add_argument("--record", action="store_true", help="write tests/rows/results.json")
    parser.add_argument("places", nargs="*", help=f"tests to run; without any, {' '.join(PLACES)}")
    args = parser.parse_args()
    if args.record and (args.only or args.places):
        parser.error("--record goes with all changes and all tests")
    if not str(connection.__file__).endswith(".py"):
        parser.error(
            "compiled code reads the tables directly, so nothing can note what it looks up: build plain Python"
        )
    signal.signal(signal.SIGALRM, _late)
    began = time.monotonic()
    scorer = Scorer(args.only)
    if not scorer.changes:
        every = [change.name for change in changes()]
        near = difflib.get_close_matches(args.only, every, 5, 0.3) or every[:5]
        parser.error(f"no change has {args.only!r} in its name; names are like " + ", ".join(map(repr, near)))
    with contextlib.redirect_stdout(io.StringIO()) as said:
        code = pytest.main(
            ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-o", "timeout=20", *(args.places or PLACES)], [scorer]
        )
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        print(said.getvalue())
        return 2
    reasons: dict[str, str] = tomllib.loads((HERE / "invisible.toml").read_text())["change"]
    names = [change.name for change in scorer.changes]
    missed = [name for name in names if name not in scorer.found]
    for name in missed:
        note = reasons.get(name) or ("no test looks it up" if name in scorer.unreached else "no test notices")
        print(f"{name}: {note}")
    wrong = [name for name in reasons if name in scorer.found]
    for name in wrong:
        print(f"{name}: found by {scorer.found[name]}, though invisible.toml says that nothing can")
    stale = [] if args.only else [name for name in reasons if name not in names]
    for name in stale:
        print(f"{name}: in invisible.toml, but there is no such change")
    unexplained = [name for name in missed if name not in reasons]
    seconds = round(time.monotonic() - began)
    explained = len(missed) - len(unexplained)
    print(f"{len(scorer.found)} of {len(names)} changes found, {explained} more with a reason, in {seconds} s")
    if args.record:
        result = {"changes": len(names), "found": len(scorer.found), "invisible": explained, "missed": unexplained}
        (HERE / "results.json").write_text(json.dumps(result, indent=2) + "\n")
    return 1 if unexplained or wrong or stale else 0


if __name__ == "__main__":
    sys.exit(main())

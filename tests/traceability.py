# SPDX-License-Identifier: MIT
"""`python -m tests.traceability`: for each statement that binds a server, the code behind it and the tests that ran it.

The code is found by its citations: a docstring or comment cites for the function it stands in, a constant for the
lines that use it, a row of a state machine for itself. The tests are recorded while they run: which of them executed
those lines (coverage.py's contexts), looked those rows up, or, for a case of the conformance suite, judged our broker
by that statement. What has no code or no test has its reason in `tests/untraced.toml`.
"""

from __future__ import annotations

import argparse
import ast
import fnmatch
import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import coverage
import pytest

from mqtt_ref.wire.statements import STATEMENTS, binding

__all__ = ["Place", "Trace", "main", "places", "record"]

ROOT = Path(__file__).resolve().parent.parent
CITED = re.compile(r"\b(?:MQTT5|MQTT311|X5|X311|X31)-[A-Za-z0-9._-]*[A-Za-z0-9]")
TESTS = ("tests/wire", "tests/engine", "tests/broker", "tests/net", "tests/conformance/test_ours.py")
NOT_CODE = ("statements.py", "vectors.py")
"""Generated lists of statements and vectors: they name every statement and implement none."""


@dataclass(frozen=True)
class Place:
    """Code that cites a statement, and the lines whose running exercises it; none for a row of a table."""

    file: str
    line: int
    name: str
    lines: frozenset[int] = frozenset()


@dataclass
class Trace:
    """What is known of one statement."""

    places: list[Place] = field(default_factory=list)
    tests: set[str] = field(default_factory=set)


def places(root: Path = ROOT) -> dict[str, list[Place]]:
    """Every citation in the product's code, by statement."""
    out: dict[str, list[Place]] = defaultdict(list)
    for path in sorted((root / "mqtt_ref").rglob("*.py")):
        if path.name in NOT_CODE:
            continue
        text = path.read_text()
        if CITED.search(text) is None:
            continue
        file = path.relative_to(root).as_posix()
        blocks, constants = _shape(ast.parse(text))
        for number, line in enumerate(text.splitlines(), 1):
            for statement in set(CITED.findall(line)) & STATEMENTS.keys():
                out[statement].append(_place(file, number, blocks, constants))
    return out


def _shape(tree: ast.Module) -> tuple[list[tuple[int, int, str]], dict[int, tuple[str, frozenset[int]]]]:
    """The functions and classes with their lines, and the constants with the lines that use them."""
    blocks = [
        (node.lineno, node.end_lineno or node.lineno, node.name)
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
    ]
    uses: dict[str, set[int]] = defaultdict(set)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            uses[node.id].add(node.lineno)
    names: dict[str, ast.stmt] = {}
    for statement in tree.body:
        target = statement.target if isinstance(statement, ast.AnnAssign) else None
        if isinstance(statement, ast.Assign):
            target = statement.targets[0]
        if isinstance(target, ast.Name):
            names[target.id] = statement
    constants: dict[int, tuple[str, frozenset[int]]] = {}
    for name, statement in names.items():
        lines = _lines_using(name, uses, names)
        for line in range(statement.lineno, (statement.end_lineno or statement.lineno) + 1):
            constants[line] = (name, lines)
    return blocks, constants


def _lines_using(name: str, uses: dict[str, set[int]], names: dict[str, ast.stmt]) -> frozenset[int]:
    """The lines that use a constant, also by way of constants made from it."""
    out: set[int] = set()
    seen: set[str] = set()
    todo = [name]
    while todo:
        one = todo.pop()
        if one in seen:
            continue
        seen.add(one)
        for line in uses[one]:
            holder = next((n for n, s in names.items() if s.lineno <= line <= (s.end_lineno or s.lineno)), None)
            if holder is None:
                out.add(line)
            else:
                todo.append(holder)
    return frozenset(out)


def _place(
    file: str,
    number: int,
    blocks: Iterable[tuple[int, int, str]],
    constants: dict[int, tuple[str, frozenset[int]]],
) -> Place:
    around = [b for b in blocks if b[0] <= number <= b[1]]
    if around:
        first, last, name = max(around)
        return Place(file, number, name, frozenset(range(first + 1, last + 1)))
    name, lines = constants.get(number, ("module", frozenset()))
    return Place(file, number, name, lines)


class _Rows:
    """Stands where a set of statements is expected, and notes which test looked the row up."""

    def __init__(self) -> None:
        self.test = ""
        self.seen: dict[str, set[str]] = defaultdict(set)

    def update(self, statements: Iterable[str]) -> None:
        for statement in statements:
            self.seen[statement].add(self.test)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        self.test = item.nodeid.partition("[")[0]


def record(paths: Sequence[str], data: Path) -> tuple[int, dict[str, set[str]]]:
    """Run tests while noting, per test, the lines they execute and the rows they look up; pytest's exit code first."""
    cover = coverage.Coverage(data_file=str(data), source=[str(ROOT / "mqtt_ref")], branch=False, config_file=False)
    cover.set_option("run:dynamic_context", "test_function")
    cover.set_option("run:core", "ctrace")
    cover.set_option("run:concurrency", ["thread"])
    cover.start()
    try:
        from mqtt_ref.engine import tables

        rows = _Rows()
        noted = tables.recording(rows)  # type: ignore[arg-type]
        for name in tables.MACHINES:
            setattr(tables.TABLES, f"{name}_action", getattr(noted, f"{name}_action"))
        code = pytest.main(["-q", "-p", "no:cacheprovider", "-p", "no:xdist", *paths], plugins=[rows])
    finally:
        cover.stop()
        cover.save()
    return int(code), rows.seen


def trace(data: Path, rows: dict[str, set[str]], paths: Sequence[str]) -> dict[str, Trace]:
    """Put citations and recordings together."""
    found = coverage.CoverageData(basename=str(data))
    found.read()
    contexts = {Path(f).relative_to(ROOT).as_posix(): found.contexts_by_lineno(f) for f in found.measured_files()}
    out: dict[str, Trace] = defaultdict(Trace)
    for statement, cited in places().items():
        entry = out[statement]
        entry.places = cited
        for place in cited:
            by_line = contexts.get(place.file, {})
            for line in place.lines:
                entry.tests.update(c for c in by_line.get(line, ()) if c)
    for statement, tests in rows.items():
        out[statement].tests |= tests - {""}
    if any("conformance" in p for p in paths):
        from mqtt_conformance.case import load_cases

        for case in load_cases().values():
            for statement in case.statements:
                out[statement].tests.add(f"case {case.id}")
    return out


def untraced(root: Path = ROOT) -> dict[str, str]:
    """Why statements have no code or no test of their own, by statement or pattern."""
    rows = tomllib.loads((root / "tests" / "untraced.toml").read_text())["untraced"]
    return {row["statement"]: row["why"] for row in rows}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 if every statement has code and tests, or a reason."""
    parser = argparse.ArgumentParser(prog="python -m tests.traceability", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("paths", nargs="*", default=list(TESTS), help="the tests to run and record")
    parser.add_argument("--data", type=Path, default=ROOT / ".coverage.trace", help="where coverage.py writes")
    parser.add_argument("--brief", action="store_true", help="only what is missing, and the totals")
    args = parser.parse_args(argv)
    paths = [p for p in args.paths if (ROOT / p).exists()]
    code, rows = record(paths, args.data)
    traces = trace(args.data, rows, paths)
    reasons = untraced()
    used: set[str] = set()
    counts = {"traced": 0, "reason": 0, "missing": 0}
    for version in (5, 4, 3):
        for statement in binding("server", version):
            entry = traces.get(statement.id, Trace())
            pattern = next((p for p in reasons if fnmatch.fnmatch(statement.id, p)), None)
            if entry.places and entry.tests:
                counts["traced"] += 1
                if not args.brief:
                    _show(statement.id, entry)
            elif pattern is not None:
                used.add(pattern)
                counts["reason"] += 1
                if not args.brief:
                    print(f"{statement.id}\n    reason: {reasons[pattern]}")
            else:
                counts["missing"] += 1
                lacking = [w for w, have in (("code", entry.places), ("tests", entry.tests)) if not have]
                print(f"{statement.id}: no {' and no '.join(lacking)}: {statement.meaning}")
    stale = sorted(reasons.keys() - used)
    for pattern in stale:
        print(f"tests/untraced.toml: {pattern}: is traced, or is no statement; take it off the list")
    print(", ".join(f"{n} {word}" for word, n in counts.items()))
    return 1 if code or counts["missing"] or stale else 0


def _show(identifier: str, entry: Trace) -> None:
    print(identifier)
    for place in sorted({f"{p.file}:{p.line} {p.name}" for p in entry.places}):
        print(f"    code: {place}")
    for test in sorted(entry.tests):
        print(f"    test: {test}")


if __name__ == "__main__":
    sys.exit(main())

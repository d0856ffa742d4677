# SPDX-License-Identifier: MIT
"""`python -m tests.traceability`: for each statement that binds a server, the code behind it and the tests that ran it.

The code is found by its citations. A docstring cites for its function, class or module; a comment or a string in code
for the statement that it stands in or before; a constant for the lines that use it; the row of a table or the docstring
of an attribute for the lines that read the attribute of that name; a row of a state machine for itself.

The tests are recorded while they run: which of them executed those lines (coverage.py's contexts), looked those rows
up, had a packet found to break that statement, or had the broker react to its breach; a case of the conformance suite
exercises the statements it cites, since it judges our broker by them. What has no code or no test has its reason in
`tests/untraced.toml`.
"""

from __future__ import annotations

import argparse
import ast
import fnmatch
import hashlib
import json
import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mqtt_ref.wire.statements import STATEMENTS, binding

if TYPE_CHECKING:
    from coverage import Coverage

__all__ = ["Place", "Trace", "main", "places", "record", "untraced"]

ROOT = Path(__file__).resolve().parent.parent
CITED = re.compile(r"\b(?:MQTT5|MQTT311|X5|X311|X31)-[A-Za-z0-9._-]*[A-Za-z0-9]")
TESTS = (
    "tests/wire/test_vectors.py",
    "tests/wire/test_framing.py",
    "tests/wire/test_primitives.py",
    "tests/wire/test_rules.py",
    "tests/engine",
    "tests/broker",
    "tests/net/test_server.py",
    "tests/net/test_websocket.py",
    "tests/conformance/test_ours.py",
)
"""What is quick and exercises rules; random packets and real sockets add time and nothing else."""
NOT_CODE = (
    "mqtt_ref/wire/generated/statements.py",
    "mqtt_ref/wire/generated/vectors.py",
    "mqtt_ref/cli/",
    "mqtt_ref/testing/",
)
"""Lists of statements and vectors, tools for people and tests: they name statements and implement none."""
NOTED = ("wire/generated/fast.py", "wire/generated/reference.py", "wire/generated/reactions.py")
"""Constants of these name a statement for each version and sender: what was exercised is noted, not seen by line."""

Spot = tuple[str, int]
"""A file and a line."""


@dataclass(frozen=True)
class Place:
    """Code that cites a statement, and the lines whose running exercises it; none for a row of a machine."""

    file: str
    line: int
    name: str
    spots: frozenset[Spot] = frozenset()


@dataclass
class Trace:
    """What is known of one statement."""

    places: list[Place] = field(default_factory=list)
    tests: set[str] = field(default_factory=set)


class _Source:
    """One file: what stands where."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.text = text
        self.tree = ast.parse(text)
        self.blocks: list[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef] = []
        self.attributes: dict[str, set[Spot]] = defaultdict(set)
        """Where an attribute of each name is read."""
        self.names: dict[str, set[int]] = defaultdict(set)
        """Where each name is read."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                self.blocks.append(node)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                self.attributes[node.attr].add((file, node.lineno))
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                self.names[node.id].add(node.lineno)
        self.constants = {name: node for node in self.tree.body if (name := _target(node))}

    def cited(self) -> Iterator[tuple[int, str]]:
        """Every citation with its line."""
        for number, line in enumerate(self.text.splitlines(), 1):
            for statement in sorted(set(CITED.findall(line)) & STATEMENTS.keys()):
                yield number, statement

    def place(self, number: int, readers: dict[str, set[Spot]]) -> Place:
        """What a citation on that line stands for; `readers` says where attributes are read in all files."""
        around = [b for b in self.blocks if b.lineno <= number <= (b.end_lineno or 0)]
        if not around:
            return self._of_module(number, readers)
        block = max(around, key=lambda b: b.lineno)
        if _in_docstring(block, number):
            return Place(self.file, number, block.name, self._code(block))
        if isinstance(block, ast.ClassDef):
            name = _assigned(block.body, number)
            if name:
                return Place(self.file, number, f"{block.name}.{name}", frozenset(readers.get(name, ())))
            return Place(self.file, number, block.name, self._code(block))
        return Place(self.file, number, block.name, self._lines(*_statement(block, number)))

    def _of_module(self, number: int, readers: dict[str, set[Spot]]) -> Place:
        if _in_docstring(self.tree, number):
            return Place(self.file, number, "module", frozenset().union(*(self._code(b) for b in self.blocks)))
        name = _assigned(self.tree.body, number)
        if not name:
            return Place(self.file, number, "module")
        node = self.constants[name]
        if self.file.endswith(NOTED) and node.lineno <= number <= (node.end_lineno or node.lineno):
            return Place(self.file, number, name)
        key = _key(node, number)
        if key in readers:
            return Place(self.file, number, f"{name}.{key}", frozenset(readers[key]))
        return Place(self.file, number, name, self._users(name))

    def _users(self, name: str) -> frozenset[Spot]:
        """The lines that use a constant, also by way of constants made from it."""
        out: set[int] = set()
        seen: set[str] = set()
        todo = [name]
        while todo:
            one = todo.pop()
            if one in seen:
                continue
            seen.add(one)
            for line in self.names[one]:
                holder = _assigned(self.tree.body, line)
                if holder:
                    todo.append(holder)
                elif any(b.lineno <= line <= (b.end_lineno or 0) for b in self.blocks):
                    out.add(line)
        return self._lines(*out)

    def _code(self, block: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> frozenset[Spot]:
        """The body of a function, or those of all functions of a class."""
        if isinstance(block, ast.ClassDef):
            inner = [n for n in block.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)]
            return frozenset().union(*(self._code(n) for n in inner))
        return self._lines(*range(block.body[0].lineno, (block.end_lineno or block.lineno) + 1))

    def _lines(self, *lines: int) -> frozenset[Spot]:
        return frozenset((self.file, line) for line in lines)


def _target(node: ast.stmt) -> str:
    """The name that a statement gives a value, or nothing."""
    target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
    return target.id if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(target, ast.Name) else ""


def _assigned(body: Sequence[ast.stmt], number: int) -> str:
    """The name that gets its value on that line, or whose docstring stands there."""
    name = ""
    for node in body:
        if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            name = _target(node)
        if node.lineno <= number <= (node.end_lineno or node.lineno):
            return name
    return ""


def _in_docstring(node: ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, number: int) -> bool:
    first = node.body[0]
    return ast.get_docstring(node) is not None and first.lineno <= number <= (first.end_lineno or first.lineno)


def _statement(block: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, number: int) -> range:
    """The lines of the statement in which a line lies, or of the next one; of a compound one, its first branch."""
    nodes = [n for n in ast.walk(block) if isinstance(n, ast.stmt) and n is not block]
    inside = [n for n in nodes if n.lineno <= number <= (n.end_lineno or n.lineno)]
    after = [n for n in nodes if n.lineno > number]
    found = max(inside, key=lambda n: n.lineno, default=None)
    if found is None or (isinstance(getattr(found, "body", None), list) and number not in _head(found)):
        # A comment by itself: it stands before what it is about.
        found = min(after, key=lambda n: (n.lineno, n.col_offset), default=found)
    if found is None:
        return range(number, number + 1)
    body = getattr(found, "body", None)
    if isinstance(body, list):
        return range(body[0].lineno, (body[-1].end_lineno or body[-1].lineno) + 1)
    return range(found.lineno, (found.end_lineno or found.lineno) + 1)


def _head(node: Any) -> range:
    return range(node.lineno, node.body[0].lineno)


def _key(node: ast.stmt, number: int) -> str:
    """The key of the row of a table that stands on that line, or nothing."""
    value = getattr(node, "value", None)
    if isinstance(value, ast.Dict):
        for key, row in zip(value.keys, value.values, strict=True):
            if isinstance(key, ast.Constant) and key.lineno <= number <= (row.end_lineno or row.lineno):
                return str(key.value)
    return ""


def places(root: Path = ROOT) -> dict[str, list[Place]]:
    """Every citation in the product's code, by statement."""
    sources = [
        _Source(file, path.read_text())
        for path in sorted((root / "mqtt_ref").rglob("*.py"))
        if not (file := path.relative_to(root).as_posix()).startswith(NOT_CODE)
    ]
    readers: dict[str, set[Spot]] = defaultdict(set)
    for source in sources:
        for name, spots in source.attributes.items():
            readers[name] |= spots
    out: dict[str, list[Place]] = defaultdict(list)
    for source in sources:
        for number, statement in source.cited():
            out[statement].append(source.place(number, readers))
    return out


class _Seen:
    """What tests made happen that names statements: rows looked up, packets that break them, reactions."""

    def __init__(self, cover: Coverage) -> None:
        self.cover = cover
        self.test = ""
        self.tests: dict[str, set[str]] = defaultdict(set)

    def note(self, statements: Iterable[str]) -> None:
        """The running test met these."""
        for statement in statements:
            self.tests[statement].add(self.test)

    def update(self, statements: Iterable[str]) -> None:
        """A row was looked up; what a test reads of a table itself, to check the table, exercises nothing."""
        if sys._getframe(2).f_code.co_filename.startswith(str(ROOT / "mqtt_ref")):
            self.note(statements)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        self.test = item.nodeid.partition("[")[0]
        self.cover.switch_context(self.test)


def _note(seen: _Seen) -> None:
    """Have the tables and the decoders of this process tell what they are asked and what they find."""
    from mqtt_ref.engine import tables
    from mqtt_ref.wire import reference
    from mqtt_ref.wire.framing import Decoder
    from mqtt_ref.wire.violation import Violation

    copy = tables._copy
    react = tables.Tables.reaction
    feed = Decoder.feed
    decode = reference.decode

    def noting(of: tables.Tables) -> tables.Tables:
        for name in tables.MACHINES:
            values = getattr(of, f"{name}_action")
            cites = tables._MODULES[name][3]
            setattr(of, f"{name}_action", tables._Noting(values, cites, seen))  # type: ignore[arg-type]
        return of

    def reaction(self: tables.Tables, statement: str, *rest: Any) -> Any:
        found = react(self, statement, *rest)
        seen.note((statement, found.cites))
        return found

    def fed(self: Decoder, data: bytes) -> Any:
        out = feed(self, data)
        seen.note(found.statement for found in out if isinstance(found, Violation))
        return out

    def decoded(version: int, sender: int, data: bytes) -> Any:
        found = decode(version, sender, data)
        if isinstance(found, Violation):
            seen.note((found.statement,))
        return found

    noting(tables.TABLES)
    for holder, name, new in (
        (tables, "_copy", lambda of: noting(copy(of))),
        (tables.Tables, "reaction", reaction),
        (Decoder, "feed", fed),
        (reference, "decode", decoded),
    ):
        setattr(holder, name, new)


def record(paths: Sequence[str], data: Path) -> int:
    """Run tests and write down, per test, the lines they execute and the statements they meet; pytest's exit code."""
    from coverage import Coverage

    cover = Coverage(data_file=str(data), source=[str(ROOT / "mqtt_ref")], branch=False, config_file=False)
    cover.set_option("run:core", "ctrace")
    cover.set_option("run:concurrency", ["thread"])
    cover.erase()
    seen = _Seen(cover)
    cover.start()
    try:
        _note(seen)
        code = pytest.main(["-q", "-p", "no:cacheprovider", "-p", "no:xdist", *paths], plugins=[seen])
    finally:
        cover.stop()
        cover.save()
    tests = {statement: sorted(tests - {""}) for statement, tests in seen.tests.items()}
    written = {"paths": list(paths), "code": int(code), "seen": tests, "sources": _digests()}
    _rows(data).write_text(json.dumps(written))
    return int(code)


def _digests() -> dict[str, str]:
    """What says whether a file of the product has changed."""
    files = sorted((ROOT / "mqtt_ref").rglob("*.py"))
    return {f.relative_to(ROOT).as_posix(): hashlib.blake2b(f.read_bytes(), digest_size=8).hexdigest() for f in files}


def _rows(data: Path) -> Path:
    """Where the statements that tests met are kept, beside what coverage.py wrote."""
    return data.with_name(f"{data.name}.json")


def trace(data: Path) -> dict[str, Trace]:
    """Put citations and recordings together."""
    from coverage import CoverageData

    found = CoverageData(basename=str(data))
    found.read()
    contexts = {Path(f).relative_to(ROOT).as_posix(): found.contexts_by_lineno(f) for f in found.measured_files()}
    noted = json.loads(_rows(data).read_text())
    out: dict[str, Trace] = defaultdict(Trace)
    for statement, cited in places().items():
        entry = out[statement]
        entry.places = cited
        for file, line in {spot for place in cited for spot in place.spots}:
            entry.tests.update(c for c in contexts.get(file, {}).get(line, ()) if c)
    for statement, tests in noted["seen"].items():
        out[statement].tests.update(tests)
    if any("conformance" in path for path in noted["paths"]):
        from mqtt_conformance.case import load_cases

        for case in load_cases().values():
            for statement in case.statements:
                out[statement].tests.add(f"case {case.id}")
    return out


def untraced(root: Path = ROOT) -> dict[str, str]:
    """Why statements have no code or no test of their own, by statement or pattern.

    Raises:
        ValueError: a statement or pattern has two reasons.
    """
    out: dict[str, str] = {}
    for row in tomllib.loads((root / "tests" / "untraced.toml").read_text())["untraced"]:
        wanted = row["statement"]
        for one in [wanted] if isinstance(wanted, str) else wanted:
            if one in out:
                raise ValueError(f"two reasons for {one}")
            out[one] = row["why"]
    return out


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 if every statement has code and tests, or a reason."""
    parser = argparse.ArgumentParser(prog="python -m tests.traceability", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("paths", nargs="*", default=list(TESTS), help="the tests to run and record")
    parser.add_argument("--data", type=Path, default=ROOT / ".coverage.trace", help="where coverage.py writes")
    parser.add_argument("--brief", action="store_true", help="only what is missing, and the totals")
    parser.add_argument("--reuse", action="store_true", help="run nothing: read what was recorded last")
    args = parser.parse_args(argv)
    paths = [p for p in args.paths if (ROOT / p.partition("::")[0]).exists()]
    code = 0 if args.reuse else record(paths, args.data)
    if args.reuse:
        noted = json.loads(_rows(args.data).read_text())
        code = noted["code"]
        for file in sorted({f for f, _ in _digests().items() ^ noted["sources"].items()}):
            print(f"{file} has changed since the tests were recorded: its lines may be others")
    traces = trace(args.data)
    reasons = untraced()
    used: set[str] = set()
    counts = {"traced": 0, "reason": 0, "missing": 0}
    for version in (5, 4, 3):
        for statement in binding("server", version):
            entry = traces.get(statement.id, Trace())
            pattern = next((p for p in reasons if fnmatch.fnmatchcase(statement.id, p)), None)
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
    if code:
        print(f"the tests failed (pytest's exit code is {code})")
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

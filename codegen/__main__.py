# SPDX-License-Identifier: MIT
"""`python -m codegen` writes every generated file. `--check` fails on any difference, orphan file or unused row."""

from __future__ import annotations

import argparse
import difflib
import importlib
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

from codegen.carried_out import not_carried_out
from codegen.fired import not_fired
from codegen.load import load
from codegen.mint import mint
from codegen.model import Row, Spec
from codegen.tables.reader import SpecError

EMITTERS = (
    "packets",
    "codes",
    "registry",
    "fast",
    "reference",
    "catalogue",
    "vectors",
    "strategies",
    "machines",
    "promela",
    "docs",
    "hooks",
    "http",
)
MARK = "Written by `python -m codegen`"
COMMAND = "python -m codegen"
WIDTH = 160
"""Characters of a line of a difference that are shown."""
PLACES = ("mqtt_ref", "conformance", "docs", "tests")


def generate(spec: Spec) -> dict[str, str]:
    """Return the text of every generated file, by its path below the project root."""
    out: dict[str, str] = {}
    for name in EMITTERS:
        emit: Callable[[Spec], dict[str, str]] = importlib.import_module(f"codegen.emit_{name}").emit
        for path, text in emit(spec).items():
            if path in out:
                raise SystemExit(f"{path}: written by two emitters")
            out[path] = text if text.endswith("\n") else text + "\n"
    return out


def unread(spec: Spec) -> list[str]:
    """Return messages about rows and columns that no emitter has read."""
    out = []
    columns = set()
    for row in spec.rows():
        name = type(row).__name__
        if id(row) not in Row._seen:
            label = next(
                (str(v) for c in ("id", "name", "rule", "packet") if (v := row.__dict__.get(c)) is not None), repr(row)
            )
            out.append(f"spec: {name} {label}: no emitter reads this row")
        columns |= {(name, f.name) for f in fields(row)}  # type: ignore[arg-type]
    out += [f"spec: {name}: column {column!r} is read by no emitter" for name, column in sorted(columns - Row._used)]
    return out


def check(root: Path, spec: Spec) -> list[str]:
    """Return all problems: changed, missing and orphan files, unread rows, rows not carried out, events not fired."""
    Row.start_counting()
    wanted = generate(spec)
    for _ in mint(spec):
        pass  # minting reads rows too
    Row.stop_counting()
    problems = unread(spec) + not_carried_out(root, spec) + not_fired(root)
    for path, text in sorted(wanted.items()):
        file = root / path
        have = file.read_text() if file.exists() else ""
        if have != text:
            diff = difflib.unified_diff(
                have.splitlines(), text.splitlines(), f"{path} (committed)", f"{path} (from spec/)", lineterm="", n=1
            )
            shown = [line if len(line) <= WIDTH else line[:WIDTH] + " ..." for line in list(diff)[:40]]
            problems.append("\n".join([f"{path}: differs from the tables", *shown]))
    for place in PLACES:
        for file in sorted((root / place).rglob("*")):
            if file.suffix in (".py", ".md", ".txt", ".json", ".pml") and file.is_file():
                path = file.relative_to(root).as_posix()
                with file.open(errors="replace") as stream:
                    marked = MARK in stream.read(400)
                if marked and path not in wanted:
                    problems.append(f"{path}: is marked as generated, but nothing writes it; delete it")
    return problems


def main(argv: list[str] | None = None) -> int:
    """Run the command. Returns its exit code: 0 no findings, 1 findings, 2 a wrong row in a table."""
    parser = argparse.ArgumentParser(
        prog=COMMAND, description="Generate Python from the tables in spec/.", epilog=f"example: {COMMAND} --check"
    )
    parser.add_argument("--check", action="store_true", help="write nothing; fail if anything differs")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent.parent, help="the project's root")
    args = parser.parse_args(argv)
    try:
        spec = load(args.root / "spec")
        if args.check:
            problems = check(args.root, spec)
            for problem in problems:
                print(problem)
            if problems:
                stale = sum(": differs from the tables" in problem.partition("\n")[0] for problem in problems)
                print(f"\n{len(problems)} {'finding' if len(problems) == 1 else 'findings'}.", end=" ")
                by_hand = len(problems) - stale
                print(
                    *([f"Run: {COMMAND}"] if stale else []),
                    *([f"Mend by hand: {by_hand}"] if by_hand else []),
                    sep=". ",
                )
            return 1 if problems else 0
        for path, text in generate(spec).items():
            file = args.root / path
            if not file.exists() or file.read_text() != text:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text)
                print(f"wrote {path}")
        return 0
    except SpecError as error:
        print(f"spec/{error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: MIT
"""`decisions.toml`: what the standards leave open, and the numbers that the engine reads as data."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path

from codegen.tables.reader import Reader, SpecError, read_toml

__all__ = ["Choice", "Limit", "load_decisions"]

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Choice:
    """One decision: the option's name and its values, the first being the default."""

    name: str
    values: tuple[str, ...]
    point: int
    cites: tuple[str, ...]
    meaning: str


@dataclass(frozen=True)
class Limit:
    """One number of the standards that the engine reads as data."""

    name: str
    value: int
    cites: tuple[str, ...]
    meaning: str


def load_decisions(root: Path = ROOT, known: Set[str] | None = None) -> tuple[list[Choice], list[Limit]]:
    """The rows of `spec/decisions.toml`.

    Raises:
        SpecError: a row is not right; it names file, row and column.
    """
    file = "decisions.toml"
    top = Reader(file, "-", read_toml(root / "spec" / file, file))
    choices: list[Choice] = []
    for number, row in enumerate(top.take("decision", list)):
        r = Reader(file, f"decision {number}", row)
        values = tuple(r.take("values", list))
        if len(values) < 2 or len(set(values)) != len(values):
            raise r.error("values", "a decision has at least two values, all different")
        choices.append(
            Choice(r.name(), values, r.take("point", int), r.citations("cites", known), r.take("meaning", str)),
        )
        r.done()
    limits: list[Limit] = []
    for number, row in enumerate(top.take("limit", list)):
        r = Reader(file, f"limit {number}", row)
        limits.append(Limit(r.name(), r.take("value", int), r.citations("cites", known), r.take("meaning", str)))
        r.done()
    names = [row.name for row in choices] + [row.name for row in limits]
    for name in names:
        if names.count(name) > 1:
            raise SpecError(file, name, "name", "stands twice")
    top.done()
    return choices, limits

# SPDX-License-Identifier: MIT
"""Reads `decisions.toml`: choices that the standards leave open, and numbers that the engine reads as data."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path

from codegen.tables.reader import Reader, SpecError, TableFile

__all__ = ["Choice", "Limit", "load_decisions"]

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Choice:
    """One decision: the name of the option and its values. The first value is the default."""

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
    """Read the rows of `spec/decisions.toml`. `known` are the statements that may be cited; None allows any.

    Raises:
        SpecError: a row is wrong. The text names the file, row and column.
    """
    file = TableFile(root / "spec" / "decisions.toml")
    choices = [_choice(r, known) for r in file.rows("decision")]
    limits = [
        Limit(r.name(), r.take("value", int), r.cited("cites", known), r.take("meaning", str))
        for r in file.rows("limit")
    ]
    file.done()
    names = [row.name for row in choices] + [row.name for row in limits]
    for name in names:
        if names.count(name) > 1:
            raise SpecError(file.file, name, "name", "occurs twice; names must be unique")
    return choices, limits


def _choice(r: Reader, known: Set[str] | None) -> Choice:
    values = tuple(r.take("values", list))
    if len(values) < 2 or len(set(values)) != len(values):
        raise r.error("values", "a decision must have at least two different values")
    return Choice(r.name(), values, r.take("point", int), r.cited("cites", known), r.take("meaning", str))

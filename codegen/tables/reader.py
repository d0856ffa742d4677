# SPDX-License-Identifier: MIT
"""A TOML file, its rows and their columns: what is asked for has to be right, and what nobody asks for is refused."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Set
from pathlib import Path
from typing import Any

from codegen.model import BOTH, VERSIONS, Cites

__all__ = ["LEVELS", "SENDERS", "Origin", "Reader", "SpecError", "TableFile", "read_toml", "unique"]

ALL = frozenset(VERSIONS.values())
SENDERS = {"client": frozenset({"client"}), "server": frozenset({"server"}), "both": BOTH}
LEVELS = ("must", "should", "may")
ID = re.compile(r"(MQTT5|MQTT311|X5|X311|X31)-[A-Za-z0-9][A-Za-z0-9._-]*")

NAME = re.compile(r"[a-z][a-z0-9_]*")

Origin = tuple[str, str, str]
"""Where something stands in the tables: file, row and column."""


class SpecError(Exception):
    """A table says something that cannot be: names the file, the row and the column."""

    def __init__(self, file: str, row: str, column: str, message: str) -> None:
        super().__init__(f"{file}: {row}: {column}: {message}")
        self.file, self.row, self.column = file, row, column


class Reader:
    """One table row while it is read: fetches columns with their types, and refuses what is left over."""

    def __init__(self, file: str, row: str, data: Mapping[str, Any]) -> None:
        if not isinstance(data, Mapping):
            raise SpecError(file, row, "-", f"a table is needed here, not {data!r}")
        self.file, self.row, self.data = file, row, dict(data)

    def error(self, column: str, message: str) -> SpecError:
        """The refusal of one column of this row."""
        return SpecError(self.file, self.row, column, message)

    def take(self, column: str, kind: type, default: Any = None) -> Any:
        """The column's value; without a default it has to be there."""
        if column not in self.data:
            if default is None:
                raise self.error(column, "is missing")
            return default
        value = self.data.pop(column)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.error(column, f"should be {kind.__name__}, is {value!r}")
        return value

    def one_of(self, column: str, choices: Iterable[str], default: str | None = None) -> str:
        """A string column with a closed list of values."""
        value: str = self.take(column, str, default)
        choices = tuple(choices)
        if value not in choices:
            raise self.error(column, f"{value!r} is not one of {', '.join(choices)}")
        return value

    def cites(self, column: str, default: Mapping[str, str] | None = None) -> Cites:
        """A table of statements by version."""
        value = self.take(column, dict, {} if default is None else default)
        out = {}
        for version, statement in value.items():
            if version not in VERSIONS:
                raise self.error(column, f"{version!r} is not a version; {', '.join(VERSIONS)} are")
            out[VERSIONS[version]] = self.identifier(column, statement)
        return out

    def identifier(self, column: str, value: Any) -> str:
        """A statement id, well formed."""
        if not isinstance(value, str) or not ID.fullmatch(value):
            raise self.error(column, f"{value!r} is not a statement id")
        return value

    def citations(self, column: str, known: Set[str] | None) -> tuple[str, ...]:
        """A list of statement ids, at least one, each of them `known`; None takes any id."""
        ids = tuple(self.identifier(column, one) for one in self.take(column, list))
        for one in ids:
            if known is not None and one not in known:
                raise self.error(column, f"{one} is not a statement in spec/")
        if not ids:
            raise self.error(column, "cites nothing")
        return ids

    def name(self, column: str = "name") -> str:
        """A name in lower case."""
        name: str = self.take(column, str)
        if not NAME.fullmatch(name):
            raise self.error(column, f"{name!r} is not a name in lower case")
        return name

    def versions(self, column: str) -> frozenset[int]:
        """A list of versions; all of them when the column is absent."""
        if column not in self.data:
            return ALL
        value = self.take(column, list)
        for version in value:
            if version not in VERSIONS:
                raise self.error(column, f"{version!r} is not a version; {', '.join(VERSIONS)} are")
        return frozenset(VERSIONS[v] for v in value)

    def sub(self, column: str, name: str, data: Mapping[str, Any]) -> Reader:
        """A row nested in this one."""
        return Reader(self.file, f"{self.row}, {name}", data)

    def subs(self, column: str) -> list[Mapping[str, Any]]:
        """A list of nested rows; empty when absent."""
        value: list[Mapping[str, Any]] = self.take(column, list, [])
        return value

    def done(self) -> None:
        """Refuse columns that nobody asked for."""
        for column in self.data:
            raise self.error(column, "is not a column of this table")


class TableFile:
    """A TOML file of tables, which remembers what of it was read."""

    def __init__(self, path: Path, name: str = "") -> None:
        self.name = name or path.name
        self.data = read_toml(path, self.name)
        source = self.data.pop("source", None)
        if not isinstance(source, str) or not source:
            raise SpecError(self.name, "file", "source", "has to name the document that the table was taken from")
        self.source: str = source

    def rows(self, key: str) -> list[dict[str, Any]]:
        """The rows of a table; none when it is absent."""
        rows = self.data.pop(key, [])
        if not isinstance(rows, list):
            raise SpecError(self.name, key, "-", "a list of tables is needed here")
        return rows

    def take(self, key: str) -> Any:
        """What stands once in the file, and has to."""
        if key not in self.data:
            raise SpecError(self.name, "file", key, "is missing")
        return self.data.pop(key)

    def done(self) -> None:
        """Refuse tables that nobody asked for."""
        for key in self.data:
            raise SpecError(self.name, "file", key, "is not a table of this file")


def read_toml(path: Path, name: str) -> dict[str, Any]:
    """What the file holds; refused under that name if it is missing or no TOML."""
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        raise SpecError(name, "file", "-", "is missing") from None
    except tomllib.TOMLDecodeError as error:
        raise SpecError(name, "file", "-", f"is not TOML: {error}") from None


def unique(rows: Iterable[Any], file: str) -> dict[str, Any]:
    """The rows by their names, of which none stands twice."""
    out: dict[str, Any] = {}
    for row in rows:
        if row.name in out:
            raise SpecError(file, f"{type(row).__name__.lower()} {row.name}", "name", "stands here twice")
        out[row.name] = row
    return out

# SPDX-License-Identifier: MIT
"""A TOML file, its rows and their columns: what is asked for has to be right, and what nobody asks for is refused."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Set
from pathlib import Path
from typing import Any

from codegen.model import BOTH, VERSIONS, Cites

__all__ = ["LEVELS", "SENDERS", "Origin", "Reader", "SpecError", "TableFile", "unique"]

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

    def __init__(self, file: str, row: str, data: Any) -> None:
        if not isinstance(data, Mapping):
            raise SpecError(file, row, "-", f"a table is needed here, not {data!r}")
        self.file, self.row, self.data = file, row, dict(data)
        self._inner: list[Reader] = []

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

    def name(self, column: str = "name") -> str:
        """A name in lower case."""
        name: str = self.take(column, str)
        if not NAME.fullmatch(name):
            raise self.error(column, f"{name!r} is not a name in lower case")
        return name

    def version(self, column: str, name: Any) -> int:
        """The protocol level that a version's name stands for."""
        if name not in VERSIONS:
            raise self.error(column, f"{name!r} is not a version; {', '.join(VERSIONS)} are")
        return VERSIONS[name]

    def versions(self, column: str) -> frozenset[int]:
        """A list of versions; all of them when the column is absent."""
        if column not in self.data:
            return ALL
        return frozenset(self.version(column, name) for name in self.take(column, list))

    def by_version(self, column: str) -> dict[int, Any]:
        """A table by version; empty when the column is absent."""
        return {self.version(column, name): value for name, value in self.take(column, dict, {}).items()}

    def cite(self, column: str, value: Any = None) -> str:
        """The statement that a column cites; `value` is one of several in it."""
        value = self.take(column, str) if value is None else value
        if not isinstance(value, str) or not ID.fullmatch(value):
            raise self.error(column, f"{value!r} is not a statement id")
        return value

    def cites(self, column: str) -> Cites:
        """A table of statements by version."""
        return {version: self.cite(column, one) for version, one in self.by_version(column).items()}

    def cited(self, column: str, known: Set[str] | None) -> tuple[str, ...]:
        """A list of statements, at least one, each of them `known`; None takes any."""
        ids = tuple(self.cite(column, one) for one in self.take(column, list))
        for one in ids:
            if known is not None and one not in known:
                raise self.error(column, f"{one} is not a statement in spec/")
        if not ids:
            raise self.error(column, "cites nothing")
        return ids

    def table(self, column: str) -> Reader:
        """The table in a column; an empty one when the column is absent."""
        return self.inner(column, self.take(column, dict, {}))

    def rows(self, column: str, noun: str = "", key: str = "name") -> list[Reader]:
        """The rows of the table in a column, each called by its `key`, or else by its number; none when absent."""
        out = []
        for number, data in enumerate(self.take(column, list, []), 1):
            name = data.get(key, number) if isinstance(data, Mapping) else number
            out.append(self.inner(f"{noun or column} {name}", data))
        return out

    def inner(self, name: str, data: Any) -> Reader:
        """A row inside this one."""
        self._inner.append(Reader(self.file, f"{self.row}, {name}", data))
        return self._inner[-1]

    def done(self) -> None:
        """Refuse columns that nobody asked for, here and in the rows inside."""
        for inner in self._inner:
            inner.done()
        for column in self.data:
            raise self.error(column, "is not a column of this table")


class TableFile(Reader):
    """A TOML file of tables. Its rows are called by their own names alone; what stands beside them is in row `file`."""

    def __init__(self, path: Path, file: str = "") -> None:
        file = file or path.name
        try:
            with path.open("rb") as stream:
                data = tomllib.load(stream)
        except FileNotFoundError:
            raise SpecError(file, "file", "-", "is missing") from None
        except tomllib.TOMLDecodeError as error:
            raise SpecError(file, "file", "-", f"is not TOML: {error}") from None
        super().__init__(file, "file", data)

    def source(self) -> str:
        """The document that the tables were taken from."""
        source = self.data.pop("source", None)
        if not isinstance(source, str) or not source:
            raise self.error("source", "has to name the document that the table was taken from")
        return source

    def inner(self, name: str, data: Any) -> Reader:
        self._inner.append(Reader(self.file, name, data))
        return self._inner[-1]

    def done(self) -> None:
        """Refuse tables and columns that nobody asked for."""
        for inner in self._inner:
            inner.done()
        for table in self.data:
            raise self.error(table, "is not a table of this file")


def unique(rows: Iterable[Any], file: str) -> dict[str, Any]:
    """The rows by their names, of which none stands twice."""
    out: dict[str, Any] = {}
    for row in rows:
        if row.name in out:
            raise SpecError(file, f"{type(row).__name__.lower()} {row.name}", "name", "stands here twice")
        out[row.name] = row
    return out

# SPDX-License-Identifier: MIT
"""Reads TOML files, rows and columns with their types, and refuses unknown columns."""

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
"""A place in the tables: file, row and column."""


class SpecError(Exception):
    """A table is wrong. The text names the file, the row and the column."""

    def __init__(self, file: str, row: str, column: str, message: str) -> None:
        super().__init__(f"{file}: {row}: {column}: {message}")
        self.file, self.row, self.column = file, row, column


class Reader:
    """One table row while it is read. Columns are taken out with their types; those that are left are refused."""

    def __init__(self, file: str, row: str, data: Any) -> None:
        if not isinstance(data, Mapping):
            raise SpecError(file, row, "-", f"must be a table, not {data!r}")
        self.file, self.row, self.data = file, row, dict(data)
        self._inner: list[Reader] = []

    def error(self, column: str, message: str) -> SpecError:
        """Return an error about a column of this row."""
        return SpecError(self.file, self.row, column, message)

    def take(self, column: str, kind: type, default: Any = None) -> Any:
        """Take the value of a column. It is required if there is no default."""
        if column not in self.data:
            if default is None:
                raise self.error(column, "is missing")
            return default
        value = self.data.pop(column)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.error(column, f"must be {kind.__name__}, not {value!r}")
        return value

    def one_of(self, column: str, choices: Iterable[str], default: str | None = None) -> str:
        """Take a string column with a fixed list of values."""
        value: str = self.take(column, str, default)
        choices = tuple(choices)
        if value not in choices:
            raise self.error(column, f"{value!r} is not one of {', '.join(choices)}")
        return value

    def name(self, column: str = "name") -> str:
        """Take a name in lower case."""
        name: str = self.take(column, str)
        if not NAME.fullmatch(name):
            raise self.error(column, f"{name!r} is not a name in lower case")
        return name

    def version(self, column: str, name: Any) -> int:
        """Return the protocol level of a version name."""
        if name not in VERSIONS:
            raise self.error(column, f"{name!r} is not a version; it must be one of {', '.join(VERSIONS)}")
        return VERSIONS[name]

    def versions(self, column: str) -> frozenset[int]:
        """Take a list of versions; all versions if the column is absent."""
        if column not in self.data:
            return ALL
        return frozenset(self.version(column, name) for name in self.take(column, list))

    def by_version(self, column: str) -> dict[int, Any]:
        """Take a table by version; empty if the column is absent."""
        return {self.version(column, name): value for name, value in self.take(column, dict, {}).items()}

    def cite(self, column: str, value: Any = None) -> str:
        """Take the statement that a column cites. If the column has several, `value` is one of them."""
        value = self.take(column, str) if value is None else value
        if not isinstance(value, str) or not ID.fullmatch(value):
            raise self.error(column, f"{value!r} is not a statement id: it must begin with MQTT5-, X5- or the like")
        return value

    def cites(self, column: str) -> Cites:
        """Take a table of statements by version."""
        return {version: self.cite(column, one) for version, one in self.by_version(column).items()}

    def cited(self, column: str, known: Set[str] | None) -> tuple[str, ...]:
        """Take a list of statements: at least one, each of them in `known`. None allows any."""
        ids = tuple(self.cite(column, one) for one in self.take(column, list))
        for one in ids:
            if known is not None and one not in known:
                raise self.error(column, f"{one} is not a statement in spec/")
        if not ids:
            raise self.error(column, "must cite at least one statement")
        return ids

    def table(self, column: str) -> Reader:
        """Take the table in a column; empty if the column is absent."""
        return self.inner(column, self.take(column, dict, {}))

    def rows(self, column: str, noun: str = "", key: str = "name") -> list[Reader]:
        """Take the rows of the table in a column; none if it is absent. A row is named by its `key`, or its number."""
        out = []
        for number, data in enumerate(self.take(column, list, []), 1):
            name = data.get(key, number) if isinstance(data, Mapping) else number
            out.append(self.inner(f"{noun or column} {name}", data))
        return out

    def inner(self, name: str, data: Any) -> Reader:
        """Return a reader of a row inside this one."""
        self._inner.append(Reader(self.file, f"{self.row}, {name}", data))
        return self._inner[-1]

    def done(self) -> None:
        """Refuse columns that were not taken, here and in the inner rows."""
        for inner in self._inner:
            inner.done()
        for column in self.data:
            raise self.error(column, "is not a column of this table")


class TableFile(Reader):
    """A TOML file of tables. Its rows are named by their own names only. Top-level columns belong to the row `file`."""

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
        """Take the name of the document that the tables were made from."""
        source = self.data.pop("source", None)
        if not isinstance(source, str) or not source:
            raise self.error("source", "must name the document that the table was made from")
        return source

    def inner(self, name: str, data: Any) -> Reader:
        self._inner.append(Reader(self.file, name, data))
        return self._inner[-1]

    def done(self) -> None:
        """Refuse tables and columns that were not taken."""
        for inner in self._inner:
            inner.done()
        for table in self.data:
            raise self.error(table, "is not a table of this file")


def unique(rows: Iterable[Any], file: str) -> dict[str, Any]:
    """Return the rows by name. Names must be unique."""
    out: dict[str, Any] = {}
    for row in rows:
        if row.name in out:
            raise SpecError(
                file, f"{type(row).__name__.lower()} {row.name}", "name", "occurs twice; names must be unique"
            )
        out[row.name] = row
    return out

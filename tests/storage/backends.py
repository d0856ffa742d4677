# SPDX-License-Identifier: MIT
"""The back ends that the tests of stores run on, each with what it needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mqtt_ref.storage.port import Durability
from mqtt_ref.storage.sqlite import Sqlite
from mqtt_ref.storage.store import Store

__all__ = ["Backend", "backends"]


class Backend:
    """A kind of store, and where one of it is."""

    name = ""
    examples = 60
    """Of a machine that runs on it."""
    folder: Path

    def __str__(self) -> str:
        return self.name

    def need(self, require: Any) -> None:
        """What has to be installed."""

    def begin(self, folder: Path) -> None:
        """A new, empty store."""
        self.folder = folder

    def store(self, durability: Durability = "off") -> Store:
        """The store, not opened yet."""
        raise NotImplementedError

    @property
    def address(self) -> str:
        """As `--store` takes it."""
        raise NotImplementedError

    def __enter__(self) -> Backend:
        return self

    def __exit__(self, *error: object) -> None:
        """Stop what was started."""


class SqliteBackend(Backend):
    name = "sqlite"

    @property
    def address(self) -> str:
        return f"sqlite:{self.folder / 'store.db'}"

    def store(self, durability: Durability = "off") -> Store:
        return Store(Sqlite(self.folder / "store.db", durability))


def backends() -> list[Backend]:
    return [SqliteBackend()]

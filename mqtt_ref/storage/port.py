# SPDX-License-Identifier: MIT
"""What a back end of a store has to offer: keys and values, written in atomic batches, read in the order of keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, Literal, Protocol

__all__ = ["DURABILITIES", "POINTS", "Changes", "Durability", "KeyValue", "Passing", "StoreError", "nowhere"]

Durability = Literal["full", "normal", "off"]
DURABILITIES: Final[tuple[Durability, ...]] = ("full", "normal", "off")
Passing = Callable[[str], None]
Changes = Mapping[bytes, bytes | None]
"""By key: its new value, or None to delete it."""
POINTS: Final = ("before the write", "between write and commit", "after the commit", "during compaction")
"""Where a store can be stopped by a test: `passing` is called with the name when it gets there."""


class StoreError(OSError):
    """A store that cannot be used, or did not take a batch; the text says what is wrong and what to do."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return self.text


def nowhere(point: str) -> None:
    """Do nothing at a point."""


class KeyValue(Protocol):
    """A back end. Keys have 1 to 500 bytes. One thread at a time calls it; its methods may block.

    All methods raise StoreError, and nothing else, for what a user or a machine can cause.
    """

    name: str
    """The store as a user wrote it, without a password."""
    passing: Passing
    """Called at the points of `POINTS`; `nowhere` unless a test wants it."""

    def open(self, *, write: bool, create: bool) -> None:
        """Open it, for one writer at a time, or for reading beside a writer; make it if `create` and it is absent.

        Raises:
            StoreError: it is damaged, of something else, in use by another writer, or cannot be reached.
        """
        ...

    def get(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """The values of those keys that exist."""
        ...

    def write(self, changes: Changes) -> None:
        """Make all changes as one unit, as durable as was asked for.

        Raises:
            StoreError: none of the changes was made.
        """
        ...

    def scan(self, prefix: bytes, after: bytes = b"", most: int = 0) -> Iterator[tuple[bytes, bytes]]:
        """Keys that begin with `prefix`, in the order of their bytes, with their values. No change may come between.

        `after`: only keys behind this one, which begins with `prefix` too. `most`: how many are wanted; 0: all.
        """
        ...

    def check(self) -> list[str]:
        """What the back end itself finds wrong with its files."""
        ...

    def compact(self) -> None:
        """Give back the room that deleted values have taken."""
        ...

    def size(self) -> int:
        """Bytes that it takes on disk or in its server; 0: not known."""
        ...

    def close(self) -> None:
        """Nothing follows; a second call does nothing."""
        ...

# SPDX-License-Identifier: MIT
"""Tables that note which of their rows are looked up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import SupportsIndex, overload

from mqtt_ref.engine.tables import MACHINES, TABLES, Tables, changed
from mqtt_ref.wire.reactions import REACTIONS, Reaction

__all__ = ["noting"]

Seen = set[tuple[str, int]]


def noting(seen: Seen) -> Tables:
    """The standard, as tables that add each row they are asked for to `seen`. Plain Python only."""
    tables = changed(TABLES)
    for machine in MACHINES:
        for part in ("action", "next"):
            name = f"{machine}_{part}"
            setattr(tables, name, _Row(getattr(tables, name), machine, seen))
    tables.reaction_rows = _Reactions(REACTIONS, seen)
    return tables


class _Row(list[int]):
    def __init__(self, values: Iterable[int], machine: str, seen: Seen) -> None:
        super().__init__(values)
        self.machine = machine
        self.seen = seen

    def __copy__(self) -> _Row:
        return _Row(self, self.machine, self.seen)

    @overload
    def __getitem__(self, index: SupportsIndex, /) -> int: ...
    @overload
    def __getitem__(self, index: slice, /) -> list[int]: ...
    def __getitem__(self, index: SupportsIndex | slice, /) -> int | list[int]:
        if isinstance(index, int):
            self.seen.add((self.machine, index))
        return super().__getitem__(index)


class _Reactions(list[Reaction]):
    """Who searches the rows stops at the one that fits: that one is noted."""

    def __init__(self, rows: Iterable[Reaction], seen: Seen) -> None:
        super().__init__(rows)
        self.seen = seen

    def __copy__(self) -> _Reactions:
        return _Reactions(self, self.seen)

    def __iter__(self) -> Iterator[Reaction]:
        for number in range(len(self)):
            try:
                yield self[number]
            except GeneratorExit:
                self.seen.add(("reaction", number))
                raise

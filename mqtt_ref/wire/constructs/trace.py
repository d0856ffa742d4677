# SPDX-License-Identifier: MIT
"""Records which bytes each field was read from, while a packet is parsed."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from sys import intern
from typing import TYPE_CHECKING

from mqtt_ref.wire.fields import FieldNode

if TYPE_CHECKING:
    from mqtt_ref.wire.constructs.part import Part

__all__ = ["Trace"]


class Trace:
    """The fields that were read, in wire order. It is compact, since a packet may have as many fields as bytes."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.parts: list[Part | None] = []
        self.depths = array("B")
        self.starts = array("l")
        self.ends = array("l")
        self.depth = 0

    def open(self, name: str, part: Part | None, start: int) -> int:
        """Note that a field begins at `start`. Returns its number."""
        self.names.append(intern(name))
        self.parts.append(part)
        self.depths.append(self.depth)
        self.starts.append(start)
        self.ends.append(-1)
        self.depth += 1
        return len(self.names) - 1

    def close(self, number: int, end: int) -> None:
        """Note that the field with that number ends at `end`. Fields that are never closed are broken."""
        self.ends[number] = end
        self.depth = self.depths[number]

    def forget(self, number: int) -> None:
        """Drop the field with that number and all fields after it."""
        self.depth = self.depths[number]
        for column in (self.names, self.parts, self.depths, self.starts, self.ends):
            del column[number:]

    def nodes(self, data: bytes, reached: int) -> tuple[FieldNode, ...]:
        """Return the fields as a tree. A broken field ends at `reached`."""
        return tuple(self._level(data, reached, iter(range(len(self.names) + 1)), 0)[0])

    def _level(
        self, data: bytes, reached: int, numbers: Iterator[int], depth: int, first: int | None = None
    ) -> tuple[list[FieldNode], int]:
        out: list[FieldNode] = []
        number = next(numbers) if first is None else first
        while number < len(self.names) and self.depths[number] == depth:
            this = number
            below, number = self._level(data, reached, numbers, depth + 1, next(numbers))
            start, end, part = self.starts[this], self.ends[this], self.parts[this]
            children = tuple(below)
            if end < 0:
                out.append(FieldNode(self.names[this], start, max(start, min(reached, len(data))), children=children))
                continue
            if part is None:
                out.append(FieldNode(self.names[this], start, end, children=children))
                continue
            value, text, own = part.explain(data, start, end)
            out.append(FieldNode(self.names[this], start, end, value, text, own + children))
        return out, number

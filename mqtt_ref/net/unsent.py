# SPDX-License-Identifier: MIT
"""Output that a transport has no room for yet: parts that are cut, but not copied."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

__all__ = ["Unsent"]


class Unsent:
    """Parts of the output of one client, in order. A large one may be a payload that other clients wait for too."""

    __slots__ = ("parts", "size")

    def __init__(self) -> None:
        self.parts: deque[bytes | memoryview] = deque()
        self.size = 0
        """Bytes of all parts."""

    def add(self, parts: Iterable[bytes]) -> None:
        """Put parts at the end."""
        self.parts.extend(parts)
        self.size += sum(map(len, parts))

    def take(self, most: int) -> list[bytes | memoryview]:
        """Remove the first `most` bytes, or all if there are fewer. The last of them may be a view of a part."""
        parts = self.parts
        found: list[bytes | memoryview] = []
        while parts and most:
            part = parts.popleft()
            if len(part) > most:
                view = memoryview(part)
                parts.appendleft(view[most:])
                part = view[:most]
            found.append(part)
            most -= len(part)
            self.size -= len(part)
        return found

    def small(self, most: int) -> int:
        """Return the bytes of the parts that are not of such large objects: those below `most` bytes."""
        return sum([len(part) for part in self.parts if isinstance(part, bytes) and len(part) < most])

    def shared(self, least: int) -> dict[int, int]:
        """Return the sizes of the objects of `least` bytes or more of which parts wait, by their identity."""
        found: dict[int, int] = {}
        for part in self.parts:
            whole = part.obj if isinstance(part, memoryview) else part
            if isinstance(whole, bytes) and len(whole) >= least:
                found[id(whole)] = len(whole)
        return found

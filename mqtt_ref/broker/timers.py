# SPDX-License-Identifier: MIT
"""Time limits: one heap for links, sessions, wills and retained messages; nothing here is per message."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Final

__all__ = ["LINK", "QUESTION", "RETAINED", "SESSION", "Timers"]

LINK: Final = 0
SESSION: Final = 1
RETAINED: Final = 2
QUESTION: Final = 3


class Timers:
    """When something wants to be looked at. Entries are not taken out: who is woken looks whether it is time."""

    __slots__ = ("_heap",)

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, int]] = []

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, when: int, kind: int, subject: int) -> None:
        """Wake `subject` (the serial of a link, the handle of a session, the number of a question) at `when`."""
        heappush(self._heap, (when, kind, subject))

    def next(self) -> int | None:
        """When the first is due."""
        return self._heap[0][0] if self._heap else None

    def pop(self, now: int) -> tuple[int, int, int] | None:
        """The next entry that is due, or None."""
        heap = self._heap
        if heap and heap[0][0] <= now:
            return heappop(heap)
        return None

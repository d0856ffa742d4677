# SPDX-License-Identifier: MIT
"""Counts work, so that a test can say how it grows with the input without a clock."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

__all__ = ["Copied", "grows_linearly", "steps"]


def steps(function: Callable[[], object]) -> int:
    """Return how many lines of Python run while the function does, each round of a loop included."""
    count = 0

    def local(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += 1
        return local

    before = sys.gettrace()
    sys.settrace(local)
    try:
        function()
    finally:
        sys.settrace(before)
    return count


def grows_linearly(work: Callable[[int], Callable[[], object]], size: int) -> bool:
    """True if four times the input takes no more than five times the work. `work(n)` prepares an input of size n."""
    once = steps(work(size))
    return steps(work(4 * size)) <= 5 * once


class Copied(bytes):
    """Bytes that count how many bytes are copied to append them to others."""

    total = 0

    def __radd__(self, other: bytes) -> Copied:
        Copied.total += len(other) + len(self)
        return Copied(bytes(other) + bytes(self))

    def __add__(self, other: bytes) -> Copied:
        Copied.total += len(other) + len(self)
        return Copied(bytes(self) + bytes(other))

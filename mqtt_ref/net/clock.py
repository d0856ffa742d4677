# SPDX-License-Identifier: MIT
"""The broker's time, which may go faster than that of the world, or leap ahead: for tests of what takes hours."""

from __future__ import annotations

import math
from collections.abc import Callable
from time import monotonic_ns
from typing import Final

__all__ = ["Clock"]

SECOND: Final = 1_000_000_000


class Clock:
    """`scale` seconds of the broker pass in each second of the world; it never goes back.

    Only the broker's time goes faster, not that of its clients: a client sends its PINGREQ when it would anyway.
    """

    def __init__(self, scale: float = 1.0) -> None:
        self._real = self._own = monotonic_ns()
        self._scale = _checked(scale)
        self.on_change: Callable[[], None] | None = None
        """Called when what was worked out from it does not hold any more."""

    @property
    def scale(self) -> float:
        """How fast it goes."""
        return self._scale

    @scale.setter
    def scale(self, scale: float) -> None:
        _checked(scale)
        self._own, self._real = self.now(), monotonic_ns()
        self._scale = scale
        self._changed()

    def now(self) -> int:
        """Nanoseconds, monotonic."""
        passed = monotonic_ns() - self._real
        return self._own + (passed if self._scale == 1.0 else int(passed * self._scale))

    def until(self, due: int) -> float:
        """Seconds of the world until it is `due`."""
        return max(0.0, (due - self.now()) / SECOND / self._scale)

    def jump(self, seconds: float) -> None:
        """So much time passes at once.

        Raises:
            ValueError: it would go back.
        """
        if not 0 <= seconds < math.inf:
            raise ValueError(f"time goes ahead: {seconds!r} is no number of seconds from 0 on")
        self._own += int(seconds * SECOND)
        self._changed()

    def _changed(self) -> None:
        if self.on_change is not None:
            self.on_change()


def _checked(scale: float) -> float:
    if not 0 < scale <= 1_000_000:
        raise ValueError(f"a clock goes 0 to 1,000,000 times as fast as the world's, not {scale!r}")
    return scale

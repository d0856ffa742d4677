# SPDX-License-Identifier: MIT
"""The broker's clock. For tests of long intervals it can run faster than real time, or jump ahead."""

from __future__ import annotations

import math
from collections.abc import Callable
from time import monotonic_ns
from typing import Final

__all__ = ["Clock"]

SECOND: Final = 1_000_000_000


class Clock:
    """A monotonic clock: `scale` seconds of broker time pass in each second of real time.

    Only the broker's time is scaled, not that of its clients. A client still sends its PINGREQ in real time.
    """

    def __init__(self, scale: float = 1.0) -> None:
        self._real = self._own = monotonic_ns()
        self._scale = _checked(scale)
        self.on_change: Callable[[], None] | None = None
        """Called after a jump or a change of `scale`: timers that were set before are no longer right."""

    @property
    def scale(self) -> float:
        """Seconds of broker time per second of real time: more than 0, at most 1,000,000."""
        return self._scale

    @scale.setter
    def scale(self, scale: float) -> None:
        _checked(scale)
        self._own, self._real = self.now(), monotonic_ns()
        self._scale = scale
        self._changed()

    def now(self) -> int:
        """Return the broker's time in nanoseconds. It never goes back."""
        passed = monotonic_ns() - self._real
        return self._own + (passed if self._scale == 1.0 else int(passed * self._scale))

    def until(self, due: int) -> float:
        """Return the seconds of real time until the broker's time is `due` (nanoseconds)."""
        return max(0.0, (due - self.now()) / SECOND / self._scale)

    def jump(self, seconds: float) -> None:
        """Move the clock ahead by `seconds` at once.

        Raises:
            ValueError: `seconds` is negative or not finite.
        """
        if not 0 <= seconds < math.inf:
            raise ValueError(f"cannot move the clock ahead by {seconds!r} s: expected a finite number, 0 or more")
        self._own += int(seconds * SECOND)
        self._changed()

    def _changed(self) -> None:
        if self.on_change is not None:
            self.on_change()


def _checked(scale: float) -> float:
    if not 0 < scale <= 1_000_000:
        raise ValueError(f"the scale of a clock must be more than 0 and at most 1,000,000, not {scale!r}")
    return scale

# SPDX-License-Identifier: MIT
"""One direction of a connection with injected faults: which packets pass, in which order, when. Time is an argument."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mqtt_ref.oracle.limiting import Limit

__all__ = ["FOREVER", "Aside", "Behind", "Flow", "Offer", "Pause", "Reply", "Step", "Stop"]

FOREVER: Final = 1 << 63
"""Later than any time."""


@dataclass(slots=True)
class Pause:
    """Nothing passes for `time` nanoseconds."""

    time: int


@dataclass(slots=True)
class Aside:
    """The steps pass after `time` nanoseconds. Later packets do not wait for them."""

    time: int
    steps: list[Step]


@dataclass(slots=True)
class Behind:
    """The steps pass after the next `packets` packets, or at the latest after `time` nanoseconds."""

    packets: int
    time: int
    steps: list[Step]


@dataclass(slots=True)
class Reply:
    """Bytes for the other direction: an answer that does not come from the broker."""

    data: bytes


@dataclass(slots=True)
class Offer:
    """The limits that the broker offers this connection from now on."""

    limit: Limit


@dataclass(slots=True)
class Stop:
    """Stop the link: `close` it, `half_open` (no byte is read or written), or `freeze` (all is read and discarded).

    After `time` nanoseconds a half-open link resumes; 0: never.
    """

    how: str
    time: int = 0


Step = bytes | Pause | Aside | Behind | Reply | Offer | Stop


@dataclass(slots=True)
class _Waiting:
    packets: int
    due: int
    steps: list[Step] = field(default_factory=list)


class Flow:
    """A queue of packets, each a list of steps. `put` adds a packet; `take` returns the steps that are due.

    A `Pause` delays its packet and all later ones, so their order is kept.
    """

    __slots__ = ("_aside", "_held", "_line", "_until")

    def __init__(self) -> None:
        self._held = 0
        self._line: deque[list[Step]] = deque()
        self._aside: list[_Waiting] = []
        self._until = 0

    @property
    def idle(self) -> bool:
        """True if nothing waits: a new packet passes at once."""
        return not self._line and not self._aside

    @property
    def waiting(self) -> int:
        """The number of packets that wait."""
        return len(self._line) + len(self._aside)

    def put(self, steps: list[Step]) -> None:
        """Add a packet."""
        self._line.append(steps)

    def hold(self, until: int) -> None:
        """Let nothing pass before `until`; FOREVER: never."""
        self._held = until

    def rest(self) -> list[Step]:
        """Remove and return all steps that wait, due or not."""
        out: list[Step] = []
        waiting, self._aside = self._aside, []
        for steps in [*self._line, *(one.steps for one in waiting)]:
            while not self._pass(steps, 0, out):
                pass
        self._line.clear()
        return out

    def take(self, now: int) -> list[Step]:
        """Return the steps that are due, in order: bytes, `Reply`, `Offer`, `Stop`."""
        out: list[Step] = []
        if now < self._held:
            return out
        self._due(now, out)
        while self._line and self._until <= now:
            steps = self._line[0]
            if not self._pass(steps, now, out):
                break
            self._line.popleft()
            for waiting in self._aside:
                waiting.packets -= 1
            self._due(now, out)
        return out

    def due(self) -> int | None:
        """Return when `take` will next return a step without new packets; None: never."""
        times = [waiting.due for waiting in self._aside]
        if self._line:
            times.append(self._until)
        if not times or self._held == FOREVER:
            return None
        return max(self._held, min(times))

    def _pass(self, steps: list[Step], now: int, out: list[Step]) -> bool:
        """Move the steps of a packet to `out`, up to a pause. Return True if none is left."""
        while steps:
            step = steps.pop(0)
            if isinstance(step, Pause):
                self._until = now + step.time
                if step.time:
                    return False
            elif isinstance(step, Stop) and step.how == "half_open":
                out.append(step)
                return False  # the caller of `take` holds both directions
            elif isinstance(step, Aside):
                self._aside.append(_Waiting(1 << 30, now + step.time, step.steps))
            elif isinstance(step, Behind):
                # The packet itself is the first that passes.
                self._aside.append(_Waiting(step.packets + 1, now + step.time, step.steps))
            else:
                out.append(step)
        return True

    def _due(self, now: int, out: list[Step]) -> None:
        ready = [waiting for waiting in self._aside if waiting.packets <= 0 or waiting.due <= now]
        if ready:
            self._aside = [waiting for waiting in self._aside if waiting not in ready]
            for waiting in sorted(ready, key=lambda one: one.due):
                if not self._pass(waiting.steps, now, out):
                    self._line.appendleft(waiting.steps)

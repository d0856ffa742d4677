# SPDX-License-Identifier: MIT
"""Python's garbage collector in a process that only serves: no collection looks at everything.

Connections and sessions are freed as soon as nothing refers to them. So the collector is needed for what hooks and
errors leave, and it must not stop the broker for longer the more sessions there are.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import TracebackType

    from mqtt_ref.broker.broker import Broker

__all__ = ["PARTS", "Collecting"]

YOUNG: Final = 700
"""New objects from which the youngest are looked at."""
PARTS: Final = (YOUNG, 10, 4)
"""The thresholds: about 35,000 objects are looked at once more, and never again."""
EACH: Final = (PARTS[0] + 1) * (PARTS[1] + 1) * (PARTS[2] + 1)
"""The number of objects that become old at once, at most."""
PER_THING: Final = 20
"""Objects that a session, connection, subscription or message may have. It has about ten."""
SPARE: Final = 250_000
"""Objects that may be there besides: caches, and what hooks keep."""


class Collecting:
    """Sets the collector up for a broker, from `with` to its end. Objects that survive two looks are put aside.

    What is put aside is still freed when nothing refers to it. Only cycles of such objects are not. So if there are far
    more objects than the broker has use for, everything is looked at once. `soon` calls a function in the next turn of
    the event loop, and may be called by any thread.
    """

    def __init__(self, broker: Broker, soon: Callable[[Callable[[], None]], object]) -> None:
        self._broker = broker
        self._soon = soon
        self._before = gc.get_threshold()
        self._aside = 0
        """Objects that were put aside, at most."""
        self._allowed = 0
        """Objects that may be there, without those that the broker has use for."""
        self._asked = False
        self.thorough = 0
        """How often everything was looked at."""

    def __enter__(self) -> Collecting:
        """Put aside what is loaded: none of it is garbage."""
        gc.freeze()
        self._aside = gc.get_freeze_count()
        self._allowed = self._aside + SPARE
        gc.set_threshold(*PARTS)
        gc.callbacks.append(self._looked)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        gc.callbacks.remove(self._looked)
        gc.set_threshold(*self._before)
        gc.unfreeze()

    def _looked(self, phase: str, info: dict[str, int]) -> None:
        """Put the old objects aside after they were looked at."""
        if phase != "stop" or info["generation"] != 2 or self._asked:
            return
        gc.freeze()
        self._aside += EACH
        if self._aside > self._needed() + self._allowed:
            self._aside = gc.get_freeze_count()
            if self._aside > self._needed() + self._allowed:
                self._asked = True
                self._soon(self.look_at_all)  # within a collection there is no other

    def _needed(self) -> int:
        """Return how many objects the broker may have use for."""
        broker = self._broker
        things = (
            len(broker.connections)
            + len(broker.sessions.by_client_id)
            + len(broker.router)
            + len(broker.retained.store)
            + broker.counters.messages_queued
            + broker.counters.messages_inflight
        )
        return PER_THING * things

    def look_at_all(self) -> None:
        """Look at everything once. What is needed after all is allowed from now on, and as much again."""
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        self.thorough += 1
        self._aside = gc.get_freeze_count()
        self._allowed = max(self._allowed, 2 * (self._aside - self._needed()))
        self._asked = False

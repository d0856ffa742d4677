# SPDX-License-Identifier: MIT
"""Work that is more than one turn may cost: it continues in slices, after the other clients had their turn."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mqtt_ref.broker.broker import Broker

__all__ = ["TURN", "Job", "Turns"]

TURN: Final = 4000
"""Units of work of one turn. A unit is about a message to one subscriber, a node of a tree, or a packet."""


class Job(ABC):
    """Something that continues in the next turn."""

    @abstractmethod
    def step(self, now: int) -> bool:
        """Work until `Broker.work` is used up. Return True if nothing is left to do, or something else wakes it."""


class Turns:
    """All jobs. Each gets a turn, in order; one that is not done goes to the end of the row."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self.jobs: deque[Job] = deque()

    def add(self, job: Job) -> None:
        """Give a job a turn after those that wait."""
        self.jobs.append(job)

    def run(self, now: int) -> None:
        """Give the first job its turn."""
        if not self.jobs:
            return
        self._broker.work = self._broker.turn
        job = self.jobs.popleft()
        if not job.step(now):
            self.jobs.append(job)

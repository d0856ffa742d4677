# SPDX-License-Identifier: MIT
"""What happened while a case ran: every packet both ways, notes, and what has to be cleaned up."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mqtt_conformance.profile import Profile

if TYPE_CHECKING:
    from mqtt_conformance.peer import Peer
    from mqtt_ref.wire.violation import Violation

__all__ = ["Record", "Run"]


@dataclass(frozen=True)
class Record:
    """One event, `t` seconds after the case began: opened, out, in, closed, dropped, reset, restarted, killed."""

    t: float
    peer: str
    what: str
    raw: bytes
    packet: object


@dataclass
class Run:
    """One run of one case."""

    prefix: str
    topic_prefix: str
    started: float = field(default_factory=time.monotonic)
    trace: list[Record] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    retained: set[str] = field(default_factory=set)
    peers: list[Peer] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    profile: Profile = field(default_factory=Profile)
    patient: bool = False
    """Whether each step is given time to take effect."""
    limit: asyncio.Timeout | None = None
    """What ends the case, whatever it waits for."""

    def extend(self, seconds: float) -> None:
        """Give the case more time, for a wait that is longer than it may last otherwise."""
        if self.limit is not None and (when := self.limit.when()) is not None:
            self.limit.reschedule(when + seconds)

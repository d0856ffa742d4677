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

__all__ = ["PASSED_OVER", "Record", "Run"]

PASSED_OVER = "passed over"
"""How the note about messages begins that concern nobody in a case."""
TOPICS = 3
"""Topics of others that a note names."""


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
    filters: dict[str, set[str]] = field(default_factory=dict)
    """The Topic Filters that each client asked for, by Client Identifier."""
    strangers: dict[str, int] = field(default_factory=dict)
    """How many messages came that concern nobody here, by Topic Name."""
    unlawful: list[Violation] = field(default_factory=list)
    """The rules that such a message broke by coming at all."""
    released: dict[str, set[int]] = field(default_factory=dict)
    """The Packet Identifiers of QoS 2 messages among them, whose PUBREL concerns nobody either, by client."""
    repeats: int = 0
    """How many packets came again on a live connection, which versions before 5.0 do not forbid."""
    over: dict[str, float] = field(default_factory=dict)
    """When the session of a client ends, in monotonic time, where the server keeps it less long than was asked for."""
    statements: tuple[str, ...] = ()
    """The rules that the case is about."""
    profile: Profile = field(default_factory=Profile)
    patient: bool = False
    """Whether each step is given time to take effect."""
    limit: asyncio.Timeout | None = None
    """What ends the case, whatever it waits for."""

    def extend(self, seconds: float) -> None:
        """Give the case more time, for a wait that is longer than it may last otherwise."""
        if self.limit is not None and (when := self.limit.when()) is not None:
            self.limit.reschedule(when + seconds)

    def passed_over(self) -> list[str]:
        """Sentences on what came that concerns nobody here: messages of others, and what was sent once more."""
        again = f"packets that came again on a live connection, before they were acknowledged: {self.repeats}"
        return [*([self._others()] if self.strangers else []), *([again] if self.repeats else [])]

    def _others(self) -> str:
        number, topics = sum(self.strangers.values()), sorted(self.strangers)
        shown = ", ".join(topics[:TOPICS]) + (
            f" and {len(topics) - TOPICS} more topics" if len(topics) > TOPICS else ""
        )
        what = "1 message" if number == 1 else f"{number} messages"
        return f"{PASSED_OVER} {what} that the case did not ask for: {shown}"

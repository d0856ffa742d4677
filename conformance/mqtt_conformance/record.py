# SPDX-License-Identifier: MIT
"""Records a run of a case: every packet in both directions, notes, and what has to be cleaned up."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mqtt_conformance.profile import Profile
from mqtt_conformance.verdict import FLOOD

if TYPE_CHECKING:
    from mqtt_conformance.outage import Outage
    from mqtt_conformance.peer import Peer
    from mqtt_ref.wire.violation import Violation

__all__ = ["PASSED_OVER", "PER_PACKET", "Record", "Run", "shortened"]

PASSED_OVER = "passed over"
"""The first words of the note about messages that the case did not ask for."""
TOPICS = 3
"""The most foreign topics that a note names."""


PER_PACKET = 512
"""Bytes of that which a packet uses besides its own, as many small ones take memory too."""
SHOWN_RECORDS = 1000
SHOWN_BYTES = 256 * 1024
"""Events, and bytes of packets, that reports show of a case."""


@dataclass(frozen=True)
class Record:
    """One event, `t` seconds after the case began: opened, out, in, closed, dropped, reset, restarted, killed,
    flooded. `left out` stands for those that `shortened` removed; `packet` says how many.
    """

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
    """The Topic Filters that each client subscribed to, by Client Identifier."""
    strangers: dict[str, int] = field(default_factory=dict)
    """The number of messages that the case did not ask for, by Topic Name."""
    unlawful: list[Violation] = field(default_factory=list)
    """The rules that such a message broke."""
    released: dict[str, set[int]] = field(default_factory=dict)
    """The Packet Identifiers of such messages with QoS 2, by client. Their PUBREL is passed over too."""
    repeats: int = 0
    """The number of packets that were sent again on a live connection. Versions before 5.0 do not forbid that."""
    over: dict[str, float] = field(default_factory=dict)
    """When a client's session ends, in monotonic time, if the server keeps it for less time than the client asked."""
    statements: tuple[str, ...] = ()
    """The rules that the case is about."""
    profile: Profile = field(default_factory=Profile)
    patient: bool = False
    """True if each step is given time to take effect."""
    outage: Outage | None = None
    """The restart that the case shares with others; None if it has one of its own."""
    limit: asyncio.Timeout | None = None
    """The time limit that ends the case."""

    received: int = 0
    """What the broker has sent, in bytes, `PER_PACKET` for each packet included."""

    @property
    def flooded(self) -> bool:
        """True if the broker has sent more than one case takes."""
        return self.received > FLOOD

    def extend(self, seconds: float) -> None:
        """Give the case more time, in seconds, for a long wait."""
        if self.limit is not None and (when := self.limit.when()) is not None:
            self.limit.reschedule(when + seconds)

    def passed_over(self) -> list[str]:
        """Return notes about messages that the case did not ask for, and about packets that were sent again."""
        again = f"packets that came again on a live connection, before they were acknowledged: {self.repeats}"
        return [*([self._others()] if self.strangers else []), *([again] if self.repeats else [])]

    def _others(self) -> str:
        number, topics = sum(self.strangers.values()), sorted(self.strangers)
        shown = ", ".join(topics[:TOPICS]) + (
            f" and {len(topics) - TOPICS} more topics" if len(topics) > TOPICS else ""
        )
        what = "1 message" if number == 1 else f"{number} messages"
        return f"{PASSED_OVER} {what} that the case did not ask for: {shown}"


def shortened(trace: list[Record]) -> list[Record]:
    """Return what reports show of a trace: its beginning, as far as `SHOWN_RECORDS` and `SHOWN_BYTES` go.

    What the client sent and what happened to the link is always shown, in its place.
    """
    kept: list[Record] = []
    packets = size = left = 0
    last: Record | None = None
    for record in trace:
        if record.what == "in":
            packets += 1
            size += len(record.raw)
            if packets > SHOWN_RECORDS or size > SHOWN_BYTES:
                left += 1
                last = record
                continue
        kept.append(record)
    if last is not None:
        kept.append(Record(last.t, last.peer, "left out", b"", f"{left:,} more packets of the broker"))
        kept.sort(key=lambda record: record.t)
    return kept

# SPDX-License-Identifier: MIT
"""What waits on one connection: the suspended packet, and the packets after it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mqtt_ref.engine.access import Verdict
    from mqtt_ref.wire.packets import Packet
    from mqtt_ref.wire.violation import Violation

__all__ = ["Suspended", "Waiting"]


class Suspended:
    """The handling of one packet, interrupted while a question is open, or until the next turn.

    `stage` is where its pipeline continues. Each pipeline (`connect`, `publish`, `subscribe`, ...) numbers its own.
    """

    __slots__ = ("codes", "event", "packet", "progress", "question", "stage", "topic", "verdict")

    def __init__(
        self,
        event: str,
        stage: int,
        packet: Packet,
        topic: str = "",
        codes: list[int] | None = None,
        verdict: Verdict | None = None,
    ) -> None:
        self.event = event
        """The event of the hooks that are asked."""
        self.stage = stage
        self.packet = packet
        self.topic = topic
        """The Topic Name, with its alias resolved, or the Topic Filter that is asked about."""
        self.codes: list[int] = [] if codes is None else codes
        """Reason Codes of the filters that are answered already."""
        self.verdict = verdict
        self.question = 0
        """The open question; 0 if the packet continues in the next turn."""
        self.progress: object = None
        """How far the work on the packet has come."""


class Waiting:
    """Exists while something on a connection has to wait."""

    __slots__ = ("behind", "gone", "held", "held_bytes", "in_turn", "suspended")

    def __init__(self) -> None:
        self.suspended: Suspended | None = None
        """The packet whose handling is interrupted."""
        self.held: deque[Packet | Violation] | None = None
        """Packets that came before the client was accepted."""
        self.behind: deque[Packet | Violation] | None = None
        """Packets after the suspended one, or after too much work or output for one turn. No hook has seen them yet."""
        self.held_bytes = 0
        self.in_turn = False
        """True if it has asked for a turn that has not come."""
        self.gone = 0
        """Time until which the answer is awaited after the link was lost; 0: the link is not lost."""

    @property
    def idle(self) -> bool:
        """True if nothing waits any more."""
        return self.suspended is None and self.held is None and self.behind is None and not self.gone

# SPDX-License-Identifier: MIT
"""What a broker of 3.1 or 3.1.1 sends once more on a live connection, where nobody acknowledged it yet.

Both versions ask for that after a reconnect and forbid it at no other time (3.1.1 section 4.4; 3.1 has it done by a
timer); 5.0 forbids it. So such a repeat says nothing, and no case of these versions sees it.
"""

from __future__ import annotations

from dataclasses import dataclass

from mqtt_ref.wire.packets import Packet, Pingreq, Pingresp, Puback, Pubcomp, Publish, Pubrec, Pubrel
from mqtt_ref.wire.primitives import V5

__all__ = ["Retries"]

PINGREQ = b"\xc0\x00"


@dataclass
class _Sent:
    """A packet of the broker that waits for an acknowledgement; `ended` are the PINGREQs that went before that."""

    packet: Publish | Pubrel
    ended: int | None = None


class Retries:
    """Tells repeats on one connection from what comes for the first time on it."""

    def __init__(self, version: int) -> None:
        self._version = version
        self.opened()

    def opened(self) -> None:
        """A new connection: nothing was sent on it yet, so that nothing can be sent on it again."""
        self._messages: dict[int, _Sent] = {}
        self._releases: dict[int, _Sent] = {}
        self._owed: dict[int, int] = {}
        self._asked = self._answered = 0

    def sent(self, packet: Packet | bytes) -> None:
        """Take note of what the client sends: what it acknowledged may still be on its way once more."""
        if isinstance(packet, Pingreq) or packet == PINGREQ:
            self._asked += 1
        elif isinstance(packet, (Puback, Pubrec)):
            self._end(self._messages, packet.packet_id)
            if isinstance(packet, Pubrec):
                self._owed[packet.packet_id] = self._owed.get(packet.packet_id, 0) + 1
        elif isinstance(packet, Pubcomp):
            self._end(self._releases, packet.packet_id)

    def _end(self, some: dict[int, _Sent], number: int) -> None:
        if number in some and some[number].ended is None:
            some[number].ended = self._asked

    def repeats(self, packet: Packet) -> bool:
        """Whether a packet of the broker is one that it has sent on this connection, and may send again."""
        if self._version == V5:
            return False
        if isinstance(packet, Pingresp):
            self._answered += 1
            for some in (self._messages, self._releases):
                for number in [n for n, s in some.items() if s.ended is not None and s.ended < self._answered]:
                    del some[number]
        elif isinstance(packet, Publish) and packet.qos:
            before = self._messages.get(packet.packet_id)
            if before is not None and packet.dup and _same(packet, before.packet):
                return True
            self._messages[packet.packet_id] = _Sent(packet)
        elif isinstance(packet, Pubrel):
            if owed := self._owed.get(packet.packet_id, 0):
                self._owed[packet.packet_id] = owed - 1
            elif packet.packet_id in self._releases:
                return True
            self._releases[packet.packet_id] = _Sent(packet)
        return False


def _same(packet: Publish, before: Packet) -> bool:
    return isinstance(before, Publish) and (packet.topic, packet.payload, packet.qos, packet.retain) == (
        before.topic, before.payload, before.qos, before.retain
    )  # fmt: skip

# SPDX-License-Identifier: MIT
"""Recognises what a broker of 3.1 or 3.1.1 sends again on a live connection before the client acknowledged it.

Both versions require this after a reconnect and never forbid it (3.1.1 section 4.4; 3.1 uses a timer). 5.0 forbids it.
So such a repeat proves nothing, and cases of 3.1 and 3.1.1 do not see it.
"""

from __future__ import annotations

from dataclasses import dataclass

from mqtt_ref.wire.packets import Packet, Pingreq, Pingresp, Puback, Pubcomp, Publish, Pubrec, Pubrel
from mqtt_ref.wire.primitives import V5

__all__ = ["Retries"]

PINGREQ = b"\xc0\x00"


@dataclass
class _Sent:
    """A packet of the broker that needs an acknowledgement.

    `ended` is the number of PINGREQs that were sent before the acknowledgement.
    """

    packet: Publish | Pubrel
    ended: int | None = None


class Retries:
    """Separates repeats on one connection from packets that come for the first time."""

    def __init__(self, version: int) -> None:
        self._version = version
        self.opened()

    def opened(self) -> None:
        """Start a new connection, on which the broker has sent nothing yet."""
        self._messages: dict[int, _Sent] = {}
        self._releases: dict[int, _Sent] = {}
        self._owed: dict[int, int] = {}
        self._asked = self._answered = 0

    def sent(self, packet: Packet | bytes) -> None:
        """Note what the client sends. A packet that it has just acknowledged may still arrive again."""
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
        """True if the broker has already sent this packet on this connection and may send it again."""
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

# SPDX-License-Identifier: MIT
"""Resumed sessions: unacknowledged packets have to be sent again."""

from __future__ import annotations

from mqtt_ref.oracle.monitors.monitor import Accuse, Monitor
from mqtt_ref.oracle.state import RESUMED, SECOND, Outgoing, Talk
from mqtt_ref.wire.codes import DISCONNECT
from mqtt_ref.wire.packets import Packet, Publish, Pubrel

__all__ = ["PATIENCE", "Owing"]

PATIENCE = 10 * SECOND
"""A client that sends other packets for so long, with quota left and nothing pending, will not send them again."""
OWED = (
    "MQTT5-4.4.0-1", "MQTT5-3.1.2-23", "MQTT5-4.1.0-1", "MQTT311-4.4.0-1", "MQTT311-4.1.0-1", "MQTT311-4.1.0-2"
)  # fmt: skip
EXPIRED = ("MQTT5-4.3.3-7",)
UNEXPECTED = ("MQTT5-3.2.2-4",)


class Owing(Monitor):
    """Checks that a client does what Session Present 1 requires."""

    decides = (*OWED, *EXPIRED, *UNEXPECTED)
    idle = ("sent",)

    def __init__(self, talk: Talk, accuse: Accuse) -> None:
        super().__init__(talk, accuse)
        self.told = False
        self.full = False
        """True if the quota was zero once, so that packets may have had to wait."""
        self.again_at = 0
        """When a packet was last sent again."""
        self.since = 0

    def sent(self, packet: Packet) -> None:
        talk = self.talk
        if self.told or talk.connack is None or not talk.connack.session_present or not talk.certain:
            return
        if not talk.accepted:
            return
        assert talk.connect is not None
        if talk.connect.clean_start and packet.TYPE != DISCONNECT and talk.knows():
            self.told = True
            self.accuse(UNEXPECTED, "the connection closed, as there can be no session", "the client continues")
            return
        if talk.used >= talk.receive_maximum:
            self.full = True
        if talk.session != RESUMED or self.full or not talk.timed:
            return
        if packet.TYPE == Pubrel.TYPE or (isinstance(packet, Publish) and packet.dup):
            self.again_at = talk.now
            return  # it has begun to send again
        # It may send one message at a time, each when the previous one is acknowledged.
        since = max(talk.answered_at, talk.acknowledged_at, self.again_at, self.since)
        if packet.TYPE == DISCONNECT or talk.now < since + PATIENCE + talk.slack:
            return
        under_way = talk.memory.outgoing.values()
        if talk.used > 0 or talk.pending or any(one.talk == talk.number for one in under_way) or not talk.knows():
            return
        self.told = True
        for found in list(under_way):
            if self._may_come(found):
                cites: tuple[str, ...] = OWED
                if found.qos == 2 and found.expires and found.expires < talk.now:
                    cites = EXPIRED + OWED
                what = "PUBREL" if found.released else "PUBLISH"
                seen = f"{what} {found.packet_id} ({found.topic!r}) was not sent again in {PATIENCE // SECOND} s"
                self.accuse(cites, "unacknowledged packets sent again when the session is resumed", seen)

    def excuse(self, now: int) -> None:
        self.since = now

    def _may_come(self, found: Outgoing) -> bool:
        """True if the limits of the server and the expiry allow the message to be sent again."""
        talk = self.talk
        if found.released:
            return True
        if found.qos == 1 and found.expires and found.expires < talk.now + talk.slack + SECOND:
            return False  # only QoS 2 messages do not expire once they were sent [MQTT5-4.3.3-7]
        if talk.maximum_packet_size and found.size > talk.maximum_packet_size:
            return False
        told = talk.connack.properties if talk.connack is not None else None
        if told is None:
            return True
        if told.maximum_qos is not None and found.qos > told.maximum_qos:
            return False
        return not (found.retain and told.retain_available == 0)

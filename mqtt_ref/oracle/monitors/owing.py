# SPDX-License-Identifier: MIT
"""A session that is resumed: what is unacknowledged is sent again."""

from __future__ import annotations

from mqtt_ref.oracle.monitors.monitor import Accuse, Monitor
from mqtt_ref.oracle.state import RESUMED, SECOND, Outgoing, Talk
from mqtt_ref.wire.codes import DISCONNECT
from mqtt_ref.wire.packets import Packet, Publish, Pubrel

__all__ = ["PATIENCE", "Owing"]

PATIENCE = 10 * SECOND
"""A client that does other things for so long, has room for it and waits for nothing, will not send again any more."""
OWED = (
    "MQTT5-4.4.0-1", "MQTT5-3.1.2-23", "MQTT5-4.1.0-1", "MQTT311-4.4.0-1", "MQTT311-4.1.0-1", "MQTT311-4.1.0-2"
)  # fmt: skip
EXPIRED = ("MQTT5-4.3.3-7",)
UNEXPECTED = ("MQTT5-3.2.2-4",)


class Owing(Monitor):
    """What a client must do, and does not, when it finds its session present."""

    decides = (*OWED, *EXPIRED, *UNEXPECTED)
    idle = ("sent",)

    def __init__(self, talk: Talk, accuse: Accuse) -> None:
        super().__init__(talk, accuse)
        self.told = False
        self.full = False
        """The quota stood at zero once, so that something may have had to wait."""
        self.again_at = 0
        """When something was sent again last."""
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
            self.accuse(UNEXPECTED, "the connection closed: there can be no session", "the client goes on")
            return
        if talk.used >= talk.receive_maximum:
            self.full = True
        if talk.session != RESUMED or self.full or not talk.timed:
            return
        if packet.TYPE == Pubrel.TYPE or (isinstance(packet, Publish) and packet.dup):
            self.again_at = talk.now
            return  # it is about to
        # It may send one message after the other, each when the one before is acknowledged.
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
                seen = f"{what} {found.packet_id} ({found.topic!r}) was not, for {PATIENCE // SECOND} s"
                self.accuse(cites, "what is unacknowledged sent again when the session is resumed", seen)

    def excuse(self, now: int) -> None:
        self.since = now

    def _may_come(self, found: Outgoing) -> bool:
        """Whether what this server takes lets the message be sent again."""
        talk = self.talk
        if found.released:
            return True
        if found.qos == 1 and found.expires and found.expires < talk.now + talk.slack + SECOND:
            return False  # only of QoS 2 is it said that a message that was sent does not expire [MQTT5-4.3.3-7]
        if talk.maximum_packet_size and found.size > talk.maximum_packet_size:
            return False
        told = talk.connack.properties if talk.connack is not None else None
        if told is None:
            return True
        if told.maximum_qos is not None and found.qos > told.maximum_qos:
            return False
        return not (found.retain and told.retain_available == 0)

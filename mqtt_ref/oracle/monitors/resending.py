# SPDX-License-Identifier: MIT
"""Sending again: only when a session is resumed, with DUP, in order, and nothing that is acknowledged or released."""

from __future__ import annotations

from mqtt_ref.oracle.monitors.monitor import Accuse, Monitor
from mqtt_ref.oracle.state import RESUMED, Outgoing, Talk
from mqtt_ref.wire.packets import Publish, Pubrel
from mqtt_ref.wire.primitives import V5

__all__ = ["Resending"]

DUP = ("MQTT5-3.3.1-1", "MQTT311-3.3.1-1")
NEW = {
    1: ("MQTT5-4.3.2-2", "MQTT311-4.3.2-1", "X311-dup-meaning"),
    2: ("MQTT5-4.3.3-2", "MQTT311-4.3.3-1", "X311-dup-meaning"),
}
LIVE = ("MQTT5-4.4.0-1",)
REFUSED = ("MQTT5-4.4.0-2",)
RELEASED = ("MQTT5-4.3.3-6", "MQTT311-4.3.3-1")
LAPSED = ("MQTT5-3.2.2-5",)
DISCARDED = ("MQTT5-3.1.2-4", "MQTT311-3.1.2-6")
ORDER = ("MQTT5-4.6.0-1", "MQTT311-4.6.0-1")
UNASKED = ("MQTT5-4.3.3-4", "MQTT311-4.3.3-1")


class Resending(Monitor):
    """When a PUBLISH or PUBREL may come a second time, and how."""

    decides = (
        *DUP, *NEW[1], *NEW[2], *LIVE, *REFUSED, *RELEASED, *LAPSED, *DISCARDED, *ORDER, *UNASKED
    )  # fmt: skip
    idle_in_plain = ("sent_publish",)

    def __init__(self, talk: Talk, accuse: Accuse) -> None:
        super().__init__(talk, accuse)
        self.latest = -1
        """The message sent again last, in the order of their first sending."""

    def sent_publish(self, packet: Publish) -> None:
        if not packet.qos or not self.talk.certain:
            return
        found = self.talk.memory.outgoing.get(packet.packet_id)
        if found is None:
            if packet.dup:
                self._first_with_dup(packet)
        elif found.is_same(packet, self.talk.topic_of(packet)):
            self._again(packet, found)

    def _again(self, packet: Publish, found: Outgoing) -> None:
        """A message that is not acknowledged comes once more."""
        talk = self.talk
        here = found.talk == talk.number
        what = f"Packet Identifier {packet.packet_id}"
        if found.released:
            if packet.dup:
                self.accuse(RELEASED, "no PUBLISH again behind its PUBREL", f"{what} was released by a PUBREL")
        elif here:
            if packet.dup:
                self.accuse(
                    LIVE, "messages sent again only when a session is resumed", f"{what} again on the same connection"
                )
        elif talk.session == RESUMED:
            if not packet.dup:
                self.accuse(DUP, "DUP 1 when a message is sent again", f"{what} again with DUP 0")
            if found.order < self.latest:
                self.accuse(ORDER, "messages again in the order of their first sending", f"{what} behind a later one")
            self.latest = max(self.latest, found.order)

    def _first_with_dup(self, packet: Publish) -> None:
        """DUP is set, and there is nothing unacknowledged with that identifier."""
        talk = self.talk
        number = packet.packet_id
        done = talk.done.get(number)
        if done is not None and done[0] == hash(packet.payload):
            # 3.x may send again on a live connection, and the acknowledgement may have crossed that.
            if talk.version == V5:
                cites = REFUSED + LIVE if done[1] >= 0x80 else LIVE
                was = "refused" if done[1] >= 0x80 else "acknowledged"
                self.accuse(cites, "messages sent again only when a session is resumed", f"{number} was {was}")
            return
        if not talk.is_fresh():
            return
        old = talk.memory.lapsed.get(number)
        if old is not None and old.is_same(packet, talk.topic_of(packet)):
            self._from_before(f"Packet Identifier {number} of the session before, sent again")
            return
        self.accuse(NEW[packet.qos], "DUP 0 in what is sent for the first time", f"Packet Identifier {number}, DUP 1")

    def _from_before(self, seen: str) -> None:
        assert self.talk.connect is not None
        if self.talk.connect.clean_start:
            self.accuse(DISCARDED, "nothing of the session that was discarded", seen)
        else:
            self.accuse(LAPSED, "nothing of a session that the server has not (Session Present 0)", seen)

    def sent_pubrel(self, packet: Pubrel) -> None:
        talk = self.talk
        number = packet.packet_id
        if not talk.certain or number in talk.owes_pubrel:
            return
        found = talk.memory.outgoing.get(number)
        if found is not None and found.released and found.talk == talk.number:
            self.accuse(LIVE, "a PUBREL again only when a session is resumed", f"PUBREL {number} once more")
            return
        if found is not None and (found.released or found.received):
            return
        if found is not None and (found.talk == talk.number or talk.session == RESUMED):
            refused = "the message with it has no PUBREC yet"
            self.accuse(UNASKED, "a PUBREL as the answer to a PUBREC", f"PUBREL {number}: {refused}")
            return
        if number in talk.done and number in talk.sent:
            if talk.done[number][1] >= 0x80:
                self.accuse(UNASKED, "no PUBREL behind a PUBREC that refuses", f"PUBREL {number} for a refused message")
            elif talk.version == V5:
                self.accuse(LIVE, "a PUBREL again only when a session is resumed", f"PUBREL {number} once more")
            return
        if found is None and talk.is_fresh():
            old = talk.memory.lapsed.get(number)
            if old is not None and (old.released or old.received):
                self._from_before(f"PUBREL {number} of the session before")
            else:
                self.accuse(UNASKED, "a PUBREL as the answer to a PUBREC", f"PUBREL {number}: no message has it")

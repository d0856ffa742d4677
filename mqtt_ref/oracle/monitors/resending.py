# SPDX-License-Identifier: MIT
"""Retransmission: only when a session is resumed, with DUP, in order, and not after PUBACK, PUBCOMP or PUBREL."""

from __future__ import annotations

from mqtt_ref.oracle.monitors.monitor import Accuse, Monitor
from mqtt_ref.oracle.state import RESUMED, Outgoing, Talk
from mqtt_ref.wire.codes import FAILURE
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
ASKED = "a PUBREL as the answer to a PUBREC"


class Resending(Monitor):
    """Checks each PUBLISH and PUBREL that comes a second time."""

    decides = (
        *DUP, *NEW[1], *NEW[2], *LIVE, *REFUSED, *RELEASED, *LAPSED, *DISCARDED, *ORDER, *UNASKED
    )  # fmt: skip
    idle_in_plain = ("sent_publish",)

    def __init__(self, talk: Talk, accuse: Accuse) -> None:
        super().__init__(talk, accuse)
        self.latest: dict[int, int] = {}
        """By the connection of the first transmission: the highest position of the messages sent again here."""
        self.behind = 0
        """Messages of earlier connections up to this position were sent before one that was sent again here."""

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
        """Check an unacknowledged message that is sent again."""
        talk = self.talk
        here = found.talk == talk.number
        what = f"Packet Identifier {packet.packet_id}"
        # A client that lost its session may reuse the identifier, until it learns that the server still has it.
        resumed = talk.session == RESUMED and talk.knows()
        if found.released:
            if packet.dup and (here or resumed):
                self.accuse(RELEASED, "no PUBLISH again after its PUBREL", f"{what} was released by a PUBREL")
        elif here:
            if packet.dup:
                self.accuse(
                    LIVE, "messages sent again only when a session is resumed", f"{what} again on the same connection"
                )
        elif talk.session == RESUMED:
            if not packet.dup and resumed:
                self.accuse(DUP, "DUP 1 when a message is sent again", f"{what} again with DUP 0")
            if not found.order:
                return
            latest = self.latest.get(found.first, 0)
            if found.order < latest or found.order <= self.behind:
                if packet.dup:
                    expected = "messages sent again in their original order"
                    self.accuse(ORDER, expected, f"{what} after a later message")
            self.latest[found.first] = max(latest, found.order)
            self.behind = max(self.behind, found.behind)

    def _first_with_dup(self, packet: Publish) -> None:
        """Check a PUBLISH with DUP whose identifier belongs to no unacknowledged message."""
        talk = self.talk
        number = packet.packet_id
        topic = talk.topic_of(packet)
        done, code = talk.done.get(number, (None, 0))
        if done is not None and done.is_same(packet, topic):
            # A 3.x client may send again on a live connection, and this may have crossed the acknowledgement.
            if talk.version == V5:
                refused = code >= FAILURE
                seen = f"Packet Identifier {number} again on the same connection, after it was "
                self.accuse(
                    REFUSED + LIVE if refused else LIVE, "messages sent again only when a session is resumed",
                    seen + ("refused" if refused else "acknowledged"),
                )  # fmt: skip
            return
        if not talk.is_fresh():
            return
        old = talk.memory.lapsed.get(number)
        if old is not None and old.is_same(packet, topic):
            self._from_before(f"Packet Identifier {number} of the previous session, sent again")
            return
        expected = "DUP 0 when a message is sent for the first time"
        self.accuse(NEW[packet.qos], expected, f"Packet Identifier {number}, DUP 1")

    def _from_before(self, seen: str) -> None:
        assert self.talk.connect is not None
        if self.talk.connect.clean_start:
            self.accuse(DISCARDED, "no packet of the discarded session", seen)
        else:
            self.accuse(LAPSED, "no packet of a session that the server does not have (Session Present 0)", seen)

    def sent_pubrel(self, packet: Pubrel) -> None:
        talk = self.talk
        number = packet.packet_id
        if not talk.certain or number in talk.owes_pubrel:
            return
        found = talk.memory.outgoing.get(number)
        what = f"PUBREL {number}"
        if found is not None:
            if found.released == talk.number:
                self._released_twice(what)
            elif not found.released and not found.received:
                if found.talk == talk.number or (talk.session == RESUMED and talk.knows()):
                    state = "has no PUBREC yet" if found.qos == 2 else "is of QoS 1"
                    self.accuse(UNASKED, ASKED, f"{what}: the message with this identifier {state}")
        elif number in talk.done:
            done, code = talk.done[number]
            if done.qos == 1:
                seen = f"{what}: the message with this identifier was of QoS 1, and is acknowledged"
                self.accuse(UNASKED, ASKED, seen)
            elif code >= FAILURE:
                self.accuse(UNASKED, "no PUBREL after a PUBREC that refuses", f"{what} for a refused message")
            elif number in talk.released:
                self._released_twice(what)
        elif number in talk.released:
            self._released_twice(what)
        elif talk.is_fresh():
            old = talk.memory.lapsed.get(number)
            if old is not None and (old.released or old.received):
                self._from_before(f"{what} of the previous session")
            else:
                self.accuse(UNASKED, ASKED, f"{what}: no message has this identifier")

    def _released_twice(self, what: str) -> None:
        self.accuse(LIVE, "a PUBREL sent again only when a session is resumed", f"{what} again")

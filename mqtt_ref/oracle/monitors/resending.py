# SPDX-License-Identifier: MIT
"""Sending again: only when a session is resumed, with DUP, in order, and nothing that is acknowledged or released."""

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
    """When a PUBLISH or PUBREL may come a second time, and how."""

    decides = (
        *DUP, *NEW[1], *NEW[2], *LIVE, *REFUSED, *RELEASED, *LAPSED, *DISCARDED, *ORDER, *UNASKED
    )  # fmt: skip
    idle_in_plain = ("sent_publish",)

    def __init__(self, talk: Talk, accuse: Accuse) -> None:
        super().__init__(talk, accuse)
        self.latest: dict[int, int] = {}
        """By the connection of their first sending: the last place of what was sent again here."""
        self.behind = 0
        """What was first sent on earlier connections, up to that place, was so before something sent again here."""

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
        # A client that lost its session may use the identifier anew, until it hears that the server has the session.
        resumed = talk.session == RESUMED and talk.knows()
        if found.released:
            if packet.dup and (here or resumed):
                self.accuse(RELEASED, "no PUBLISH again behind its PUBREL", f"{what} was released by a PUBREL")
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
                    expected = "messages again in the order of their first sending"
                    self.accuse(ORDER, expected, f"{what} behind a later one")
            self.latest[found.first] = max(latest, found.order)
            self.behind = max(self.behind, found.behind)

    def _first_with_dup(self, packet: Publish) -> None:
        """DUP is set, and there is nothing unacknowledged with that identifier."""
        talk = self.talk
        number = packet.packet_id
        topic = talk.topic_of(packet)
        done, code = talk.done.get(number, (None, 0))
        if done is not None and done.is_same(packet, topic):
            # 3.x may send again on a live connection, and the acknowledgement may have crossed that.
            if talk.version == V5:
                refused = code >= FAILURE
                seen = f"Packet Identifier {number} again on the same connection, where it was "
                self.accuse(
                    REFUSED + LIVE if refused else LIVE, "messages sent again only when a session is resumed",
                    seen + ("refused" if refused else "acknowledged"),
                )  # fmt: skip
            return
        if not talk.is_fresh():
            return
        old = talk.memory.lapsed.get(number)
        if old is not None and old.is_same(packet, topic):
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
        what = f"PUBREL {number}"
        if found is not None:
            if found.released == talk.number:
                self._released_twice(what)
            elif not found.released and not found.received:
                if found.talk == talk.number or (talk.session == RESUMED and talk.knows()):
                    state = "has no PUBREC yet" if found.qos == 2 else "is of QoS 1"
                    self.accuse(UNASKED, ASKED, f"{what}: the message with it {state}")
        elif number in talk.done:
            done, code = talk.done[number]
            if done.qos == 1:
                self.accuse(UNASKED, ASKED, f"{what}: the message with it was of QoS 1, and is acknowledged")
            elif code >= FAILURE:
                self.accuse(UNASKED, "no PUBREL behind a PUBREC that refuses", f"{what} for a refused message")
            elif number in talk.released:
                self._released_twice(what)
        elif number in talk.released:
            self._released_twice(what)
        elif talk.is_fresh():
            old = talk.memory.lapsed.get(number)
            if old is not None and (old.released or old.received):
                self._from_before(f"{what} of the session before")
            else:
                self.accuse(UNASKED, ASKED, f"{what}: no message has it")

    def _released_twice(self, what: str) -> None:
        self.accuse(LIVE, "a PUBREL again only when a session is resumed", f"{what} once more")

# SPDX-License-Identifier: MIT
"""Packet Identifiers: a new SUBSCRIBE, UNSUBSCRIBE or PUBLISH needs one that is not in use."""

from __future__ import annotations

from mqtt_ref.oracle.monitors.monitor import Monitor
from mqtt_ref.oracle.state import UNKNOWN
from mqtt_ref.wire.packets import Publish, Subscribe, Unsubscribe
from mqtt_ref.wire.primitives import V5

__all__ = ["Identifiers"]

IN_USE = ("MQTT5-2.2.1-3", "MQTT311-2.3.1-2", "X5-packet-id-reuse", "MQTT311-2.3.1-3")
BY_QOS = {
    1: ("MQTT5-4.3.2-1", "MQTT5-4.3.2-3", "MQTT311-4.3.2-1"),
    2: ("MQTT5-4.3.3-1", "MQTT5-4.3.3-3", "MQTT311-4.3.3-1"),
}
RELEASED = ("MQTT5-4.3.3-5",)
ONE_SET = ("X5-packet-id-single-set",)


class Identifiers(Monitor):
    """Checks that no Packet Identifier is used for two exchanges at once."""

    decides = (*IN_USE, *BY_QOS[1], *BY_QOS[2], *RELEASED, *ONE_SET)
    idle_in_plain = ("sent_publish",)

    def sent_publish(self, packet: Publish) -> None:
        talk = self.talk
        number = packet.packet_id
        if not packet.qos or not talk.certain:
            return
        found = talk.memory.outgoing.get(number)
        if found is not None:
            if found.talk != talk.number and not self._goes_on():
                return
            topic = talk.topic_of(packet)
            if found.is_same(packet, topic) and (packet.dup or found.talk != talk.number):
                return  # sent again: `Resending` checks it
            state = "waits for its PUBCOMP" if found.released else "is not acknowledged"
            cites = IN_USE + BY_QOS[found.qos] + (RELEASED if found.released else ())
            self._accuse(cites, number, f"the message sent to {found.topic!r} with it {state}")
        elif number in talk.pending:
            cites = (IN_USE[0], *ONE_SET, *IN_USE[1:], *BY_QOS[packet.qos][:1])
            self._accuse(cites, number, f"the {talk.pending[number]} with it has no answer yet")

    def sent_subscribe(self, packet: Subscribe) -> None:
        self._command(packet.packet_id)

    def sent_unsubscribe(self, packet: Unsubscribe) -> None:
        self._command(packet.packet_id)

    def _command(self, number: int) -> None:
        talk = self.talk
        if not talk.certain:
            return
        found = talk.memory.outgoing.get(number)
        if number in talk.pending:
            if talk.version >= V5 - 1:  # in 3.1 a client may send a SUBSCRIBE again
                self._accuse(IN_USE, number, f"the {talk.pending[number]} with it has no answer yet")
        elif found is not None and (found.talk == talk.number or self._goes_on()):
            cites = (IN_USE[0], *ONE_SET, *IN_USE[1:])
            self._accuse(cites, number, f"the message sent to {found.topic!r} with it is not acknowledged")

    def _goes_on(self) -> bool:
        """True if the client knows that exchanges of an earlier connection continue.

        A client that has lost its session may use any identifier until it learns that the server still has the session.
        """
        return self.talk.session != UNKNOWN and self.talk.knows()

    def _accuse(self, cites: tuple[str, ...], number: int, seen: str) -> None:
        self.accuse(cites, "a Packet Identifier that is not in use", f"Packet Identifier {number} is in use: {seen}")

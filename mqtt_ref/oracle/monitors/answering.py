# SPDX-License-Identifier: MIT
"""Acknowledgements: of the type that the QoS requires, only for received packets, and in the order of these."""

from __future__ import annotations

from mqtt_ref.oracle.monitors.monitor import Accuse, Monitor
from mqtt_ref.oracle.state import RESUMED, Owed, Talk
from mqtt_ref.wire.codes import PUBACK, PUBCOMP, PUBREC, PUBREL
from mqtt_ref.wire.generated.packets import PACKET_NAMES
from mqtt_ref.wire.packets import Puback, Pubcomp, Pubrec, Pubrel

__all__ = ["Answering"]

KIND = ("MQTT5-3.3.4-1", "MQTT311-3.3.4-1")
BY_QOS = {
    1: ("MQTT5-4.3.2-4", "MQTT311-4.3.2-2"),
    2: ("MQTT5-4.3.3-8", "MQTT311-4.3.3-2"),
}
NO_ANSWER = {
    PUBACK: ("MQTT5-2.2.1-5", "MQTT311-2.3.1-6"),
    PUBREC: ("MQTT5-2.2.1-5", "MQTT311-2.3.1-6"),
    PUBCOMP: ("MQTT5-4.3.3-11", "MQTT5-2.2.1-5", "MQTT311-4.3.3-2", "X311-pubcomp-packet-id"),
}
PUBACKS = ("MQTT5-4.6.0-2", "MQTT311-4.6.0-2")
PUBRECS = ("MQTT5-4.6.0-3", "MQTT311-4.6.0-3")
PUBRELS = ("MQTT5-4.6.0-4", "MQTT311-4.6.0-4")


class Answering(Monitor):
    """Checks the client's answers to messages, PUBRECs and PUBRELs of the server, and their order."""

    decides = (
        *KIND, *BY_QOS[1], *BY_QOS[2], *NO_ANSWER[PUBACK], *NO_ANSWER[PUBCOMP], *PUBACKS, *PUBRECS, *PUBRELS
    )  # fmt: skip

    def __init__(self, talk: Talk, accuse: Accuse) -> None:
        super().__init__(talk, accuse)
        self.passed_over: set[tuple[int, int]] = set()
        """Packets that were already reported as answered too late, so that each is reported once."""

    def sent_puback(self, packet: Puback) -> None:
        talk = self.talk
        self._answer(PUBACK, packet.packet_id, talk.owes_puback, talk.owes_pubrec, 2, PUBACKS)

    def sent_pubrec(self, packet: Pubrec) -> None:
        talk = self.talk
        self._answer(PUBREC, packet.packet_id, talk.owes_pubrec, talk.owes_puback, 1, PUBRECS)

    def sent_pubcomp(self, packet: Pubcomp) -> None:
        talk = self.talk
        self._answer(PUBCOMP, packet.packet_id, talk.owes_pubcomp, talk.owes_puback, 1, ())

    def sent_pubrel(self, packet: Pubrel) -> None:
        talk = self.talk
        number = packet.packet_id
        # A PUBREL that is resent, or sent because of a second PUBREC, has no position in the order.
        if talk.certain and number in talk.owes_pubrel and number not in talk.released and not talk.is_again(number):
            self._in_order(PUBREL, number, talk.owes_pubrel, PUBRELS)

    def _answer(self, kind: int, number: int, owed: Owed, other: Owed, qos: int, order: tuple[str, ...]) -> None:
        """Check an answer to one of `owed`. The packets in `other`, of QoS `qos`, need another type of answer."""
        talk = self.talk
        if not talk.certain or not talk.whole or number in talk.memory.incoming:
            return  # packets of an earlier connection may still be answered
        if number in owed:
            if order:
                self._in_order(kind, number, owed, order)
        elif talk.is_fresh() or (talk.memory.known and talk.session == RESUMED):
            if number in other:
                asked = "a PUBACK for QoS 1" if qos == 1 else "a PUBREC for QoS 2"
                self.accuse(KIND + BY_QOS[qos], asked, f"{PACKET_NAMES[kind]} {number} for a message of QoS {qos}")
            elif number not in talk.recorded:
                self.accuse(
                    NO_ANSWER[kind], f"{PACKET_NAMES[kind]} only as the answer to a packet with the same identifier",
                    f"{PACKET_NAMES[kind]} {number}, but no packet with this identifier waits for it",
                )  # fmt: skip

    def _in_order(self, kind: int, number: int, owed: Owed, order: tuple[str, ...]) -> None:
        late = [one for one in owed.overtaken(number) if (kind, one) not in self.passed_over]
        if late:
            self.passed_over.update((kind, one) for one in late)
            self.accuse(
                order, "answers in the order of the packets answered", f"{PACKET_NAMES[kind]} {number} before {late[0]}"
            )

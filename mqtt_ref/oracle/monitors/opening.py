# SPDX-License-Identifier: MIT
"""The beginning of a connection: CONNECT comes first and only once, with valid fields."""

from __future__ import annotations

from mqtt_ref.oracle.monitors.monitor import Monitor
from mqtt_ref.wire.generated.packets import PACKET_NAMES
from mqtt_ref.wire.packets import Connect, Packet, Pingreq
from mqtt_ref.wire.primitives import V31, V311

__all__ = ["Opening"]

FIRST = ("MQTT5-3.1.0-1", "MQTT311-3.1.0-1")
ONCE = ("X5-connect-once", "X311-connect-once")
EMPTY = ("MQTT311-3.1.3-7",)
LENGTH = ("X31-client-id-length",)
ASCII = ("X31-will-message-ascii",)
USER_NAME = ("X31-user-name-length",)
PASSWORD = ("X31-password-length",)
PIPELINED = ("X31-pipelining",)
ADVISED = 12
"""The maximum length of User Name and Password that 3.1 recommends, in characters."""


class Opening(Monitor):
    """Checks the first packet of a client, and the fields of its CONNECT."""

    decides = (*FIRST, *ONCE, *EMPTY, *LENGTH, *ASCII, *USER_NAME, *PASSWORD, *PIPELINED)
    idle = ("sent",)

    def sent(self, packet: Packet) -> None:
        talk = self.talk
        if talk.connect is not None:
            waits = talk.version == V31 and not talk.answered_at and not talk.overtaken
            if waits and packet.TYPE != Connect.TYPE and talk.certain and not self._keeps_alive(packet):
                what = f"{PACKET_NAMES[packet.TYPE]} before the CONNACK"
                self.accuse(PIPELINED, "no packet before the CONNACK", what)
            return
        if packet.TYPE != Connect.TYPE and talk.whole:
            name = PACKET_NAMES[packet.TYPE]
            self.accuse(FIRST, "a CONNECT as the first packet", f"{name} as the first packet")

    def _keeps_alive(self, packet: Packet) -> bool:
        """True if it is a PINGREQ for the Keep Alive, which begins with the CONNECT."""
        assert self.talk.connect is not None
        return packet.TYPE == Pingreq.TYPE and self.talk.connect.keep_alive > 0

    def sent_connect(self, packet: Connect) -> None:
        if self.talk.connect is not None:
            self.accuse(ONCE, "one CONNECT on a connection", "another CONNECT")
            return
        size = len(packet.client_id)
        if packet.protocol_version == V311 and not size and not packet.clean_start:
            self.accuse(EMPTY, "CleanSession 1 with an empty Client Identifier", "CleanSession 0")
        if packet.protocol_version == V31:
            self._connect_31(packet)

    def _connect_31(self, packet: Connect) -> None:
        size = len(packet.client_id)
        if not 1 <= size <= 23:
            self.accuse(LENGTH, "a Client Identifier of 1 to 23 characters", f"{size} characters")
        if packet.will is not None and not packet.will.payload.isascii():
            self.accuse(ASCII, "a Will Message of 7-bit ASCII characters", f"{packet.will.payload[:40]!r}")
        if packet.username is not None and len(packet.username) > ADVISED:
            self.accuse(USER_NAME, "a User Name of at most 12 characters", f"{len(packet.username)} characters")
        size = 0 if packet.password is None else len(packet.password.decode("utf-8", "replace"))
        if size > ADVISED:
            self.accuse(PASSWORD, "a Password of at most 12 characters", f"{size} characters")

# SPDX-License-Identifier: MIT
"""The end of a connection: the content of DISCONNECT, and no packet after it."""

from __future__ import annotations

from mqtt_ref.oracle.monitors.monitor import Accuse, Monitor
from mqtt_ref.oracle.state import SECOND, Talk
from mqtt_ref.wire.codes import FAILURE, TOPIC_ALIAS_INVALID
from mqtt_ref.wire.generated.packets import PACKET_NAMES
from mqtt_ref.wire.packets import Connack, Disconnect, Packet, Publish
from mqtt_ref.wire.primitives import V5

__all__ = ["PATIENCE", "Goodbye"]

BEHIND = ("MQTT5-3.14.4-1", "MQTT311-3.14.4-2")
CLOSE = ("MQTT5-3.14.4-2", "MQTT311-3.14.4-1")
ERROR_CLOSE = ("MQTT5-3.14.4-2", "MQTT5-4.13.2-1")
REFUSED = ("MQTT5-4.13.2-1",)
EXPIRY = ("X5-disconnect-session-expiry-after-zero",)
ALIAS = ("MQTT5-3.3.2-10",)
PATIENCE = 5 * SECOND
"""A client has to close within this time after its DISCONNECT."""


class Goodbye(Monitor):
    """Checks that a DISCONNECT, or a CONNACK that refuses, ends the connection."""

    decides = (*BEHIND, *CLOSE, *ERROR_CLOSE, *EXPIRY, *ALIAS)
    idle = ("sent",)

    def __init__(self, talk: Talk, accuse: Accuse) -> None:
        super().__init__(talk, accuse)
        self.refused = False
        self.since = 0
        """The start of the time that the connection may stay open after DISCONNECT, if not the DISCONNECT itself."""
        self.aliases_set: set[int] = set()
        self.aliases_kept = True
        """True if all Topic Aliases of the server were allowed by the client, and set before use."""
        self.aliases_used = False
        self.code = 0
        self.told = False

    def got_connack(self, packet: Connack) -> None:
        if packet.reason_code >= FAILURE and not self.talk.answered_at:  # a second CONNACK is the server's mistake
            self.refused = True

    def got_publish(self, packet: Publish) -> None:
        if packet.properties is None or packet.properties.topic_alias is None:
            return
        self.aliases_used = True
        connect = self.talk.connect
        maximum = None
        if connect is not None and connect.properties is not None:
            maximum = connect.properties.topic_alias_maximum
        alias = packet.properties.topic_alias
        if not 0 < alias <= (maximum or 0) or not (packet.topic or alias in self.aliases_set):
            self.aliases_kept = False
        self.aliases_set.add(alias)

    def sent(self, packet: Packet) -> None:
        talk = self.talk
        name = PACKET_NAMES[packet.TYPE]
        if talk.disconnected_at:
            self.accuse(BEHIND, "no packet after DISCONNECT", f"{name} after DISCONNECT")
        elif self.refused and talk.version == V5 and packet.TYPE != Disconnect.TYPE and talk.knows():
            self.accuse(REFUSED, "no packet after a CONNACK that refuses", f"{name} after the CONNACK")

    def sent_disconnect(self, packet: Disconnect) -> None:
        talk = self.talk
        if talk.version != V5 or talk.disconnected_at:
            return
        self.code = packet.reason_code
        if packet.reason_code == TOPIC_ALIAS_INVALID and talk.certain and self.aliases_used and self.aliases_kept:
            self.accuse(ALIAS, "Topic Aliases up to the client's own maximum accepted", "DISCONNECT 0x94")
        expiry = packet.properties.session_expiry_interval if packet.properties is not None else None
        connect = talk.connect
        if expiry and connect is not None:
            before = connect.properties.session_expiry_interval if connect.properties is not None else None
            if not before:
                self.accuse(EXPIRY, "no Session Expiry Interval, as that of CONNECT is 0", f"{expiry} s")

    def excuse(self, now: int) -> None:
        self.since = now

    def passed(self, now: int) -> None:
        # The close of a remote client may not have arrived yet.
        if self.talk.local:
            self.left(now)

    def left(self, now: int) -> None:
        talk = self.talk
        if not talk.disconnected_at or self.told or not talk.end_seen or not talk.timed:
            return
        if now - max(talk.disconnected_at, self.since) > PATIENCE + talk.slack:
            self.told = True
            cites = ERROR_CLOSE if self.code >= FAILURE else CLOSE
            seen = f"open for more than {PATIENCE // SECOND} s after DISCONNECT"
            self.accuse(cites, "the connection closed by the client after its DISCONNECT", seen)

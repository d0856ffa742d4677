# SPDX-License-Identifier: MIT
"""Enhanced authentication: when a client may send AUTH, with which Reason Code and Authentication Method."""

from __future__ import annotations

from mqtt_ref.oracle.monitors.monitor import Accuse, Monitor
from mqtt_ref.oracle.state import Talk
from mqtt_ref.wire.codes import AUTH, CONNECT, DISCONNECT
from mqtt_ref.wire.generated.packets import PACKET_NAMES
from mqtt_ref.wire.packets import Auth, Packet
from mqtt_ref.wire.primitives import V5

__all__ = ["Authenticating"]

ONLY = ("MQTT5-3.1.2-30",)
WITHOUT = ("MQTT5-4.12.0-7", "X5-auth-other-method")
METHOD = ("MQTT5-4.12.0-5", "X5-auth-other-method")
RENEWED = ("MQTT5-4.12.1-1", "MQTT5-4.12.0-5", "X5-auth-other-method")
CONTINUE = ("MQTT5-4.12.0-3",)
AGAIN = ("MQTT5-4.12.1-1",)
CONTINUE_AUTHENTICATION, RE_AUTHENTICATE = 0x18, 0x19
FREE = frozenset({CONNECT, DISCONNECT, AUTH})


class Authenticating(Monitor):
    """Checks the AUTH packets of the client."""

    decides = (*ONLY, *WITHOUT, *METHOD, *RENEWED, *CONTINUE, *AGAIN)
    idle = ("sent",)

    def __init__(self, talk: Talk, accuse: Accuse) -> None:
        super().__init__(talk, accuse)
        self.asked = False
        """True if the last AUTH of the server is not answered yet."""
        self.asked_at = 0

    def _method(self) -> str | None:
        connect = self.talk.connect
        return connect.properties.authentication_method if connect is not None and connect.properties else None

    def sent(self, packet: Packet) -> None:
        talk = self.talk
        if talk.version != V5 or talk.answered_at or packet.TYPE in FREE or talk.connect is None or not talk.certain:
            return
        if self._method() is not None and not talk.overtaken:
            what = f"{PACKET_NAMES[packet.TYPE]} before the CONNACK"
            self.accuse(ONLY, "only AUTH and DISCONNECT before the CONNACK", what)

    def sent_auth(self, packet: Auth) -> None:
        talk = self.talk
        method = self._method()
        if talk.connect is None:
            return
        if method is None:
            self.accuse(WITHOUT, "no AUTH, as the CONNECT has no Authentication Method", "an AUTH")
            return
        used = packet.properties.authentication_method if packet.properties is not None else None
        code = packet.reason_code
        if used != method:
            cites: tuple[str, ...] = RENEWED if code == RE_AUTHENTICATE else METHOD
            self.accuse(cites, f"Authentication Method {method!r}, as in the CONNECT", repr(used))
        if not talk.certain:
            return
        if code == RE_AUTHENTICATE and not talk.answered_at:
            cites = CONTINUE if self.asked else AGAIN
            self.accuse(cites, "re-authentication only after the CONNACK", "AUTH 0x19 before the CONNACK")
        elif code == RE_AUTHENTICATE and self.asked and talk.has(self.asked_at):
            self.accuse(CONTINUE, "AUTH 0x18 as the answer to an AUTH of the server", "AUTH 0x19")
        self.asked = False

    def got_auth(self, packet: Auth) -> None:
        self.asked = packet.reason_code == CONTINUE_AUTHENTICATION
        self.asked_at = self.talk.now

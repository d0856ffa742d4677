# SPDX-License-Identifier: MIT
"""MQTT over WebSocket: the sub-protocol that a client offers, and the kind of frames that it sends."""

from __future__ import annotations

from mqtt_ref.oracle.monitors.monitor import Monitor
from mqtt_ref.wire.primitives import V31

__all__ = ["WebSocket"]

OFFERED = ("MQTT5-6.0.0-3", "MQTT311-6.0.0-3")
BINARY = ("MQTT5-6.0.0-1", "MQTT311-6.0.0-1")
NAME_31 = ("X31-websocket-subprotocol",)


class WebSocket(Monitor):
    """Told by whoever sees the WebSocket layer; a connection without one never calls it."""

    decides = (*OFFERED, *BINARY, *NAME_31)

    def offered(self, protocols: tuple[str, ...]) -> None:
        """The Sub Protocols that the client offers, once it is known which version it speaks."""
        seen = f"it offers {', '.join(protocols) or 'none'}"
        if self.talk.version == V31:
            # That name is a convention which no text confirms; `mqtt` is the one that there is a standard for.
            if not {"mqttv3.1", "mqtt"} & set(protocols):
                self.accuse(NAME_31, "the sub-protocol mqttv3.1, or mqtt", seen)
        elif "mqtt" not in protocols:
            self.accuse(OFFERED, "the sub-protocol mqtt", seen)

    def text_frame(self) -> None:
        """A data frame came that is not binary."""
        self.accuse(BINARY, "packets in binary frames", "a text frame")

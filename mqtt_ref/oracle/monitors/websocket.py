# SPDX-License-Identifier: MIT
"""MQTT over WebSocket: the sub-protocol that a client offers, and the type of its frames."""

from __future__ import annotations

from mqtt_ref.oracle.monitors.monitor import Monitor
from mqtt_ref.wire.primitives import V31

__all__ = ["WebSocket"]

OFFERED = ("MQTT5-6.0.0-3", "MQTT311-6.0.0-3")
BINARY = ("MQTT5-6.0.0-1", "MQTT311-6.0.0-1")
NAME_31 = ("X31-websocket-subprotocol",)


class WebSocket(Monitor):
    """Checks the WebSocket layer. On other connections its methods are never called."""

    decides = (*OFFERED, *BINARY, *NAME_31)

    def offered(self, protocols: tuple[str, ...]) -> None:
        """Check the sub-protocols that the client offers, once its version is known."""
        seen = f"the client offers {', '.join(protocols) or 'none'}"
        if self.talk.version == V31:
            # `mqttv3.1` is only a convention; `mqtt` is the standardized name.
            if not {"mqttv3.1", "mqtt"} & set(protocols):
                self.accuse(NAME_31, "the sub-protocol mqttv3.1, or mqtt", seen)
        elif "mqtt" not in protocols:
            self.accuse(OFFERED, "the sub-protocol mqtt", seen)

    def text_frame(self) -> None:
        """Report a data frame that is not binary."""
        self.accuse(BINARY, "packets in binary frames", "a text frame")

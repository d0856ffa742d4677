# SPDX-License-Identifier: MIT
"""The Maximum Packet Size of the server."""

from __future__ import annotations

from typing import Any

from mqtt_ref.oracle.monitors.monitor import Monitor
from mqtt_ref.wire.generated.packets import PACKET_NAMES
from mqtt_ref.wire.packets import Packet

__all__ = ["Sizes"]

ANY = ("MQTT5-3.2.2-15",)
REASON = {
    4: ("MQTT5-3.4.2-2",), 5: ("MQTT5-3.5.2-2",), 6: ("MQTT5-3.6.2-2",), 7: ("MQTT5-3.7.2-2",),
    14: ("MQTT5-3.14.2-3",), 15: ("MQTT5-3.15.2-2",),
}  # fmt: skip
USER = {
    4: ("MQTT5-3.4.2-3",), 5: ("MQTT5-3.5.2-3",), 6: ("MQTT5-3.6.2-3",), 7: ("MQTT5-3.7.2-3",),
    14: ("MQTT5-3.14.2-4",), 15: ("MQTT5-3.15.2-3",),
}  # fmt: skip


class Sizes(Monitor):
    """Checks that no packet exceeds it, in particular not because of a Reason String or User Property."""

    decides = ANY + tuple(one for cites in (*REASON.values(), *USER.values()) for one in cites)
    idle = ("sent",)

    def sent(self, packet: Packet) -> None:
        talk = self.talk
        limit = talk.maximum_packet_size
        if not limit or talk.size <= limit or not talk.knows() or talk.must_send(packet):
            return
        kind = packet.TYPE
        properties: Any = getattr(packet, "properties", None)
        cites: tuple[str, ...] = ()
        if properties is not None and kind in REASON:
            if properties.reason_string is not None:
                cites += REASON[kind]
            if properties.user_property:
                cites += USER[kind]
        expected = f"packets of at most {limit} bytes (Maximum Packet Size)"
        self.accuse(cites + ANY, expected, f"a {PACKET_NAMES[kind]} of {talk.size} bytes")

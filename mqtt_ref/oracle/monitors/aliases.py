# SPDX-License-Identifier: MIT
"""Topic Aliases: at most the server's maximum, set before use, and valid for one connection only."""

from __future__ import annotations

from mqtt_ref.oracle.monitors.monitor import Monitor
from mqtt_ref.wire.packets import Publish

__all__ = ["Aliases"]

ABOVE = ("MQTT5-3.3.2-9", "MQTT5-3.2.2-17", "X5-topic-alias-invalid")
NONE = ("MQTT5-3.2.2-18", "MQTT5-3.3.2-9", "MQTT5-3.2.2-17", "X5-topic-alias-invalid")
UNKNOWN = ("X5-topic-alias-unknown-empty",)
EARLIER = ("MQTT5-3.3.2-7", "X5-topic-alias-unknown-empty")


class Aliases(Monitor):
    """Checks the Topic Aliases of the client."""

    decides = (*ABOVE, *NONE, *UNKNOWN, *EARLIER)
    idle_in_plain = ("sent_publish",)

    def sent_publish(self, packet: Publish) -> None:
        if packet.properties is None or packet.properties.topic_alias is None:
            return
        talk = self.talk
        alias = packet.properties.topic_alias
        if talk.accepted and talk.knows():
            assert talk.connack is not None
            told = talk.connack.properties
            maximum = (told.topic_alias_maximum if told is not None else None) or 0
            if alias > maximum:
                expected = f"Topic Aliases up to {maximum}" if maximum else "no Topic Alias (Topic Alias Maximum 0)"
                self.accuse(ABOVE if maximum else NONE, expected, f"Topic Alias {alias}")
        if not packet.topic and alias not in talk.aliases and talk.certain:
            if alias in talk.memory.aliases:
                seen = f"Topic Alias {alias} was set on an earlier connection, not on this one"
                self.accuse(EARLIER, "Topic Aliases set again on each connection", seen)
            else:
                self.accuse(UNKNOWN, "a Topic Name with an unknown Topic Alias", f"Topic Alias {alias} alone")

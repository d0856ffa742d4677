# SPDX-License-Identifier: MIT
"""Text: disallowed characters, payloads that claim to be UTF-8, topics that are too long for 3.1."""

from __future__ import annotations

import re
from typing import Any

from mqtt_ref.oracle.monitors.monitor import Monitor
from mqtt_ref.wire.packets import Connect, Packet, Publish
from mqtt_ref.wire.primitives import V5, V31

__all__ = ["Text"]

DISALLOWED = ("X5-disallowed-unicode-not-sent", "X311-disallowed-unicode-sent")
PAYLOAD = ("X5-payload-format-utf8",)
WILL = ("X5-will-payload-format-utf8",)
LENGTH = ("X31-topic-length",)
LONGEST = 32_767
ENDS = "".join(f"{chr(plane << 16 | 0xFFFE)}{chr(plane << 16 | 0xFFFF)}" for plane in range(17))
FOUND = re.compile(f"[\x01-\x1f\x7f-\x9f\ufdd0-\ufdef{ENDS}]")
"""Control characters and Unicode non-characters."""


class Text(Monitor):
    """Checks the content of strings, beyond what makes a packet malformed."""

    decides = (*DISALLOWED, *PAYLOAD, *WILL, *LENGTH)
    idle_in_plain = ("sent",)

    def sent_publish(self, packet: Publish) -> None:
        topic = packet.topic
        if not topic.isprintable():  # a quick check: a disallowed character is never printable
            self._string("Topic Name", topic)
        if len(topic) > LONGEST and self.talk.version == V31:
            self.accuse(LENGTH, f"a topic name of at most {LONGEST} characters", f"{len(topic)} characters")
        properties = packet.properties
        if properties is not None:
            self._properties(properties)
            if properties.payload_format_indicator == 1 and not _is_utf8(packet.payload):
                self.accuse(PAYLOAD, "a payload of UTF-8 (Payload Format Indicator 1)", f"{packet.payload[:40]!r}")

    def sent_connect(self, packet: Connect) -> None:
        self._string("Client Identifier", packet.client_id)
        self._string("User Name", packet.username)
        will = packet.will
        if will is not None:
            self._string("Will Topic", will.topic)
            if will.properties is not None:
                self._properties(will.properties)
                if will.properties.payload_format_indicator == 1 and not _is_utf8(will.payload):
                    self.accuse(WILL, "a Will Payload of UTF-8", f"{will.payload[:40]!r}")

    def sent(self, packet: Packet) -> None:
        if packet.TYPE == Publish.TYPE:
            return
        properties: Any = getattr(packet, "properties", None)
        if properties is not None:
            self._properties(properties)
        for subscription in getattr(packet, "subscriptions", ()):
            self._string("Topic Filter", subscription.topic_filter)
        for topic_filter in getattr(packet, "topic_filters", ()):
            self._string("Topic Filter", topic_filter)

    def _properties(self, properties: Any) -> None:
        for name in properties.__match_args__:
            value = getattr(properties, name)
            if isinstance(value, str):
                self._string(name.replace("_", " ").title(), value)
            elif name == "user_property":
                for pair in value:
                    self._string("User Property", pair[0])
                    self._string("User Property", pair[1])

    def _string(self, field: str, value: str | None) -> None:
        if not value:
            return
        found = FOUND.search(value)
        if found is not None and self.talk.version >= V5 - 1:
            expected = "no control characters or non-characters in a string"
            self.accuse(DISALLOWED, expected, f"U+{ord(found.group()):04X} in the {field}")


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True

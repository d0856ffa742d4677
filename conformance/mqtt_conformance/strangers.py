# SPDX-License-Identifier: MIT
"""Recognises messages that no case asked for, acknowledges them, and passes them over.

A server may create subscriptions itself and send their messages at any QoS and at any time after it has accepted the
connection.

Cites: X311-assigned-subscription
"""

from __future__ import annotations

from collections.abc import Iterable

from mqtt_conformance.record import Run
from mqtt_ref.wire.packets import (
    Connack,
    Connect,
    Packet,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Subscribe,
)
from mqtt_ref.wire.primitives import SERVER, V5, V31, V311
from mqtt_ref.wire.violation import Violation

__all__ = ["Strangers", "concerns"]

FIRST = {V5: "MQTT5-3.2.0-1", V311: "MQTT311-3.2.0-1", V31: "X31-protocol-violation"}
"""The rule that a server breaks if it sends a message before its CONNACK."""
REFUSED = {V5: "MQTT5-3.2.2-7", V311: "MQTT311-3.2.2-5", V31: "X31-connack-refused-close"}
"""The rule that it breaks if it sends a message to a client that it has refused."""


def concerns(topic: str, prefix: str, filters: Iterable[str]) -> bool:
    """True if a message concerns the case: it is on one of its topics, or matches a filter of the client.

    A wildcard also matches a topic that begins with `$` here. The rule against that is for cases to check.
    """
    return prefix in topic or any(_fits(f.split("/"), topic.split("/")) for f in filters)


def _fits(pattern: list[str], topic: list[str]) -> bool:
    if pattern[0] == "$share" and len(pattern) > 2:
        pattern = pattern[2:]
    for at, level in enumerate(pattern):
        if level == "#":
            return True
        if at >= len(topic) or level not in ("+", topic[at]):
            return False
    return len(pattern) == len(topic)


class Strangers:
    """The messages of one peer that the case did not ask for."""

    def __init__(self, run: Run, version: int, client_id: str) -> None:
        self._run, self._version, self._client_id = run, version, client_id
        self.opened()

    def opened(self) -> None:
        """Start a new connection, on which nothing was sent yet."""
        self._names: dict[int, str] = {}
        self._accepted: bool | None = None
        self._introduced = False
        self._aliases = self._limit = 0

    def sent(self, packet: Packet) -> None:
        """Note what the client asks for."""
        if isinstance(packet, Connect) and not self._introduced:
            self._introduced = True
            self._client_id = packet.client_id
            if packet.clean_start:
                self._run.released.pop(self._client_id, None)
            if packet.properties is not None:
                self._aliases = packet.properties.topic_alias_maximum or 0
                self._limit = packet.properties.maximum_packet_size or 0
        elif isinstance(packet, Subscribe):
            self._run.filters.setdefault(self._client_id, set()).update(s.topic_filter for s in packet.subscriptions)

    def sort(self, packet: Packet, size: int) -> tuple[list[Packet | Violation], Packet | None]:
        """Return what the case sees of a packet of `size` bytes, and the answer to a packet that it does not see.

        A message that the broker must not send at all is returned as the rule that it breaks.
        """
        if isinstance(packet, Connack):
            self._accepted = packet.reason_code == 0
            return [packet], None
        theirs = self._run.released.setdefault(self._client_id, set())
        if isinstance(packet, Pubrel) and packet.packet_id in theirs:
            return [], Pubcomp(packet.packet_id)
        if not isinstance(packet, Publish) or self._is_mine(packet):
            if isinstance(packet, Publish) and packet.qos:
                theirs.discard(packet.packet_id)
            return [packet], None
        return self._passed(packet, size)

    def _is_mine(self, packet: Publish) -> bool:
        topic, alias = packet.topic, packet.properties.topic_alias if packet.properties else None
        if alias and topic:
            self._names[alias] = topic
        elif alias:
            topic = self._names.get(alias, "")
        return not topic or concerns(topic, self._run.topic_prefix, self._run.filters.get(self._client_id, ()))

    def _passed(self, packet: Publish, size: int) -> tuple[list[Packet | Violation], Packet | None]:
        alias = packet.properties.topic_alias if packet.properties else None
        topic = packet.topic or self._names.get(alias or 0, "")
        self._run.strangers[topic] = self._run.strangers.get(topic, 0) + 1
        if not self._accepted:
            rules = FIRST if self._accepted is None else REFUSED
            return [self._broken(rules[self._version], packet)], None
        if alias and alias > self._aliases:
            return [self._broken("MQTT5-3.1.2-26" if self._aliases else "MQTT5-3.1.2-27", packet)], None
        if self._limit and size > self._limit:
            return [self._broken("MQTT5-3.1.2-24", packet)], None
        if packet.qos == 2:
            self._run.released.setdefault(self._client_id, set()).add(packet.packet_id)
            return [], Pubrec(packet.packet_id)
        return [], Puback(packet.packet_id) if packet.qos else None

    def _broken(self, statement: str, packet: Packet) -> Violation:
        broken = Violation(statement, 0x82, packet.TYPE, 0, self._version, SERVER, "")
        self._run.unlawful.append(broken)
        return broken

# SPDX-License-Identifier: MIT
"""An Application Message inside the server, and its encoded forms: each is made once, whoever gets it."""

from __future__ import annotations

from typing import Final

from mqtt_ref.wire.block import Block, outgoing
from mqtt_ref.wire.fast import publish_bytes
from mqtt_ref.wire.packets import PublishProperties
from mqtt_ref.wire.primitives import V5

__all__ = ["NEVER", "PLAIN_MAXIMUM", "SECOND", "Message"]

SECOND: Final = 1_000_000_000
"""Nanoseconds."""
NEVER: Final = 0
"""`expires_at` of a message that does not expire."""
PLAIN_MAXIMUM: Final = 268_000_000
"""Bytes of a payload that every client can be sent if it has no properties: the largest packet has 268,435,460."""


class Message:
    """One Application Message: full topic name, payload, and the properties that are forwarded.

    `block` holds the properties as the bytes that came, without a Topic Alias or Subscription Identifiers; those belong
    to one connection or one subscriber. The Message Expiry Interval in it is the one received; `arrived` and
    `expires_at` say when it counts from and ends. `publisher` is the Client Identifier that No Local compares with.
    """

    __slots__ = (
        "_forms",
        "_halves",
        "arrived",
        "block",
        "encoded_topic",
        "expires_at",
        "ident",
        "payload",
        "publisher",
        "qos",
        "retain",
        "size",
        "topic",
    )

    def __init__(
        self,
        ident: int,
        topic: str,
        payload: bytes,
        qos: int,
        retain: bool,
        block: Block | None,
        publisher: str,
        arrived: int,
        expires_at: int = NEVER,
    ) -> None:
        self.ident = ident
        self.topic = topic
        self.encoded_topic = topic.encode()
        self.payload = payload
        self.qos = qos
        self.retain = retain
        self.block = block
        self.publisher = publisher
        self.arrived = arrived
        self.expires_at = expires_at
        self.size = len(self.encoded_topic) + len(payload)
        self._forms: list[bytes] | None = None
        self._halves: list[bytes] | None = None
        """Of forms that are sent more than once: what comes before the packet identifier, and what comes after it."""

    def __repr__(self) -> str:
        return f"Message({self.ident}, {self.topic!r}, {self.payload!r}, qos={self.qos}, retain={self.retain})"

    @property
    def properties(self) -> PublishProperties | None:
        """The properties as new objects, for people to look at; None if there are none."""
        return None if self.block is None else self.block.properties()

    def form(self, version: int, qos: int, retain: bool) -> bytes:
        """The PUBLISH within a second of its arrival, without identifiers or alias; its packet identifier is 0.

        All properties but the expiry interval, which is kept as received here, go out unaltered and in order.
        Empty if there can be no packet of that size: that of another version, say, had a byte less around the payload.

        Cites: MQTT5-3.3.2-4, MQTT5-3.3.2-15, MQTT5-3.3.2-16, MQTT5-3.3.2-17, MQTT5-3.3.2-18, MQTT5-3.3.2-20,
        X5-publish-empty-payload, X311-publish-payload-any, X311-publish-payload-empty, MQTT5-2.2.1-2, MQTT5-2.2.2-1,
        MQTT311-2.3.1-5
        """
        forms = self._forms
        if forms is None:
            forms = self._forms = [b""] * 12
        at = (6 if version == V5 else 0) + qos * 2 + (1 if retain else 0)
        form = forms[at]
        if not form:
            properties = b"" if self.block is None or version != V5 else self.block.data
            form = forms[at] = _encoded(version, self.encoded_topic, self.payload, qos, retain, False, 0, properties)
        return form

    def with_id(self, version: int, qos: int, retain: bool, packet_id: int) -> bytes:
        """The same form with a packet identifier; only two bytes of it differ between subscribers."""
        at = (6 if version == V5 else 0) + qos * 2 + (1 if retain else 0)
        halves = self._halves
        if halves is not None:
            head = halves[at]
            if head:
                return head + packet_id.to_bytes(2, "big") + halves[at + 12]
        forms = self._forms
        if forms is None:
            forms = self._forms = [b""] * 12
        form = forms[at]
        topic = self.encoded_topic
        if not form:
            # The first one as it is: only further ones have two bytes to change.
            properties = b"" if self.block is None or version != V5 else self.block.data
            payload = self.payload
            if len(payload) <= PLAIN_MAXIMUM - len(properties):
                form = publish_bytes(version, topic, payload, qos, retain, False, packet_id, properties)
            else:
                form = _encoded(version, topic, payload, qos, retain, False, packet_id, properties)
            forms[at] = form
            return form
        if halves is None:
            halves = self._halves = [b""] * 24
        number = 4 + len(topic)
        while form[number - len(topic) - 3] > 127:
            number += 1
        head = halves[at] = form[:number]
        tail = halves[at + 12] = form[number + 2 :]
        return head + packet_id.to_bytes(2, "big") + tail

    def limit_expiry(self, seconds: int) -> None:
        """Bound how long the message is kept, whatever its publisher said; 0: no bound."""
        if seconds:
            latest = self.arrived + seconds * SECOND
            if self.expires_at == NEVER or self.expires_at > latest:
                self.expires_at = latest

    def waited(self, now: int) -> int:
        """Whole seconds since it arrived."""
        return (now - self.arrived) // SECOND

    def encode(
        self,
        version: int,
        qos: int,
        retain: bool,
        dup: bool,
        packet_id: int,
        identifiers: tuple[int, ...],
        alias: int,
        named: bool,
        waited: int,
    ) -> bytes:
        """The PUBLISH for one subscriber: with its identifiers, its alias (and no name unless `named`), its expiry.

        Empty if there can be no packet of that size.

        The expiry interval sent is the one received less the seconds waited, never below 0.

        Cites: MQTT5-3.3.2-6, X5-message-expiry-absent
        """
        properties = outgoing(self.block, waited, identifiers, alias) if version == V5 else b""
        topic = self.encoded_topic if named else b""
        return _encoded(version, topic, self.payload, qos, retain, dup, packet_id, properties)


def _encoded(
    version: int,
    topic: bytes,
    payload: bytes,
    qos: int,
    retain: bool,
    dup: bool,
    packet_id: int,
    properties: bytes,
) -> bytes:
    """Encode a PUBLISH. Empty if there can be no packet of that size."""
    try:
        return publish_bytes(version, topic, payload, qos, retain, dup, packet_id, properties)
    except ValueError:
        return b""

# SPDX-License-Identifier: MIT
"""An Application Message inside the server, and its encoded forms, made once for all subscribers."""

from __future__ import annotations

from typing import Final

from mqtt_ref.wire.block import Block, outgoing
from mqtt_ref.wire.fast import publish_bytes
from mqtt_ref.wire.packets import PublishProperties
from mqtt_ref.wire.primitives import V5

__all__ = [
    "APART",
    "FLIGHT",
    "LIGHT",
    "MESSAGE",
    "NEVER",
    "OVERHEAD",
    "PLACE",
    "PLAIN_MAXIMUM",
    "SECOND",
    "Message",
    "expiry_time",
]

SECOND: Final = 1_000_000_000
"""Nanoseconds."""
NEVER: Final = 0
"""`expires_at` of a message that does not expire."""
PLAIN_MAXIMUM: Final = 268_000_000
"""Bytes of a payload that always fits in a packet without properties: the largest packet has 268,435,460 bytes."""
APART: Final = 16 * 1024
"""Bytes of a payload from which it is sent apart from the head of its PUBLISH, so that all subscribers share it."""

MESSAGE: Final = 400
"""Bytes of a message besides its topic, payload and properties; see `broker.budget`."""
PLACE: Final = 200
"""Bytes of a place in a queue, or of an exchange in flight."""
OVERHEAD: Final = MESSAGE + PLACE
"""Bytes that a message counts besides its `size` where the messages of one session are limited."""
LIGHT: Final = 256
"""The `size` up to which a message in flight is not looked at but counts `FLIGHT` bytes: that costs no time."""
FLIGHT: Final = 800
"""Bytes of a light message in flight, for each client."""
FORMS: Final = 200
"""Bytes of a list of encoded forms."""


def expiry_time(block: Block | None, now: int) -> int:
    """Return when a message that arrives `now` (nanoseconds) with these properties expires, or `NEVER`."""
    if block is None or block.expiry_at < 0:
        return NEVER
    return max(now + block.expiry() * SECOND, 1)


class Message:
    """One Application Message: Topic Name, payload, and the properties that are forwarded.

    `block` holds the received bytes of the properties, without Topic Alias and Subscription Identifiers: those belong
    to one connection or one subscriber. It contains the Message Expiry Interval as received. The interval starts at
    `arrived` and ends at `expires_at`, in nanoseconds. `publisher` is the Client Identifier that No Local compares
    with.

    `size` are the bytes of topic, payload and properties. `weight` are all bytes that it takes, with its encoded
    forms; it is worked out when it is asked for, as most messages only pass through. The budget keeps `places`, the
    number of places that hold the message, and `counted`, the `weight` that it counts.

    `beside` is 0, or the size of a payload of `APART` bytes or more. The encoded forms then end before the payload, and
    whoever sends one sends `payload` after it. So a large payload is never copied, for any number of subscribers.
    """

    __slots__ = (
        "_first",
        "_first_at",
        "_forms",
        "_grown",
        "_halves",
        "arrived",
        "beside",
        "block",
        "counted",
        "encoded_topic",
        "expires_at",
        "ident",
        "payload",
        "places",
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
        encoded = topic.encode()
        self.encoded_topic = encoded
        self.payload = payload
        self.qos = qos
        self.retain = retain
        self.block = block
        self.publisher = publisher
        self.arrived = arrived
        self.expires_at = expires_at
        size = len(payload)
        self.beside = size if size >= APART else 0
        size += len(encoded)
        if block is not None:
            size += len(block.data)
        self.size = size
        self.counted = 0
        self.places = 0
        self._first = b""
        """The form that was made first, at `_first_at`. Most messages have only this one."""
        self._first_at = -1
        self._grown = 0
        """Bytes of all other forms, and of the lists that hold them."""
        self._forms: list[bytes] | None = None
        """The other forms."""
        self._halves: list[bytes] | None = None
        """The bytes before the packet identifier, and those after it, of forms that are sent more than once."""

    def __repr__(self) -> str:
        return f"Message({self.ident}, {self.topic!r}, {self.payload!r}, qos={self.qos}, retain={self.retain})"

    @property
    def weight(self) -> int:
        """All bytes that it takes. Its topic is kept as a text too, with up to four bytes for a character."""
        topic = self.topic
        text = len(topic) if topic.isascii() else 4 * len(topic)
        return MESSAGE + self.size + text + len(self._first) + self._grown

    @property
    def properties(self) -> PublishProperties | None:
        """The properties, decoded into new objects; None if there are none."""
        return None if self.block is None else self.block.properties()

    def form(self, version: int, qos: int, retain: bool) -> bytes:
        """Return the PUBLISH as sent within a second of its arrival, with packet identifier 0.

        It has no alias and no Subscription Identifiers. The other properties are unaltered and in order. The expiry
        interval is the one received, since no full second has passed. A payload that is `beside` it is left out.
        Return `b""` if it would exceed the largest packet size. That can happen to a message from a client of another
        version, whose packet was a byte shorter.

        Cites: MQTT5-3.3.2-4, MQTT5-3.3.2-15, MQTT5-3.3.2-16, MQTT5-3.3.2-17, MQTT5-3.3.2-18, MQTT5-3.3.2-20,
        X5-publish-empty-payload, X311-publish-payload-any, X311-publish-payload-empty, MQTT5-2.2.1-2, MQTT5-2.2.2-1,
        MQTT311-2.3.1-5
        """
        at = (6 if version == V5 else 0) + qos * 2 + (1 if retain else 0)
        if at == self._first_at:
            return self._first
        form = b"" if self._forms is None else self._forms[at]
        if not form:
            properties = b"" if self.block is None or version != V5 else self.block.data
            form = self._encoded(version, self.encoded_topic, qos, retain, False, 0, properties)
            self._keep(at, form)
        return form

    def _keep(self, at: int, form: bytes) -> None:
        if self._first_at < 0:
            self._first_at = at
            self._first = form
            return
        if self._forms is None:
            self._forms = [b""] * 12
            self._grown += FORMS
        self._grown += len(form)
        self._forms[at] = form

    def with_id(self, version: int, qos: int, retain: bool, packet_id: int) -> bytes:
        """Return the same form with a packet identifier. Only these two bytes differ between subscribers."""
        at = (6 if version == V5 else 0) + qos * 2 + (1 if retain else 0)
        topic = self.encoded_topic
        if self._first_at < 0:
            # The first form is sent as it is. Only a second subscriber needs the halves.
            properties = b"" if self.block is None or version != V5 else self.block.data
            if self.beside or len(properties) > PLAIN_MAXIMUM:
                form = self._encoded(version, topic, qos, retain, False, packet_id, properties)
            else:
                form = publish_bytes(version, topic, self.payload, qos, retain, False, packet_id, properties)
            self._first_at = at
            self._first = form
            return form
        halves = self._halves
        if halves is not None:
            head = halves[at]
            if head:
                return head + packet_id.to_bytes(2, "big") + halves[at + 12]
        if at == self._first_at:
            form = self._first
            if not form:
                return form  # it would exceed the largest packet size
        else:
            form = b"" if self._forms is None else self._forms[at]
            if not form:
                properties = b"" if self.block is None or version != V5 else self.block.data
                form = self._encoded(version, topic, qos, retain, False, packet_id, properties)
                self._keep(at, form)
                return form
        if halves is None:
            halves = self._halves = [b""] * 24
            self._grown += 2 * FORMS
        number = 4 + len(topic)
        while form[number - len(topic) - 3] > 127:
            number += 1
        head = halves[at] = form[:number]
        tail = halves[at + 12] = form[number + 2 :]
        self._grown += len(form)
        return head + packet_id.to_bytes(2, "big") + tail

    def forget_forms(self) -> None:
        """Drop the encoded forms: whoever keeps the message for long does not need them. They are made again."""
        if self._first_at >= 0:
            self._first = b""
            self._first_at = -1
            self._forms = None
            self._halves = None
            self._grown = 0

    def limit_expiry(self, seconds: int) -> None:
        """Limit how long the message is kept, in seconds from its arrival. 0: no limit of the server."""
        if seconds:
            latest = self.arrived + seconds * SECOND
            if self.expires_at == NEVER or self.expires_at > latest:
                self.expires_at = latest

    def waited(self, now: int) -> int:
        """Return the whole seconds since it arrived."""
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
        """Return the PUBLISH for one subscriber, with its Subscription Identifiers, alias and remaining expiry.

        The Topic Name is sent only if `named`. The expiry interval is the one received minus `waited` seconds, never
        below 0. A payload that is `beside` it is left out. Return `b""` if the packet would exceed the largest packet
        size.

        Cites: MQTT5-3.3.2-6, X5-message-expiry-absent
        """
        properties = outgoing(self.block, waited, identifiers, alias) if version == V5 else b""
        topic = self.encoded_topic if named else b""
        return self._encoded(version, topic, qos, retain, dup, packet_id, properties)

    def _encoded(
        self, version: int, topic: bytes, qos: int, retain: bool, dup: bool, packet_id: int, properties: bytes
    ) -> bytes:
        """Encode a PUBLISH. Return `b""` if it would exceed the largest packet size."""
        beside = self.beside
        payload = b"" if beside else self.payload
        try:
            return publish_bytes(version, topic, payload, qos, retain, dup, packet_id, properties, beside)
        except ValueError:
            return b""

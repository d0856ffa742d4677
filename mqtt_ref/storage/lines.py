# SPDX-License-Identifier: MIT
"""A store as JSON lines: what `mqtt-ref store export` writes and `import` reads. Bytes are in base64."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec import Struct

from mqtt_ref.ports import InflightPut, QueuePut, SessionPut, StoredMessage, SubscriptionPut
from mqtt_ref.storage import records as form
from mqtt_ref.storage.port import KeyValue, StoreError
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import Connect
from mqtt_ref.wire.primitives import V5

__all__ = ["WHAT", "End", "Header", "Line", "of_store", "pairs", "read", "write"]


class Header(Struct, tag_field="kind", tag="header", forbid_unknown_fields=True):
    """The first line."""

    what: str
    format: int


class Totals(Struct, tag_field="kind", tag="totals", forbid_unknown_fields=True):
    """Totals of `$SYS`."""

    totals: dict[str, int]


class _Message(Struct, forbid_unknown_fields=True):
    ident: int
    topic: str
    payload: bytes
    qos: int
    retain: bool
    properties: bytes
    publisher: str
    arrived: int
    expires_at: int


class Message(_Message, tag_field="kind", tag="message", kw_only=True, forbid_unknown_fields=True):
    """A message that `waiting` sessions wait for."""

    waiting: int


class Retained(_Message, tag_field="kind", tag="retained", forbid_unknown_fields=True):
    """A retained message."""


class Session(Struct, tag_field="kind", tag="session", forbid_unknown_fields=True):
    """A session. `will` is a CONNECT packet of 5.0 that has nothing but the will."""

    client_id: str
    version: int
    username: str
    expiry: int
    ends_at: int
    will: bytes | None
    bare: bool
    will_at: int
    connected: bool


class Subscription(Struct, tag_field="kind", tag="subscription", forbid_unknown_fields=True):
    """A subscription."""

    client_id: str
    topic_filter: str
    options: int
    identifier: int


class Inflight(Struct, tag_field="kind", tag="inflight", forbid_unknown_fields=True):
    """A message in flight; `message` is it, or the `ident` of a line before."""

    client_id: str
    packet_id: int
    state: int
    order: int
    message: int | _Message
    qos: int
    retain: bool
    identifiers: list[int]
    group: str


class Queued(Struct, tag_field="kind", tag="queued", forbid_unknown_fields=True):
    """A message that waits; `message` is it, or the `ident` of a line before."""

    client_id: str
    order: int
    message: int | _Message
    qos: int
    retain: bool
    identifiers: list[int]
    group: str


class Received(Struct, tag_field="kind", tag="received", forbid_unknown_fields=True):
    """A QoS 2 message that awaits PUBREL."""

    client_id: str
    packet_id: int


class End(Struct, tag_field="kind", tag="end", forbid_unknown_fields=True):
    """The last line: how many came before it."""

    lines: int


Line = Header | Totals | Message | Retained | Session | Subscription | Inflight | Queued | Received | End
WHAT: Final = "mqtt_ref store"
_decode = msgspec.json.Decoder(Line).decode
write = msgspec.json.Encoder().encode


def read(data: bytes) -> Line:
    """One line.

    Raises:
        ValueError: it is no line of a store; the text says why.
    """
    try:
        line: Line = _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(str(error)) from error
    return line


# -------------------------------------------------------------------- from a store


def of_store(back_end: KeyValue) -> Iterator[Line]:
    """All lines of a store, from its header to the end.

    Raises:
        StoreError: something in it is damaged.
    """
    yield Header(WHAT, form.FORMAT)
    count = 1
    for line in _content(back_end):
        count += 1
        yield line
    yield End(count)


def _content(back_end: KeyValue) -> Iterator[Line]:
    totals = back_end.get([form.TOTALS_KEY]).get(form.TOTALS_KEY)
    if totals is not None:
        yield Totals(form.read_totals(totals))
    for key, value in back_end.scan(form.MESSAGE):
        message = form.read_message(key, value)
        counted = form.count_key(message.ident)
        count = back_end.get([counted]).get(counted)
        yield Message(*message, waiting=0 if count is None else form.read_count(counted, count))
    for key, value in back_end.scan(form.RETAINED):
        yield Retained(*form.read_message(key, value))
    apart = _Apart()
    client_id = ""
    for key, value in back_end.scan(form.SESSIONS):
        size = 2 + key[1]
        kind = key[size]
        if kind == form.SESSION:
            session = form.read_session(key, value, key[2:size])
            client_id = session.client_id
            will = None if session.will is None else encode(V5, Connect("", will=session.will))
            bare = session.will is not None and session.will.properties is None
            times = session.ends_at, will, bare, session.will_at, session.connected
            yield Session(client_id, session.version, session.username, session.expiry, *times)
        elif form.client_part(client_id) != key[:size]:
            continue  # it belongs to no session
        elif kind == form.SUBSCRIPTION:
            yield Subscription(*form.read_subscription(key, value, client_id, key[size + 1 :]))
        elif kind == form.INFLIGHT:
            flying = form.read_inflight(key, value, client_id, apart.fetch)
            place = client_id, flying.packet_id, flying.state, flying.order
            yield Inflight(*place, _shown(flying), flying.qos, flying.retain, list(flying.identifiers), flying.group)
        elif kind == form.QUEUE:
            queued = form.read_queue(key, value, client_id, apart.fetch)
            how = queued.qos, queued.retain, list(queued.identifiers), queued.group
            yield Queued(client_id, queued.order, _shown(queued), *how)
        else:
            yield Received(client_id, int.from_bytes(key[-2:], "big"))


class _Apart:
    """Stands for messages that are kept apart."""

    def fetch(self, ident: int) -> StoredMessage:
        """Something with the identifier, and no topic: no other message has none."""
        return StoredMessage(ident, "", b"", 0, False, b"", "", 0, 0)


def _shown(record: InflightPut | QueuePut) -> int | _Message:
    return _Message(*record.message) if record.message.topic else record.message.ident


# -------------------------------------------------------------------- into a store


def pairs(line: Line) -> list[tuple[bytes, bytes]]:
    """The keys and values that a line stands for.

    Raises:
        ValueError: its values cannot be.
    """
    try:
        return _pairs(line)
    except (OverflowError, StoreError) as error:
        raise ValueError(str(error)) from error


def _pairs(line: Line) -> list[tuple[bytes, bytes]]:
    if isinstance(line, Totals):
        return [(form.TOTALS_KEY, form.of_totals(line.totals))]
    if isinstance(line, Message):
        message = _message(line)
        apart = (form.message_key(message.ident), form.of_message(message))
        return [apart, (form.count_key(message.ident), form.of_count(line.waiting))]
    if isinstance(line, Retained):
        message = _message(line)
        return [(form.RETAINED + form.name_part(message.topic), form.of_message(message))]
    if isinstance(line, Header | End):
        return []
    part = form.client_part(line.client_id)
    if isinstance(line, Session):
        will = None if line.will is None else form.read_will(b"will", line.will, line.bare)
        rest = line.expiry, line.ends_at, will, line.will_at, line.connected
        return [(part + b"\0", form.of_session(SessionPut(line.client_id, line.version, line.username, *rest)))]
    if isinstance(line, Subscription):
        record = SubscriptionPut(line.client_id, line.topic_filter, line.options, line.identifier)
        return [(part + b"\x01" + form.name_part(line.topic_filter), form.of_subscription(record))]
    if isinstance(line, Received):
        return [(part + b"\x04" + line.packet_id.to_bytes(2, "big"), b"")]
    apart_ident = isinstance(line.message, int)
    message = StoredMessage(line.message, *_NOTHING) if isinstance(line.message, int) else _message(line.message)
    how = message, line.qos, line.retain, tuple(line.identifiers), line.group
    if isinstance(line, Inflight):
        flying = InflightPut(line.client_id, line.packet_id, line.state, line.order, *how)
        return [(part + b"\x02" + line.packet_id.to_bytes(2, "big"), form.of_inflight(flying, apart_ident))]
    queued = QueuePut(line.client_id, line.order, *how)
    return [(part + b"\x03" + line.order.to_bytes(8, "big"), form.of_queue(queued, apart_ident))]


_NOTHING: Final = ("", b"", 0, False, b"", "", 0, 0)


def _message(line: _Message) -> StoredMessage:
    return StoredMessage(
        line.ident,
        line.topic,
        line.payload,
        line.qos,
        line.retain,
        line.properties,
        line.publisher,
        line.arrived,
        line.expires_at,
    )

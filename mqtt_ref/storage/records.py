# SPDX-License-Identifier: MIT
"""Records as keys and values: the same bytes in every back end. `FORMAT` is their version.

| key | value |
|---|---|
| `F` | the format, see `header` |
| `I` | is there while a copy or an import fills the store |
| `T` | totals of `$SYS` by name |
| `m` + ident | a message that more than one queue or flight refers to |
| `c` + ident | how many refer to it |
| `r` + topic | the retained message of the topic |
| `s` + client + 0 | the session |
| `s` + client + 1 + filter | a subscription |
| `s` + client + 2 + packet identifier | a message in flight: itself, or the identifier of the one that it refers to |
| `s` + client + 3 + order | a message that waits: the same |
| `s` + client + 4 + packet identifier | a QoS 2 message that awaits PUBREL |

`client` has its length in front. Names of 200 bytes and more are cut and hashed, so that keys stay short; the value has
the whole name then. Values are MessagePack arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Any, Final, NamedTuple

import msgspec

from mqtt_ref import __version__
from mqtt_ref.ports import (
    InflightPut,
    QueuePut,
    SessionPut,
    StoredMessage,
    SubscriptionPut,
)
from mqtt_ref.storage.port import StoreError
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.framing import Decoder
from mqtt_ref.wire.packets import Connect, Will, WillProperties
from mqtt_ref.wire.primitives import CLIENT, V5

__all__ = [
    "COUNT",
    "FORMAT",
    "FORMAT_KEY",
    "INFLIGHT",
    "MESSAGE",
    "QUEUE",
    "RECEIVED",
    "RETAINED",
    "SESSION",
    "SESSIONS",
    "SUBSCRIPTION",
    "TOTALS_KEY",
    "UNFINISHED_KEY",
    "Header",
    "client_part",
    "count_key",
    "header",
    "message_key",
    "name_part",
    "of_count",
    "of_inflight",
    "of_message",
    "of_queue",
    "of_session",
    "of_subscription",
    "of_totals",
    "queue_key",
    "read_count",
    "read_header",
    "read_inflight",
    "read_message",
    "read_messages",
    "read_queue",
    "read_session",
    "read_subscription",
    "read_totals",
    "read_will",
    "reference_of",
]

FORMAT: Final = 1
FORMAT_KEY: Final = b"F"
TOTALS_KEY: Final = b"T"
UNFINISHED_KEY: Final = b"I"
"""Is there while a copy or an import fills the store."""
MESSAGE: Final = b"m"
COUNT: Final = b"c"
RETAINED: Final = b"r"
SESSIONS: Final = b"s"
SESSION: Final = 0
SUBSCRIPTION: Final = 1
INFLIGHT: Final = 2
QUEUE: Final = 3
RECEIVED: Final = 4
LONGEST: Final = 200
"""Bytes of a name in a key."""


class Header(NamedTuple):
    """The first thing that is written into a store."""

    what: str
    format: int
    written_by: str


class _Session(NamedTuple):
    name: str | None
    version: int
    username: str
    expiry: int
    ends_at: int
    will: bytes | None
    bare: bool
    will_at: int
    connected: bool


class _Subscription(NamedTuple):
    name: str | None
    options: int
    identifier: int


class _Waiting(NamedTuple):
    qos: int
    retain: bool
    identifiers: tuple[int, ...]
    group: str
    message: int | StoredMessage
    """The message, or the identifier of one that is kept apart."""


class _Flying(NamedTuple):
    qos: int
    retain: bool
    identifiers: tuple[int, ...]
    group: str
    message: int | StoredMessage
    state: int
    order: int


_encode = msgspec.msgpack.Encoder().encode
_header = msgspec.msgpack.Decoder(Header).decode
_session = msgspec.msgpack.Decoder(_Session).decode
_subscription = msgspec.msgpack.Decoder(_Subscription).decode
_waiting = msgspec.msgpack.Decoder(_Waiting).decode
_flying = msgspec.msgpack.Decoder(_Flying).decode
_message = msgspec.msgpack.Decoder(StoredMessage).decode
_count = msgspec.msgpack.Decoder(int).decode
_totals = msgspec.msgpack.Decoder(dict[str, int]).decode


def _read(decode: Any, key: bytes, value: bytes) -> Any:
    try:
        return decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise StoreError(f"the value of key {key!r} is damaged: {error}") from error


# -------------------------------------------------------------------- keys


def name_part(name: str) -> bytes:
    """A name in a key: itself, or what it begins with and a hash, of exactly `LONGEST` bytes."""
    data = name.encode()
    if len(data) < LONGEST:
        return data
    return data[: LONGEST - 32] + sha256(data).digest()


def client_part(client_id: str) -> bytes:
    """What the keys of a session begin with."""
    name = name_part(client_id)
    return b"s%c%b" % (len(name), name)


def queue_key(part: bytes, order: int) -> bytes:
    """The key of a message that waits; `part` is that of its client."""
    return b"%b\x03%b" % (part, order.to_bytes(8, "big"))


def message_key(ident: int) -> bytes:
    """The key of a message that is kept apart."""
    return b"m" + ident.to_bytes(8, "big")


def count_key(ident: int) -> bytes:
    """The key of how many refer to it."""
    return b"c" + ident.to_bytes(8, "big")


def _cut(name: str) -> str | None:
    """The name, if its key does not have it whole."""
    return name if len(name) >= LONGEST // 4 and len(name.encode()) >= LONGEST else None


# -------------------------------------------------------------------- values


def header() -> bytes:
    """What a new store begins with."""
    return _encode(Header("mqtt_ref", FORMAT, __version__))


def read_header(value: bytes) -> Header:
    """Which format a store has.

    Raises:
        StoreError: it is no store of this broker.
    """
    found: Header = _read(_header, FORMAT_KEY, value)
    if found.what != "mqtt_ref":
        raise StoreError(f"it belongs to {found.what!r}, not to mqtt_ref")
    return found


def of_session(record: SessionPut) -> bytes:
    """A will is stored as the CONNECT that has nothing but it, so that all its properties are."""
    will = record.will
    packed = None if will is None else encode(V5, Connect("", will=will))
    return _encode(
        _Session(
            _cut(record.client_id),
            record.version,
            record.username,
            record.expiry,
            record.ends_at,
            packed,
            will is not None and will.properties is None,
            record.will_at,
            record.connected,
        )
    )


def read_session(key: bytes, value: bytes, name: bytes) -> SessionPut:
    """The session at `key`, in which `name` stands for its client."""
    found: _Session = _read(_session, key, value)
    client_id = _whole(key, name, found.name)
    will = None if found.will is None else read_will(key, found.will, found.bare)
    return SessionPut(
        client_id,
        found.version,
        found.username,
        found.expiry,
        found.ends_at,
        will,
        found.will_at,
        found.connected,
    )


def _whole(key: bytes, part: bytes, name: str | None) -> str:
    """The name that a key has a part of.

    Raises:
        StoreError: key and value do not belong together.
    """
    if name is None:
        try:
            return part.decode()
        except UnicodeDecodeError as error:
            raise StoreError(f"key {key!r} is damaged: {error}") from error
    if name_part(name) != part:
        raise StoreError(f"the value of key {key!r} is damaged: it belongs to {name!r}")
    return name


def read_will(key: bytes, data: bytes, bare: bool) -> Will:
    """The will in a CONNECT packet; `bare`: it has no properties at all."""
    packets = Decoder(V5, CLIENT).feed(data)
    if len(packets) == 1 and isinstance(packets[0], Connect) and packets[0].will is not None:
        will = packets[0].will
        if will.properties is None and not bare:
            will.properties = WillProperties()
        return will
    raise StoreError(f"the value of key {key!r} is damaged: its will cannot be read")


def of_subscription(record: SubscriptionPut) -> bytes:
    """A subscription; its filter is in the key."""
    return _encode(_Subscription(_cut(record.topic_filter), record.options, record.identifier))


def read_subscription(key: bytes, value: bytes, client_id: str, name: bytes) -> SubscriptionPut:
    """The subscription at `key`, in which `name` stands for its filter."""
    found: _Subscription = _read(_subscription, key, value)
    return SubscriptionPut(client_id, _whole(key, name, found.name), found.options, found.identifier)


def of_queue(record: QueuePut, apart: bool) -> bytes:
    """A message that waits; `apart`: the message itself is kept by its identifier."""
    message = record.message
    # A plain tuple, in the order of `_Waiting`: each message takes this way.
    return _encode((record.qos, record.retain, record.identifiers, record.group, message.ident if apart else message))


def of_inflight(record: InflightPut, apart: bool) -> bytes:
    """A message in flight; `apart`: the message itself is kept by its identifier."""
    message = record.message
    # A plain tuple, in the order of `_Flying`: each message takes this way.
    return _encode(
        (
            record.qos,
            record.retain,
            record.identifiers,
            record.group,
            message.ident if apart else message,
            record.state,
            record.order,
        )
    )


def reference_of(key: bytes, value: bytes, kind: int) -> int:
    """The message that a queue or flight refers to, or 0 if it has it itself."""
    found = _read(_waiting if kind == QUEUE else _flying, key, value)
    return found.message if isinstance(found.message, int) else 0


def read_queue(key: bytes, value: bytes, client_id: str, fetch: Callable[[int], StoredMessage]) -> QueuePut:
    """A message that waits; `fetch` finds the one that it refers to."""
    found: _Waiting = _read(_waiting, key, value)
    message = found.message if isinstance(found.message, StoredMessage) else fetch(found.message)
    order = int.from_bytes(key[-8:], "big")
    return QueuePut(client_id, order, message, found.qos, found.retain, found.identifiers, found.group)


def read_inflight(key: bytes, value: bytes, client_id: str, fetch: Callable[[int], StoredMessage]) -> InflightPut:
    """A message in flight; `fetch` finds the one that it refers to."""
    found: _Flying = _read(_flying, key, value)
    message = found.message if isinstance(found.message, StoredMessage) else fetch(found.message)
    return InflightPut(
        client_id,
        int.from_bytes(key[-2:], "big"),
        found.state,
        found.order,
        message,
        found.qos,
        found.retain,
        found.identifiers,
        found.group,
    )


def of_message(message: StoredMessage) -> bytes:
    """A message that is kept apart, or retained."""
    return _encode(message)


def read_message(key: bytes, value: bytes) -> StoredMessage:
    """A message that is kept apart, or retained."""
    found: StoredMessage = _read(_message, key, value)
    return found


def read_messages(pairs: Iterable[tuple[bytes, bytes]]) -> Iterator[StoredMessage]:
    """Many messages that are kept apart, or retained."""
    decode = _message
    for key, value in pairs:
        try:
            yield decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise StoreError(f"the value of key {key!r} is damaged: {error}") from error


def of_count(count: int) -> bytes:
    """How many refer to a message."""
    return _encode(count)


def read_count(key: bytes, value: bytes) -> int:
    """How many refer to a message."""
    found: int = _read(_count, key, value)
    return found


def of_totals(totals: Mapping[str, int]) -> bytes:
    """Totals of `$SYS`."""
    return _encode(dict(totals))


def read_totals(value: bytes) -> dict[str, int]:
    """Totals of `$SYS`."""
    found: dict[str, int] = _read(_totals, TOTALS_KEY, value)
    return found

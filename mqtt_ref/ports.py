# SPDX-License-Identifier: MIT
"""Protocols of what is plugged in, and the records that a store keeps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from mqtt_ref.wire.packets import Will

__all__ = [
    "InflightDelete",
    "InflightPut",
    "QueueDelete",
    "QueuePut",
    "ReceivedDelete",
    "ReceivedPut",
    "Record",
    "RetainedDelete",
    "RetainedPut",
    "SessionDelete",
    "SessionPut",
    "Storage",
    "StoredMessage",
    "SubscriptionDelete",
    "SubscriptionPut",
    "TotalsPut",
]


class StoredMessage(NamedTuple):
    """An Application Message; times are UTC in nanoseconds, `expires_at` 0 for never.

    `ident` is unique in a store, so that a message that waits for many sessions need be kept only once.
    """

    ident: int
    topic: str
    payload: bytes
    qos: int
    retain: bool
    properties: bytes
    """The property bytes of its PUBLISH, without their length; `mqtt_ref.wire.block.read_block` reads them."""
    publisher: str
    arrived: int
    expires_at: int


class SessionPut(NamedTuple):
    """A session as such; `ends_at` and `will_at` are UTC in nanoseconds, 0 while its client is connected or never.

    With an `expiry` of 0 it ends with its connection, or when the server that failed is back; it may have a will.
    """

    client_id: str
    version: int
    username: str
    expiry: int
    ends_at: int
    will: Will | None
    will_at: int
    connected: bool


class SessionDelete(NamedTuple):
    """The session with all its subscriptions, messages and packet identifiers."""

    client_id: str


class SubscriptionPut(NamedTuple):
    """One subscription of a session."""

    client_id: str
    topic_filter: str
    options: int
    identifier: int


class SubscriptionDelete(NamedTuple):
    """One subscription less."""

    client_id: str
    topic_filter: str


class QueuePut(NamedTuple):
    """A message waits; `order` grows within the session."""

    client_id: str
    order: int
    message: StoredMessage
    qos: int
    retain: bool
    identifiers: tuple[int, ...]
    group: str


class QueueDelete(NamedTuple):
    """It waits no more."""

    client_id: str
    order: int


class InflightPut(NamedTuple):
    """A message was sent or is about to be; `state` is that of the `qos_send` machine, `order` that of sending."""

    client_id: str
    packet_id: int
    state: int
    order: int
    message: StoredMessage
    qos: int
    retain: bool
    identifiers: tuple[int, ...]
    group: str


class InflightDelete(NamedTuple):
    """Its delivery is complete."""

    client_id: str
    packet_id: int


class ReceivedPut(NamedTuple):
    """A QoS 2 message of the client was taken in and awaits its PUBREL."""

    client_id: str
    packet_id: int


class ReceivedDelete(NamedTuple):
    """The PUBREL came."""

    client_id: str
    packet_id: int


class RetainedPut(NamedTuple):
    """The retained message of its topic."""

    message: StoredMessage


class RetainedDelete(NamedTuple):
    """The topic has no retained message any more."""

    topic: str


class TotalsPut(NamedTuple):
    """The totals of `$SYS`, all of them, by the names of `Counters`."""

    totals: tuple[tuple[str, int], ...]


Record = (
    SessionPut
    | SessionDelete
    | SubscriptionPut
    | SubscriptionDelete
    | QueuePut
    | QueueDelete
    | InflightPut
    | InflightDelete
    | ReceivedPut
    | ReceivedDelete
    | RetainedPut
    | RetainedDelete
    | TotalsPut
)


class Storage(Protocol):
    """Keeps what has to outlive the process. Its methods may block: a driver calls `commit` away from its loop."""

    def open(self) -> None:
        """Get ready; called before anything else, and again after `close`.

        Raises:
            OSError: it cannot be used; the text says why.
        """
        ...

    def load(self) -> Iterable[Record]:
        """Everything that is kept, as `...Put` records: each session before what belongs to it, in its order.

        Raises:
            OSError: it cannot be read as a whole.
        """
        ...

    def commit(self, batch: int, records: Sequence[Record]) -> None:
        """Make all changes of a batch durable, or none of them; batches come in order.

        Raises:
            OSError: the batch was not stored.
        """
        ...

    def close(self) -> None:
        """Nothing more is committed."""
        ...

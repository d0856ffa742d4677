# SPDX-License-Identifier: MIT
"""The protocol of a store, and the records that it keeps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from mqtt_ref.wire.packets import Will

__all__ = [
    "InflightDelete",
    "InflightPut",
    "PagedStorage",
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
    """An Application Message. Times are UTC in nanoseconds; an `expires_at` of 0 means never.

    `ident` is unique in a store, so that a message that waits for many sessions can be stored only once.
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

    @property
    def size(self) -> int:
        """Bytes of topic, payload and properties."""
        return len(self.topic.encode()) + len(self.payload) + len(self.properties)


class SessionPut(NamedTuple):
    """A session without its content. `ends_at` and `will_at` are UTC in nanoseconds; 0: connected, or never.

    With an `expiry` of 0 it ends with its connection, or at the start after a failure of the server. It may have a
    will.
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
    """Delete a session with all its subscriptions, messages and Packet Identifiers."""

    client_id: str


class SubscriptionPut(NamedTuple):
    """One subscription of a session."""

    client_id: str
    topic_filter: str
    options: int
    identifier: int


class SubscriptionDelete(NamedTuple):
    """Delete one subscription of a session."""

    client_id: str
    topic_filter: str


class QueuePut(NamedTuple):
    """A queued message. `order` increases within the session."""

    client_id: str
    order: int
    message: StoredMessage
    qos: int
    retain: bool
    identifiers: tuple[int, ...]
    group: str


class QueueDelete(NamedTuple):
    """Delete a queued message."""

    client_id: str
    order: int


class InflightPut(NamedTuple):
    """A message that is or will be sent. `state` is that of the `qos_send` machine, `order` the order of sending.

    It replaces an earlier state of the same message. Before another message gets the Packet Identifier, an
    `InflightDelete` or `SessionDelete` comes. A message from the queue keeps its `order`, and the `QueueDelete` comes
    before it in the same batch.
    """

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
    """Delete a message in flight: its delivery is over."""

    client_id: str
    packet_id: int


class ReceivedPut(NamedTuple):
    """A QoS 2 message of the client was received; its PUBREL has not arrived yet."""

    client_id: str
    packet_id: int


class ReceivedDelete(NamedTuple):
    """Delete the Packet Identifier of a received QoS 2 message: its PUBREL arrived."""

    client_id: str
    packet_id: int


class RetainedPut(NamedTuple):
    """The retained message of its topic."""

    message: StoredMessage


class RetainedDelete(NamedTuple):
    """Delete the retained message of a topic."""

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
    """Stores state that outlives the process. Its methods may block: a driver calls `commit` outside its event loop."""

    def open(self) -> None:
        """Open the store. Called before every other method, and again after `close`.

        Raises:
            OSError: the store cannot be used. The text says why.
        """
        ...

    def load(self) -> Iterable[Record]:
        """Return everything stored as `...Put` records: a session before its messages, those in their order.

        Raises:
            OSError: a part of the store cannot be read.
        """
        ...

    def commit(self, batch: int, records: Sequence[Record]) -> None:
        """Make all changes of a batch durable, or none of them; batches come in order.

        Raises:
            OSError: the batch was not stored.
        """
        ...

    def close(self) -> None:
        """Close the store. `commit` is not called after this."""
        ...


class PagedStorage(Storage, Protocol):
    """A store that can return a part of a queue. Then long queues need not be in memory as well."""

    def load_queue(self, client_id: str, after: int, messages: int, size: int) -> Sequence[QueuePut]:
        """Return the queued messages of a session whose `order` is above `after`, in their order.

        Return at most `messages` of them, and none after those whose topics, payloads and properties have `size` bytes
        together; fewer only if there are no more. It sees every batch that was committed before, and is called in the
        same thread as `commit`.

        Raises:
            OSError: they cannot be read.
        """
        ...

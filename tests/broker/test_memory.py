# SPDX-License-Identifier: MIT
"""The memory store: what is put is there, what is deleted is not, and a session takes everything with it."""

from __future__ import annotations

from mqtt_ref.broker.memory import MemoryStore
from mqtt_ref.ports import (
    InflightDelete,
    InflightPut,
    QueueDelete,
    QueuePut,
    ReceivedDelete,
    ReceivedPut,
    Record,
    RetainedDelete,
    RetainedPut,
    SessionDelete,
    SessionPut,
    Storage,
    StoredMessage,
    SubscriptionDelete,
    SubscriptionPut,
)

MESSAGE = StoredMessage(1, "t", b"x", 1, False, b"", "pub", 5, 0)
SESSION = SessionPut("a", 5, "", 60, 0, None, 0, True)
PUTS: list[Record] = [
    SubscriptionPut("a", "t", 1, 0),
    InflightPut("a", 3, 1, 1, MESSAGE, 1, False, (), ""),
    QueuePut("a", 2, MESSAGE, 1, False, (), ""),
    ReceivedPut("a", 9),
    RetainedPut(MESSAGE),
]
DELETES: list[Record] = [
    SubscriptionDelete("a", "t"),
    InflightDelete("a", 3),
    QueueDelete("a", 2),
    ReceivedDelete("a", 9),
    RetainedDelete("t"),
]


def test_put_and_delete() -> None:
    store: Storage = MemoryStore()
    store.commit(1, [SESSION, *PUTS])
    assert list(store.load()) == [SESSION, *PUTS]
    store.commit(2, DELETES)
    assert list(store.load()) == [SESSION]
    store.close()


def test_a_session_takes_everything_with_it_but_retained_messages() -> None:
    store = MemoryStore()
    store.commit(1, [SESSION, *PUTS, SessionDelete("a")])
    assert list(store.load()) == [PUTS[-1]]
    store.commit(2, [*PUTS[:-1], *DELETES[:-1], SessionDelete("a")])
    assert list(store.load()) == [PUTS[-1]]


def test_a_second_put_replaces() -> None:
    store = MemoryStore()
    changed = SESSION._replace(expiry=99)
    store.commit(1, [SESSION, PUTS[0], changed])
    assert list(store.load()) == [changed, PUTS[0]]


def test_queues_come_back_in_their_order() -> None:
    store = MemoryStore()
    puts: list[Record] = [QueuePut("a", order, MESSAGE, 1, False, (), "") for order in (7, 3, 5)]
    store.commit(1, [SESSION, *puts])
    assert [record.order for record in store.load() if isinstance(record, QueuePut)] == [3, 5, 7]

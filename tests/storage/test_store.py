# SPDX-License-Identifier: MIT
"""The record layer: what it looks up, and what it remembers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from mqtt_ref.ports import InflightDelete, InflightPut, QueueDelete, QueuePut, SessionPut, StoredMessage
from mqtt_ref.storage.sqlite import Sqlite
from mqtt_ref.storage.store import Store


class Counted(Sqlite):
    """Counts the keys that are looked up."""

    looked_up = 0

    def __init__(self, path: Path) -> None:
        super().__init__(path, "off")

    def get(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        self.looked_up += len(keys)
        return super().get(keys)


def session(client_id: str) -> SessionPut:
    return SessionPut(client_id, 5, "", 60, 0, None, 0, True)


def message(ident: int) -> StoredMessage:
    return StoredMessage(ident, "t", b"payload", 2, False, b"", "pub", 1, 0)


def flight(client_id: str, packet_id: int, state: int, ident: int) -> InflightPut:
    return InflightPut(client_id, packet_id, state, ident, message(ident), 2, False, (), "")


def rows(store: Store) -> dict[bytes, bytes]:
    return dict(store.back_end.scan(b""))


@pytest.mark.parametrize("client_id", ["", "a", "a" * 201])
def test_flights_belong_to_their_clients(tmp_path: Path, client_id: str) -> None:
    store = Store(Sqlite(tmp_path / "store", "off"))
    store.open()
    records = [session(client_id), flight(client_id, 1, 1, 1), session("b"), flight("b", 1, 1, 2)]
    store.commit(1, records)
    assert sorted(store.load(), key=repr) == sorted(records, key=repr)
    store.close()


def test_messages_that_are_sent_at_once_need_no_look_up(tmp_path: Path) -> None:
    back_end = Counted(tmp_path / "store")
    store = Store(back_end)
    store.open()
    store.commit(1, [session("a")])
    empty = rows(store)
    back_end.looked_up = 0
    store.commit(2, [flight("a", number, 1, number) for number in range(1, 500)])
    store.commit(3, [InflightDelete("a", number) for number in range(1, 500)])
    assert back_end.looked_up == 0
    assert rows(store) == empty
    store.close()


def test_messages_that_leave_a_queue_need_one_look_up(tmp_path: Path) -> None:
    back_end = Counted(tmp_path / "store")
    store = Store(back_end)
    store.open()
    store.commit(1, [session("a")])
    empty = rows(store)
    numbers = range(1, 500)
    store.commit(2, [QueuePut("a", number, message(number), 2, False, (), "") for number in numbers])
    back_end.looked_up = 0
    for number in numbers:
        store.commit(3, [QueueDelete("a", number), flight("a", number, 1, number)])
    store.commit(4, [InflightDelete("a", number) for number in numbers])
    assert back_end.looked_up == len(numbers)  # whether they are kept apart
    assert rows(store) == empty
    store.close()


def test_a_packet_identifier_of_a_shared_message_is_used_again_after_a_restart(tmp_path: Path) -> None:
    store = Store(Sqlite(tmp_path / "store", "off"))
    store.open()
    store.commit(1, [session("a"), session("b")])
    empty = rows(store)
    store.commit(2, [flight("a", 1, 1, 1), flight("b", 1, 1, 1)])
    store.close()
    store = Store(Sqlite(tmp_path / "store", "off"))
    store.open()
    assert len(list(store.load())) == 4
    store.commit(1, [InflightDelete("a", 1), flight("a", 1, 1, 2)])
    store.commit(2, [InflightDelete("b", 1), InflightDelete("a", 1)])
    assert rows(store) == empty
    store.close()


def test_a_store_that_is_opened_again_without_a_load_leaves_nothing_over(tmp_path: Path) -> None:
    store = Store(Sqlite(tmp_path / "store", "off"))
    store.open()
    store.commit(1, [session("a"), session("b")])
    empty = rows(store)
    store.commit(2, [QueuePut("a", 1, message(1), 2, False, (), ""), flight("b", 1, 1, 1)])
    store.close()
    store.open()
    store.commit(3, [flight("b", 1, 2, 1)])
    store.commit(4, [InflightDelete("b", 1), QueueDelete("a", 1)])
    assert rows(store) == empty
    store.close()


def test_nothing_is_taken_for_new_in_a_store_that_was_not_loaded(tmp_path: Path) -> None:
    store = Store(Sqlite(tmp_path / "store", "off"))
    store.open()
    store.commit(1, [session("a"), session("b")])
    empty = rows(store)
    store.commit(2, [QueuePut("a", 1, message(1), 2, False, (), ""), QueuePut("b", 2, message(1), 2, False, (), "")])
    store.close()
    store = Store(Sqlite(tmp_path / "store", "off"))
    store.open()
    store.commit(1, [QueuePut("a", 3, message(1), 2, False, (), "")])
    before = rows(store)
    assert len(list(store.load())) == 5
    assert rows(store) == before
    store.commit(2, [QueueDelete("a", 1), QueueDelete("b", 2), QueueDelete("a", 3)])
    assert rows(store) == empty
    store.close()


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 255, 256, 257, 1000])
def test_sqlite_writes_any_number_of_rows(tmp_path: Path, count: int) -> None:
    back_end = Sqlite(tmp_path / "store", "off")
    back_end.open(write=True, create=True)
    pairs = {b"%05d" % number: b"value %d" % number for number in range(count)}
    back_end.write(pairs)
    assert dict(back_end.scan(b"")) == pairs
    assert back_end.get(list(pairs)) == pairs
    kept = {b"kept": b""}
    back_end.write({**dict.fromkeys(pairs), **kept})
    assert dict(back_end.scan(b"")) == kept
    back_end.close()

# SPDX-License-Identifier: MIT
"""Servers with a store in one program: started again, totals, hooks as stores, and what needs no store."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator
from pathlib import Path
from time import time_ns
from typing import Any

from mqtt_ref.broker.memory import MemoryStore
from mqtt_ref.engine.options import Bounds, Options
from mqtt_ref.hooks import AllowAll
from mqtt_ref.ports import Record, RetainedPut, SessionPut, StoredMessage, TotalsPut
from mqtt_ref.server import Server
from mqtt_ref.storage.hook import StoredEvents
from mqtt_ref.storage.port import POINTS
from mqtt_ref.storage.store import Store
from mqtt_ref.storage.transfer import check, count
from mqtt_ref.storage.url import store_at
from mqtt_ref.testing.rawclient import RawClient
from mqtt_ref.threaded import ThreadedServer
from mqtt_ref.wire.packets import ConnectProperties

KEEP = ConnectProperties(session_expiry_interval=1000)


def leave_something(server: ThreadedServer) -> None:
    with RawClient(server.port) as client:
        client.connect("kept", properties=KEEP)
        client.subscribe("t", qos=1)
        client.disconnect()
    with RawClient(server.port) as client:
        client.connect("pub")
        client.publish("t", b"waits", qos=1, packet_id=1)
        client.publish("r", b"retained", qos=1, packet_id=2, retain=True)


def find_it(server: ThreadedServer) -> None:
    with RawClient(server.port) as client:
        assert client.connect("kept", clean_start=False, properties=KEEP).session_present
        assert client.message().payload == b"waits"
    assert [one.payload for one in server.retained("r")] == [b"retained"]


def test_a_memory_store_is_handed_on() -> None:
    store = MemoryStore()
    with ThreadedServer(hooks=[AllowAll()], storage=store) as server:
        leave_something(server)
    with ThreadedServer(hooks=[AllowAll()], storage=store) as server:
        find_it(server)


def test_the_same_server_is_started_again(tmp_path: Path) -> None:
    server = ThreadedServer(hooks=[AllowAll()], storage=store_at(str(tmp_path / "x.db"), "off"))
    with server:
        leave_something(server)
    with server:
        find_it(server)
    with ThreadedServer(hooks=[AllowAll()], storage=store_at(str(tmp_path / "x.db"), "off")) as other:
        assert [client.id for client in other.clients()] == ["kept"]
        assert other.server.broker.counters.messages_queued == 0


def test_a_hook_can_be_a_store(tmp_path: Path) -> None:
    place = str(tmp_path / "x.db")
    with ThreadedServer(hooks=[AllowAll()], storage=store_at(place, "off")) as server:
        leave_something(server)
    with ThreadedServer(hooks=[AllowAll(), StoredEvents(store_at(place))]) as server:
        find_it(server)
    with ThreadedServer(hooks=[AllowAll()], storage=store_at(place, "off")) as server:
        find_it(server)  # the one before has taken nothing


def test_what_a_hook_brings_goes_into_the_store(tmp_path: Path) -> None:
    old, new = str(tmp_path / "old.db"), str(tmp_path / "new.db")
    with ThreadedServer(hooks=[AllowAll()], storage=store_at(old, "off")) as server:
        leave_something(server)
    hooks = [AllowAll(), StoredEvents(store_at(old))]
    with ThreadedServer(hooks=hooks, storage=store_at(new, "off")) as server:
        assert [client.id for client in server.clients()] == ["kept"]
    with ThreadedServer(hooks=[AllowAll()], storage=store_at(new, "off")) as server:
        find_it(server)


def test_totals_go_on_where_that_is_wanted(tmp_path: Path) -> None:
    place = str(tmp_path / "x.db")
    wanted = Options(restore_sys_info=True)
    with ThreadedServer(wanted, hooks=[AllowAll()], storage=store_at(place, "off")) as server:
        leave_something(server)
        accepted = server.server.broker.counters.connections_accepted
        assert accepted > 0
    with ThreadedServer(wanted, hooks=[AllowAll()], storage=store_at(place, "off")) as server:
        assert server.server.broker.counters.connections_accepted == accepted
        assert server.server.broker.counters.messages_inflight == 0
    with ThreadedServer(hooks=[AllowAll()], storage=store_at(place, "off")) as server:
        assert server.server.broker.counters.connections_accepted == 0


class Delegating:
    """A store of somebody else's: the compiled memory store has no subclasses."""

    def __init__(self) -> None:
        self.memory = MemoryStore()

    def open(self) -> None:
        self.memory.open()

    def load(self) -> Iterator[Record]:
        return self.memory.load()

    def commit(self, batch: int, records: Any) -> None:
        self.memory.commit(batch, records)

    def close(self) -> None:
        self.memory.close()


class Counting(Delegating):
    """Counts the batches and what was in them."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[Record] = []

    def commit(self, batch: int, records: Any) -> None:
        self.records += records
        super().commit(batch, records)


def test_what_is_not_persistent_never_comes_to_the_store() -> None:
    store = Counting()
    with ThreadedServer(hooks=[AllowAll()], storage=store) as server:
        with RawClient(server.port) as sub, RawClient(server.port) as pub:
            sub.connect("sub")
            sub.subscribe("t", qos=2)
            pub.connect("pub")
            for qos in range(3):
                pub.publish("t", b"x", qos=qos, packet_id=qos)
                assert sub.message().qos == qos
    assert store.records == []


def test_an_error_of_a_store_that_is_not_ours_is_one_of_the_store(wait_until: Callable[..., Any]) -> None:
    class Broken(Delegating):
        def commit(self, batch: int, records: Any) -> None:
            raise ZeroDivisionError

    with ThreadedServer(hooks=[AllowAll()], storage=Broken()) as server:
        with RawClient(server.port) as client:
            client.send(b"\x10\x12\x00\x04MQTT\x05\x00\x00\x00\x05\x11\x00\x00\x00\x09\x00\x00")
            client.until_closed()
        wait_until(lambda: server.server.broker.store_fails)


def test_points_are_passed_in_their_order(tmp_path: Path) -> None:
    store = store_at(str(tmp_path / "x.db"), "off")
    passed: list[str] = []
    store.back_end.passing = passed.append
    store.open()
    passed.clear()
    store.commit(1, [SessionPut("c", 5, "", 60, 0, None, 0, True)])
    store.back_end.compact()
    store.close()
    assert passed == list(POINTS)


def test_a_stopping_server_waits_for_the_last_writes(tmp_path: Path) -> None:
    """The end of a connection is stored, so that the session's expiry counts from then."""
    place = str(tmp_path / "x.db")
    with ThreadedServer(hooks=[AllowAll()], storage=store_at(place, "off")) as server:
        client = RawClient(server.port)
        client.connect("kept", properties=KEEP)
    client.close()
    store = store_at(place)
    store.open()
    (session,) = (record for record in store.load() if isinstance(record, SessionPut))
    store.close()
    assert (session.connected, session.ends_at > 0) == (False, True)


async def _embedded(store: Store) -> None:
    async with Server(hooks=[AllowAll()], storage=store) as server:
        server.publish("r", b"by the program", qos=1, retain=True)


def test_the_messages_of_the_embedding_program_are_stored(tmp_path: Path) -> None:
    place = str(tmp_path / "x.db")
    asyncio.run(_embedded(store_at(place)))
    store = store_at(place)
    store.open()
    found = [record for record in store.load() if not isinstance(record, TotalsPut)]
    store.close()
    assert [record.message.payload for record in found if isinstance(record, RetainedPut)] == [b"by the program"]
    assert len(found) == 1


def test_long_queues_are_in_the_store_alone(tmp_path: Path, wait_until: Callable[..., Any]) -> None:
    """What the commands say of the store is as before, and a server with room for all can go on."""
    place = str(tmp_path / "x.db")
    options = Options(bounds=Bounds(queued_memory=1))
    with ThreadedServer(hooks=[AllowAll()], options=options, storage=store_at(place, "off")) as server:
        with RawClient(server.port) as client:
            client.connect("kept", properties=KEEP)
            client.subscribe("t", qos=1)
        wait_until(lambda: not server.clients()[0].connected)
        with RawClient(server.port) as client:
            client.connect("pub")
            for number in range(3):
                client.publish("t", b"%d" % number, qos=1, packet_id=number + 1)
        counters = server.server.broker.counters
        wait_until(lambda: counters.queued_in_store == 3)
        assert (counters.messages_queued, counters.queued_bytes) == (3, 6)
        assert server.clients()[0].queued == 3
    store = store_at(place)
    store.open(write=False)
    assert check(store.back_end, lambda done: None) == []
    assert count(store.back_end, lambda done: None).queued == 3
    store.close()
    with ThreadedServer(hooks=[AllowAll()], options=options, storage=store_at(place, "off")) as server:
        assert server.server.broker.counters.queued_in_store == 3
        with RawClient(server.port) as client:
            client.connect("kept", clean_start=False, properties=KEEP)
            assert client.message().payload == b"0"
    with ThreadedServer(hooks=[AllowAll()], storage=store_at(place, "off")) as server, RawClient(server.port) as client:
        client.connect("kept", clean_start=False, properties=KEEP)
        assert [client.message().payload for _ in range(2)] == [b"1", b"2"]


def _stored_retained() -> MemoryStore:
    store = MemoryStore()
    now, second = time_ns(), 1_000_000_000
    gone = StoredMessage(7, "gone", b"x", 1, True, b"", "", now - 50 * second, now - second)
    kept = StoredMessage(6, "kept", b"x", 1, True, b"", "", now - 50 * second, now + 50 * second)
    store.commit(1, [SessionPut("c", 5, "", 600, now + 600 * second, None, 0, False), *map(RetainedPut, (gone, kept))])
    return store


def test_a_retained_message_that_expired_meanwhile_leaves_the_store() -> None:
    store = _stored_retained()
    with ThreadedServer(hooks=[AllowAll()], storage=store) as server:
        assert [one.topic for one in server.retained("#")] == ["kept"]
        assert server.server.broker.last_message >= 7
    assert [record.message.topic for record in store.load() if isinstance(record, RetainedPut)] == ["kept"]


def test_what_is_loaded_counts_as_old() -> None:
    """A collection of young objects right after the start would look at all of it."""

    async def run(frozen: bool) -> None:
        server = Server(hooks=[AllowAll()], storage=_stored_retained())
        if frozen:
            gc.freeze()
        await server.start()
        try:
            session = server.broker.sessions.by_client_id["c"]
            assert frozen or any(one is session for one in gc.get_objects(generation=2))
            assert (gc.get_freeze_count() > 0) is frozen
        finally:
            await server.stop()
            gc.unfreeze()

    asyncio.run(run(False))
    asyncio.run(run(True))  # the program froze something itself: that stays so

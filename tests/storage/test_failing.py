# SPDX-License-Identifier: MIT
"""A store that stops taking writes while the server runs: what clients see, and what the server does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from mqtt_ref.hooks import AllowAll
from mqtt_ref.storage.port import StoreError
from mqtt_ref.storage.sqlite import Sqlite
from mqtt_ref.storage.store import Store
from mqtt_ref.testing.rawclient import LinkClosed, RawClient
from mqtt_ref.threaded import ThreadedServer
from mqtt_ref.wire.packets import ConnectProperties, Puback, Publish
from tests.storage.serving import Served

KEEP = ConnectProperties(session_expiry_interval=1000)


class Disk(Sqlite):
    """A file whose disk can be full, or slow."""

    full = False

    def __init__(self, path: Path) -> None:
        super().__init__(path, "off")
        self.may_write = threading.Event()
        self.may_write.set()
        self.waits = threading.Event()

    def write(self, changes: Mapping[bytes, bytes | None]) -> None:
        self.waits.set()
        self.may_write.wait(20)
        if self.full:
            raise StoreError(f"{self.name}: there is no room left on the disk")
        super().write(changes)


def test_refuse(tmp_path: Path, wait_until: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    disk = Disk(tmp_path / "store.db")
    with ThreadedServer(hooks=[AllowAll()], storage=Store(disk)) as server:
        with RawClient(server.port) as kept, RawClient(server.port) as plain, RawClient(server.port) as pub:
            kept.connect("kept", properties=KEEP)
            kept.subscribe("t", qos=1)
            plain.connect("plain")
            plain.subscribe("t")
            pub.connect("pub")
            disk.full = True
            pub.send(Publish("t", b"lost", 1, packet_id=1))
            assert pub.until_closed() == []  # it is not acknowledged
            assert "there is no room left on the disk" in caplog.text
            with RawClient(server.port) as again:
                again.connect("pub")
                again.send(Publish("t", b"no", 1, packet_id=2), Publish("t", b"qos 0"))
                assert again.expect(Puback).reason_code == 0x83
                payloads = [plain.message().payload, plain.message().payload]
                assert payloads == [b"lost", b"qos 0"]
                disk.full = False
                wait_until(lambda: not server.server.broker.store_fails, deadline=10)
                again.publish("t", b"yes", qos=1, packet_id=3)
    store = Store(Sqlite(tmp_path / "store.db"))
    store.open()
    stored = [record for record in store.load() if hasattr(record, "message")]
    store.close()
    assert stored[-1].message.payload == b"yes"


def test_stop(tmp_path: Path, wait_until: Callable[..., Any]) -> None:
    disk = Disk(tmp_path / "store.db")
    with ThreadedServer(hooks=[AllowAll()], storage=Store(disk), on_store_failure="stop") as server:
        with RawClient(server.port) as client:
            disk.full = True
            client.send(b"\x10\x12\x00\x04MQTT\x05\x00\x00\x00\x05\x11\x00\x00\x00\x09\x00\x00")
            client.until_closed()
            wait_until(lambda: server.server.stopped.is_set(), deadline=10)
        assert "no room" in str(server.server.store_error)
        with pytest.raises(OSError, match="refused"):
            RawClient(server.port)


def test_a_commit_that_takes_long_holds_back_only_what_needs_it(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "store.db")
    with ThreadedServer(hooks=[AllowAll()], storage=Store(disk)) as server:
        with RawClient(server.port) as kept, RawClient(server.port) as plain, RawClient(server.port) as pub:
            kept.connect("kept", properties=KEEP)
            kept.subscribe("t", qos=1)
            plain.connect("plain")
            plain.subscribe("#")
            pub.connect("pub")
            disk.may_write.clear()
            disk.waits.clear()
            pub.send(Publish("t", b"slow", 1, packet_id=1))
            assert disk.waits.wait(10)
            assert plain.message().payload == b"slow"
            plain.send(Publish("u", b"quick", 1, packet_id=1))
            assert {type(plain.read()), type(plain.read())} == {Publish, Puback}
            with pytest.raises(TimeoutError):
                pub.read(0.05)
            disk.may_write.set()
            assert pub.expect(Puback).packet_id == 1
            assert kept.message().payload == b"slow"


def test_a_full_disk_for_real(tmp_path: Path) -> None:
    """A limit of the file's size: SQLite's own write fails."""
    with Served("--store", tmp_path / "store.db", "--durability", "normal", limit=400_000) as broker:
        with RawClient(broker.port) as kept:
            kept.connect("kept", properties=KEEP)
            kept.subscribe("t", qos=1)
            kept.disconnect()
        acknowledged = 0
        with RawClient(broker.port) as pub:
            pub.connect("pub")
            for number in range(1, 200):
                pub.send(Publish("t", b"%06d" % number + bytes(10_000), 1, packet_id=number))
                try:
                    answer = pub.expect(Puback)
                except LinkClosed:
                    break
                assert answer.reason_code == 0
                acknowledged += 1
        assert 0 < acknowledged < 199
        broker.kill()
    with Served("--store", tmp_path / "store.db") as broker, RawClient(broker.port) as kept:
        kept.connect("kept", clean_start=False, properties=KEEP)
        for number in range(1, acknowledged + 1):
            assert kept.message().payload[:6] == b"%06d" % number

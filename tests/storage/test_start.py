# SPDX-License-Identifier: MIT
"""A store that cannot be used is refused at the start, in words that say what to do; its file stays as it was."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Mapping
from pathlib import Path

import pytest

from mqtt_ref.ports import RetainedPut, SessionPut, StoredMessage
from mqtt_ref.server import Server
from mqtt_ref.storage import records
from mqtt_ref.storage.port import StoreError
from mqtt_ref.storage.sqlite import Sqlite
from mqtt_ref.storage.store import Readable, Store
from tests.storage.serving import Served, run

SESSION = SessionPut("c", 5, "", 60, 0, None, 0, True)


def refused(path: Path, process: bool = False) -> str:
    """What the broker says about a store, or the store itself, as the broker opens it."""
    before = path.read_bytes() if path.is_file() else None
    if process:
        code, out, err = run("serve", "--port", "0", "--no-ws", "--no-http", "--store", path)
        assert (code, out) == (2, "")
        assert err.startswith("mqtt-ref serve: ")
        assert err.count("\n") == 1
    else:
        store = Store(Sqlite(path))
        err = ""
        try:
            store.open()
            list(store.load())
        except StoreError as error:
            err = str(error)
        store.close()
    if before is not None:
        assert path.read_bytes() == before
    return err


def filled(path: Path) -> Store:
    store = Store(Sqlite(path, "off"))
    store.open()
    messages = [StoredMessage(n, f"t/{n}", b"x" * 100, 1, True, b"", "", 1, 0) for n in range(1, 2000)]
    store.commit(1, [SESSION, *map(RetainedPut, messages)])
    store.close()
    return store


def test_a_file_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("something else, " * 1000)
    assert "is damaged, or not an SQLite file" in refused(path)


def test_a_database_of_another_program(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE other (x)")
    db.close()
    assert "is an SQLite file of another program; name another file" in refused(path, process=True)


@pytest.mark.parametrize("where", [0.3, 0.6, 0.95])
def test_a_damaged_file(tmp_path: Path, where: float) -> None:
    path = tmp_path / "store.db"
    filled(path)
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(int(size * where) // 4096 * 4096)
        file.write(os.urandom(4096))
    assert "is damaged" in refused(path)


def test_a_file_that_was_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    filled(path)
    os.truncate(path, path.stat().st_size // 2)
    assert "is damaged" in refused(path)


def test_a_value_that_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = filled(path)
    store.open()
    store.back_end.write({records.RETAINED + b"t/7": b"\xc1"})
    store.close()
    assert re.search(r"store\.db: the value of key b'rt/7' is damaged", refused(path, process=True))


def test_a_message_that_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = filled(path)
    store.open()
    store.back_end.write({records.client_part("c") + b"\x03" + bytes(8): records._encode((1, False, (), "", 77))})
    store.close()
    assert "message 77 is missing" in refused(path)


def test_a_newer_format(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = filled(path)
    store.open()
    newer = records.Header("mqtt_ref", records.FORMAT + 1, "99.0")
    store.back_end.write({records.FORMAT_KEY: records._encode(newer)})
    store.close()
    assert f"has format {records.FORMAT + 1}, written by mqtt_ref 99.0" in refused(path)


def test_an_older_format_is_migrated_in_one_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "store.db"
    filled(path)
    monkeypatch.setattr(records, "FORMAT", records.FORMAT + 2)
    seen: list[tuple[bytes, bytes]] = []

    def first(store: Readable) -> Mapping[bytes, bytes | None]:
        return {b"x1": b"1", records.RETAINED + b"t/1": None}

    def second(store: Readable) -> Mapping[bytes, bytes | None]:
        seen.extend(store.scan(b"x"))
        assert records.RETAINED + b"t/1" not in dict(store.scan(records.RETAINED))
        return {b"x1": None, b"x2": b"2"}

    writes: list[Mapping[bytes, bytes | None]] = []

    class Watched(Sqlite):
        def write(self, changes: Mapping[bytes, bytes | None]) -> None:
            writes.append(changes)
            super().write(changes)

    with pytest.raises(StoreError, match="which this version cannot read any more"):
        Store(Watched(path), {1: first}).open()
    with pytest.raises(StoreError, match="has the older format 1; start the broker with it once"):
        Store(Watched(path), {1: first, 2: second}).open(write=False)
    assert writes == []
    store = Store(Watched(path), {1: first, 2: second})
    store.open()
    assert seen == [(b"x1", b"1")]
    assert len(writes) == 1
    assert dict(store.back_end.scan(b"x")) == {b"x2": b"2"}
    store.close()
    store.open()
    store.close()
    assert len(writes) == 1


def test_a_second_broker_on_the_same_file(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with Served("--store", path):
        code, _, err = run("serve", "--port", "0", "--no-ws", "--no-http", "--store", path)
        assert code == 2
        assert "is in use by another broker" in err
    with Served("--store", path):
        pass


def test_a_place_that_is_no_file(tmp_path: Path) -> None:
    assert "is a directory" in refused(tmp_path)
    assert f"there is no directory {tmp_path / 'absent'}" in refused(tmp_path / "absent" / "store.db")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        assert "cannot be written" in refused(tmp_path / "store.db")
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--store", "mysql:x"), "there is no kind of store 'mysql'; it is one of sqlite"),
        (("--store", "sqlite:"), "names no place"),
        (("--durability", "off"), "--durability belongs to --store, which is not given"),
        (("--on-store-failure", "stop"), "--on-store-failure belongs to --store, which is not given"),
    ],
)
def test_arguments_that_make_no_sense(arguments: tuple[str, ...], text: str) -> None:
    code, _, err = run("serve", "--port", "0", *arguments)
    assert code == 2
    assert text in err


async def _start_twice(path: Path) -> None:
    server = Server(storage=Store(Sqlite(path)))
    for _ in range(2):
        with pytest.raises(StoreError, match="is damaged"):
            await server.start()
        assert server.clients() == []
        assert server.retained() == []


def test_nothing_is_half_loaded(tmp_path: Path) -> None:
    import asyncio

    path = tmp_path / "store.db"
    store = filled(path)
    store.open()
    store.back_end.write({records.RETAINED + b"t/999": b"\xc1"})
    store.close()
    asyncio.run(_start_twice(path))

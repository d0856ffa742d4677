# SPDX-License-Identifier: MIT
"""`mqtt-ref store`: what it shows, and that what it moves is the same afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mqtt_ref.cli.main import main
from mqtt_ref.ports import (
    InflightPut,
    QueueDelete,
    QueuePut,
    ReceivedPut,
    Record,
    RetainedPut,
    SessionPut,
    StoredMessage,
    SubscriptionPut,
    TotalsPut,
)
from mqtt_ref.storage import records
from mqtt_ref.storage.sqlite import Sqlite
from mqtt_ref.storage.store import Store
from mqtt_ref.storage.url import store_at
from mqtt_ref.wire.packets import Will, WillProperties
from tests.storage.backends import Backend, backends
from tests.storage.serving import Served

SHARED = StoredMessage(1, "shared/ü", b"\x00\xff", 2, True, b"\x01\x01", "pub", 1_700_000_000_000_000_000, 0)
ALONE = StoredMessage(2, "alone", b"x" * 100, 1, False, b"", "", 5, 6)
CONTENT: list[Record] = [
    SessionPut("away", 4, "user", 60, 1_700_000_000_000_000_000, None, 0, False),
    SubscriptionPut("away", "shared/#", 2, 0),
    InflightPut("away", 7, 1, 1, ALONE, 1, False, (), ""),
    QueuePut("away", 2, SHARED, 2, True, (3, 4), "$share/g/shared/#"),
    SessionPut("long" * 100, 5, "", 0, 0, Will("w", b"bye", 1, True, WillProperties(will_delay_interval=5)), 7, True),
    SubscriptionPut("long" * 100, "level/" * 100, 1, 9),
    QueuePut("long" * 100, 1, SHARED, 1, False, (), ""),
    ReceivedPut("long" * 100, 65_535),
    RetainedPut(SHARED),
    TotalsPut((("messages_sent", 9),)),
]


def fill(address: str, content: list[Record] = CONTENT) -> None:
    store = store_at(address, "off")
    store.open()
    store.commit(1, content)
    store.close()


def content(address: str) -> set[str]:
    store = store_at(address, "off")
    store.open()
    try:
        return {repr(record) for record in store.load()}
    finally:
        store.close()


def raw(address: str) -> dict[bytes, bytes]:
    store = store_at(address, "off")
    store.open()
    try:
        return dict(store.back_end.scan(b""))
    finally:
        store.close()


@pytest.fixture(params=backends(), ids=str)
def place(request: pytest.FixtureRequest, tmp_path: Path, require: Any) -> Iterator[str]:
    backend: Backend = request.param
    backend.need(require)
    with backend:
        backend.begin(tmp_path)
        yield backend.address


def test_export_import_and_copy_lose_nothing(place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(place)
    file, imported, copied = tmp_path / "x.jsonl", str(tmp_path / "imported.db"), str(tmp_path / "copied.db")
    assert main(["store", "export", place, str(file)]) == 0
    assert main(["store", "import", imported, str(file)]) == 0
    assert main(["store", "copy", place, copied]) == 0
    assert content(imported) == content(copied) == content(place) == {repr(record) for record in CONTENT}
    assert raw(imported) == raw(copied) == raw(place)
    back = tmp_path / "back.jsonl"
    assert main(["store", "export", imported, str(back)]) == 0
    assert back.read_bytes() == file.read_bytes()
    assert main(["store", "check", place]) == 0
    assert main(["store", "check", imported]) == 0
    assert main(["store", "compact", place]) == 0
    assert raw(place) == raw(imported)
    capsys.readouterr()
    assert main(["store", "inspect", place, "--json"]) == 0
    counts = json.loads(capsys.readouterr().out)
    assert counts.pop("bytes") > 0
    assert counts == {
        "sessions": 2,
        "connected": 1,
        "subscriptions": 2,
        "queued": 2,
        "inflight": 1,
        "received": 1,
        "shared": 1,
        "retained": 1,
    }


def test_what_a_person_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = str(tmp_path / "x.db")
    fill(place)
    assert main(["store", "inspect", place]) == 0
    out = capsys.readouterr().out
    assert "sessions               2, 1 of them connected" in out
    assert "'away': MQTT 3.1.1, ends at 2023-11-14 22:13:20 UTC" in out
    assert "MQTT 5.0, connected, will for 'w'" in out
    assert main(["store", "inspect", place, "--client", "away"]) == 0
    out = capsys.readouterr().out
    assert "subscribed 'shared/#', QoS 2" in out
    assert "in flight as 7: 'alone', QoS 1" in out
    assert "waits: 'shared/ü', QoS 2, 2023-11-14 22:13:20 UTC, b'\\x00\\xff'" in out
    assert main(["store", "inspect", place, "--client", "nobody"]) == 1
    assert "has no session 'nobody'" in capsys.readouterr().err


def test_a_message_is_kept_once(tmp_path: Path) -> None:
    place = f"sqlite:{tmp_path / 'x.db'}"
    sessions = [SessionPut(f"c{n}", 5, "", 60, 0, None, 0, False) for n in range(100)]
    big = ALONE._replace(payload=b"big" * 1000)
    fill(place, [*sessions, *(QueuePut(one.client_id, 1, big, 1, False, (), "") for one in sessions)])
    stored = raw(place)
    assert sum(big.payload in value for value in stored.values()) == 1
    assert sum(map(len, stored.values())) < 10_000
    fill(place, [QueueDelete(one.client_id, 1) for one in sessions[1:]])
    assert len(content(place)) == 101
    fill(place, [QueueDelete("c0", 1)])
    assert not any(key.startswith((records.MESSAGE, records.COUNT)) for key in raw(place))


def test_export_runs_beside_a_broker_and_compact_does_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = str(tmp_path / "x.db")
    fill(place, [RetainedPut(SHARED)])
    with Served("--store", place):
        assert main(["store", "export", place, str(tmp_path / "x.jsonl")]) == 0
        assert main(["store", "check", place]) == 0
        capsys.readouterr()
        assert main(["store", "compact", place]) == 2
        assert "is in use by another broker" in capsys.readouterr().err
    assert len((tmp_path / "x.jsonl").read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda lines: [*lines[:3], b"{broken", *lines[3:]], "line 4: "),
        (lambda lines: lines[:-1], "the end is missing; the file was cut off"),
        (lambda lines: lines[1:], "line 1: this is no export of a store"),
        (lambda lines: [*lines[:2], *lines[3:]], "came"),
        (lambda lines: [lines[0].replace(b'"format":1', b'"format":99'), *lines[1:]], "it has format 99"),
        (lambda lines: [*lines, lines[1]], "something follows the end"),
        (lambda lines: [line.replace(b'"packet_id":7', b'"packet_id":70000') for line in lines], "too big"),
        (lambda lines: [], "the end is missing"),
    ],
)
def test_a_broken_export(tmp_path: Path, capsys: pytest.CaptureFixture[str], change: Any, text: str) -> None:
    place, target, file = str(tmp_path / "x.db"), str(tmp_path / "y.db"), tmp_path / "x.jsonl"
    fill(place)
    main(["store", "export", place, str(file)])
    whole = file.read_bytes()
    file.write_bytes(b"".join(line + b"\n" for line in change(whole.splitlines())))
    assert main(["store", "import", target, str(file)]) == 2
    err = capsys.readouterr().err
    assert str(file) in err
    assert text in err
    # No broker starts with the half, and the whole can be imported into the same place.
    code = main(["store", "inspect", target])
    assert code == 2
    assert "is unfinished: a copy or an import into it was interrupted" in capsys.readouterr().err
    file.write_bytes(whole)
    assert main(["store", "import", target, str(file)]) == 0
    assert content(target) == content(place)


def test_a_full_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from mqtt_ref.storage.port import StoreError

    place, target = str(tmp_path / "x.db"), str(tmp_path / "y.db")
    fill(place, [RetainedPut(ALONE._replace(topic=f"t/{n}")) for n in range(5000)])
    before = raw(place)
    write = Sqlite.write
    writes = 0

    def limited(self: Sqlite, changes: Any) -> None:
        nonlocal writes
        if self.path.name == "y.db":
            writes += 1
            if writes == 4:
                raise StoreError(f"{self.name}: there is no room left on the disk")
        write(self, changes)

    monkeypatch.setattr(Sqlite, "write", limited)
    assert main(["store", "copy", place, target]) == 2
    err = capsys.readouterr().err
    assert "stopped after 4000 pairs" in err
    assert "there is no room left on the disk" in err
    assert raw(place) == before
    monkeypatch.undo()
    assert main(["store", "copy", place, target]) == 0
    assert raw(target) == before


def test_a_target_that_holds_something(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place, target = str(tmp_path / "x.db"), str(tmp_path / "y.db")
    fill(place)
    fill(target, CONTENT[:2])
    before = content(target)
    assert main(["store", "copy", place, target]) == 2
    assert "holds something already" in capsys.readouterr().err
    assert content(target) == before


def test_check_finds_what_is_damaged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = str(tmp_path / "x.db")
    fill(place)
    store = Store(Sqlite(place))
    store.open()
    store.back_end.write(
        {
            records.count_key(1): records.of_count(9),
            records.RETAINED + b"broken": b"\xc1",
            records.client_part("nobody") + b"\x04\x00\x01": b"",
            b"zzz": b"",
        }
    )
    store.close()
    assert main(["store", "check", place]) == 1
    out = capsys.readouterr().out
    assert "message 1 is waited for by 2, and counted 9" in out
    assert "the value of key b'rbroken' is damaged" in out
    assert "belongs to no session" in out
    assert "key b'zzz' is not of this format" in out


def test_a_store_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("inspect", "export", "check", "compact"):
        assert main(["store", command, str(tmp_path / "absent.db")]) == 2
        assert "there is no file" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []

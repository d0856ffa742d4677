# SPDX-License-Identifier: MIT
"""What the measurements conclude from their figures."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest

from bench.paired import interval, verdict
from bench.store import BEGIN, END, PAGE, RESULTS, WRITERS, least, messages, records_of, replay, share, shown
from mqtt_ref.ports import InflightDelete, InflightPut, Record, SessionPut, StoredMessage, SubscriptionPut
from mqtt_ref.storage.port import Changes
from mqtt_ref.storage.sqlite import Sqlite
from mqtt_ref.storage.store import Store


def test_the_interval_of_a_median() -> None:
    assert interval([3.0, 1.0, 2.0]) == (2.0, 1.0, 3.0)
    # Of 15 values, the fourth from either end: outside is the median with a chance of 3.5 %.
    assert interval([float(n) for n in range(15)]) == (7.0, 3.0, 11.0)


@pytest.mark.parametrize(
    ("equals", "ratio", "said"),
    [
        ((1.0, 0.99, 1.01), (1.0, 0.98, 1.02), "within the bar"),
        ((1.0, 0.99, 1.01), (1.05, 1.0, 1.1), "undecided"),
        ((1.0, 0.99, 1.01), (1.1, 1.06, 1.2), "SLOWER"),
        ((1.0, 0.99, 1.06), (1.0, 0.98, 1.02), "not measured"),
        ((1.0, 0.94, 1.01), (1.0, 0.98, 1.02), "not measured"),
    ],
)
def test_what_paired_rounds_show(
    equals: tuple[float, float, float], ratio: tuple[float, float, float], said: str
) -> None:
    assert verdict(equals, ratio, 1.05) == said


def result(rate: float, ok: bool = True) -> dict[str, object]:
    return {"ok": ok, "rate": rate}


def test_bars_of_rates() -> None:
    full = [result(60), result(70), result(500, ok=False)]
    writer = [result(100), result(100), result(100)]
    assert share(full, writer, "share", 0.6) == {"bar": "share >= 0.6", "value": [0.65, 0.6, 0.7], "met": True}
    assert share(full, writer, "share", 0.66)["met"] is False
    assert share([result(60, ok=False)], writer[:1], "share", 0.6) == {"bar": "share >= 0.6", "met": False}
    assert least(full, "rate", 65) == {"bar": "rate >= 65", "value": [65, 60, 70], "met": True}
    assert least(full, "rate", 66)["met"] is False


def test_the_page_shows_what_was_recorded() -> None:
    recorded = json.loads(RESULTS.read_text())
    assert BEGIN + shown(recorded) + END in PAGE.read_text()


class Noted(Sqlite):
    """Remembers the changes."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "off")
        self.written: list[dict[bytes, bytes | None]] = []

    def write(self, changes: Changes) -> None:
        self.written.append(dict(changes))
        super().write(changes)


def test_the_writer_gets_the_records_of_the_broker(tmp_path: Path) -> None:
    def message(number: int) -> StoredMessage:
        return StoredMessage(number, "t", b"payload", 1, False, b"", "pub", number, 0)

    batches: list[list[Record]] = [
        [SessionPut("sub", 4, "", 60, 0, None, 0, True)],
        [SubscriptionPut("sub", "t", 1, 0)],
        [InflightPut("sub", n, 1, n, message(n), 1, False, (), "") for n in (1, 2, 3)],
        [InflightDelete("sub", 1), InflightPut("sub", 4, 1, 4, message(4), 1, False, (), ""), InflightDelete("sub", 2)],
    ]
    back_end = Noted(tmp_path / "store")
    store = Store(back_end)
    store.open()
    back_end.written.clear()
    for number, batch in enumerate(batches):
        store.commit(number, batch)
    store.close()
    assert [sorted(map(repr, records_of(changes))) for changes in back_end.written] == [
        sorted(map(repr, batch)) for batch in batches
    ]
    assert messages(back_end.written) == [3, 1]
    file = tmp_path / "changes"
    file.write_bytes(pickle.dumps(back_end.written))
    for kind in WRITERS:
        assert replay(file, kind)["ok"]

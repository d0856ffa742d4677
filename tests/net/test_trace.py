# SPDX-License-Identifier: MIT
"""The trace without a socket: any chunking, broken bytes, a sink that fails."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from mqtt_ref.net.trace import NEVER, Trace, TracedLink, When
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import Connack, Connect, Pingreq, Publish
from mqtt_ref.wire.violation import Violation

STREAM = [Connect("me"), Publish("t", b"x" * 300, qos=1, packet_id=3), Pingreq()]


class Shown(Trace):
    """Keeps what a link shows."""

    def __init__(self) -> None:
        super().__init__(io.StringIO())
        self.packets: list[tuple[Any, bytes, int]] = []
        self.rests: list[tuple[str, bytes]] = []
        self.link = TracedLink(self, 1)

    def packet(self, conn: int, way: str, packet: Any, raw: bytes, version: int, name: str, when: When = NEVER) -> None:
        self.packets.append((packet, raw, version))

    def rest(self, conn: int, way: str, raw: bytes, what: str, name: str, when: When = NEVER) -> None:
        self.rests.append((what, raw))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100, 1000])
def test_packets_with_their_bytes_in_any_chunking(size: int) -> None:
    data = b"".join(encode(5, packet) for packet in STREAM)
    shown = Shown()
    for at in range(0, len(data), size):
        shown.link.client(data[at : at + size], at + 1)
    assert [packet for packet, _, _ in shown.packets] == STREAM
    assert b"".join(raw for _, raw, _ in shown.packets) == data
    assert {version for _, _, version in shown.packets} == {5}
    assert not shown.rests


def test_it_goes_on_after_a_broken_packet() -> None:
    shown = Shown()
    shown.link.client(encode(5, Connect("me")), 1)
    shown.link.server(b"\x20\x01\x00" + encode(5, Connack()), 2)
    assert isinstance(shown.packets[1][0], Violation)
    assert shown.packets[2][0] == Connack()


def test_what_has_no_end_is_shown_once_as_it_is() -> None:
    shown = Shown()
    shown.link.client(b"\x10\xff\xff\xff\xff\x01abc", 1)
    shown.link.client(b"more", 2)
    shown.link.closed(3)
    assert not shown.packets
    assert shown.rests == [("no packet", b"\x10\xff\xff\xff\xff\x01abc")]


def test_what_is_not_whole_at_the_end_is_shown_too() -> None:
    shown = Shown()
    shown.link.client(b"\x30\x05\x00", 1)
    shown.link.server(b"\x20", 2)
    shown.link.closed(3)
    assert shown.rests == [("incomplete", b"\x30\x05\x00"), ("incomplete", b"\x20")]


def test_records() -> None:
    sink = io.StringIO()
    trace = Trace(sink, "jsonl", clock=lambda: 17)
    trace.event(1, "open", "127.0.0.1:5")
    trace.packet(1, "in", Pingreq(), b"\xc0\x00", 5, "me")
    trace.rest(1, "in", b"\x10", "incomplete", "me")
    trace.event(1, "close", "closed")
    assert [json.loads(line) for line in sink.getvalue().splitlines()] == [
        {"t": 17, "conn": 1, "dir": "open", "packet": None, "hex": "", "remote": "127.0.0.1:5"},
        {"t": 17, "conn": 1, "dir": "in", "packet": {"v": 1, "type": "PINGREQ"}, "hex": "c000"},
        {"t": 17, "conn": 1, "dir": "in", "packet": None, "hex": "10"},
        {"t": 17, "conn": 1, "dir": "close", "packet": None, "hex": ""},
    ]


def test_records_are_one_line_each() -> None:
    sink = io.StringIO()
    Trace(sink, "jsonl").packet(1, "in", Publish("a\u2028b", b"\n"), b"", 5, "")
    assert len(sink.getvalue().splitlines()) == 1


def test_a_sink_that_fails_ends_the_trace() -> None:
    class Closed(io.StringIO):
        def write(self, text: str, /) -> int:
            raise BrokenPipeError

    trace = Trace(Closed())
    trace.event(1, "open", "somebody")
    assert trace.sink is None
    trace.event(1, "close", "closed")


def test_only_known_forms() -> None:
    with pytest.raises(ValueError, match="text or jsonl"):
        Trace(io.StringIO(), "xml")

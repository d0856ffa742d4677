# SPDX-License-Identifier: MIT
"""The trace without a socket: any chunking, broken bytes, a sink that fails."""

from __future__ import annotations

import io
import json

import pytest

from mqtt_ref.net.trace import Framer, Trace
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import Connack, Connect, Pingreq, Publish
from mqtt_ref.wire.primitives import CLIENT, SERVER
from mqtt_ref.wire.violation import Violation

STREAM = [Connect("me"), Publish("t", b"x" * 300, qos=1, packet_id=3), Pingreq()]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100, 1000])
def test_packets_with_their_bytes_in_any_chunking(size: int) -> None:
    data = b"".join(encode(5, packet) for packet in STREAM)
    framer = Framer(CLIENT)
    found = [pair for at in range(0, len(data), size) for pair in framer.feed(data[at : at + size])]
    assert [packet for packet, _ in found] == STREAM
    assert b"".join(raw for _, raw in found) == data
    assert framer.version == 5


def test_it_goes_on_after_a_broken_packet() -> None:
    framer = Framer(SERVER)
    framer.version = 5
    found = framer.feed(b"\x20\x01\x00" + encode(5, Connack()))
    assert isinstance(found[0][0], Violation)
    assert found[1][0] == Connack()


def test_what_has_no_end_is_kept_apart() -> None:
    framer = Framer(CLIENT)
    assert framer.feed(b"\x10\xff\xff\xff\xff\x01abc") == []
    assert framer.lost
    assert framer.rest == b"\x10\xff\xff\xff\xff\x01abc"
    assert framer.feed(b"more") == []


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

# SPDX-License-Identifier: MIT
"""Recorded traffic: captures and traces of any client with any broker."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Callable
from itertools import count

import pytest

from mqtt_ref.net.trace import Trace
from mqtt_ref.oracle.judge import Judge
from mqtt_ref.oracle.recorded import judge_pieces, judge_recording
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import Connack, ConnackProperties, Connect, Disconnect, Pingreq, Puback, Publish
from mqtt_ref.wire.primitives import CLIENT, SERVER, V5
from mqtt_ref.wire.recording import Piece, RecordingError
from tests.work import Copied, grows_linearly

SYN, ACK, FIN = 2, 16, 1


class Capture:
    """A pcap file of one connection, written segment by segment."""

    def __init__(self, port: int = 1883) -> None:
        self.port = port
        self.frames: list[bytes] = []
        self.at = [1000, 5000]
        self.time = 0

    def add(self, side: int, data: bytes, flags: int = ACK, seconds: float = 0.02, lost: bool = False) -> None:
        self.time += int(seconds * 1_000_000)
        ports = (40000, self.port) if side == 0 else (self.port, 40000)
        hosts = (b"\x0a\0\0\x01", b"\x0a\0\0\x02")
        tcp = struct.pack(">HHIIBBHHH", *ports, self.at[side], 0, 5 << 4, flags, 1024, 0, 0) + data
        head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0x4000, 64, 6, 0)
        packet = head + hosts[side] + hosts[1 - side] + tcp
        self.at[side] += len(data) + (1 if flags & (SYN | FIN) else 0)
        if not lost:
            whole = struct.pack("<IIII", *divmod(self.time, 1_000_000), len(packet), len(packet))
            self.frames.append(whole + packet)

    def judged(self) -> Judge:
        head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)
        return judge_recording(head + b"".join(self.frames))

    def open(self) -> None:
        self.add(0, b"", SYN)
        self.add(1, b"", SYN | ACK)
        self.add(0, encode(V5, Connect("c")))
        self.add(1, encode(V5, Connack()))


def rules(judge: Judge) -> list[str]:
    return [finding.rule for finding in judge.findings]


@pytest.mark.parametrize("port", [1883, 7777])
def test_a_capture_is_judged(port: int) -> None:
    capture = Capture(port)
    capture.open()
    capture.add(0, encode(V5, Publish("a", b"", 1, False, True, 1)))
    capture.add(0, b"", FIN | ACK)
    judge = capture.judged()
    assert rules(judge) == ["MQTT5-4.3.2-2"]
    assert judge.connections == 1
    (finding,) = judge.findings
    assert finding.remote == "10.0.0.1:40000"


def test_a_first_packet_that_is_no_connect_counts_only_where_the_beginning_was_captured() -> None:
    late, early = Capture(), Capture()
    early.add(0, b"", SYN)
    for capture in (late, early):
        capture.add(0, encode(V5, Pingreq()))
        capture.add(1, b"\xd0\x00")
        capture.add(0, encode(V5, Pingreq()))
    assert rules(late.judged()) == []
    assert late.judged().unjudged == 1
    assert rules(early.judged()) == ["MQTT5-3.1.0-1"]


def test_what_was_not_captured_of_the_server_is_not_held_against_the_client() -> None:
    capture = Capture()
    capture.open()
    capture.add(1, encode(V5, Publish("t", b"", 1, packet_id=7)), lost=True)
    capture.add(0, encode(V5, Puback(7)))
    capture.add(1, encode(V5, Publish("t", b"")))
    assert rules(capture.judged()) == []


def test_a_client_far_away_knows_its_connack_once_it_can_have_it() -> None:
    for seconds, known in ((0.15, False), (0.25, True)):
        capture = Capture()
        capture.add(0, b"", SYN)
        capture.add(1, b"", SYN | ACK)
        capture.add(0, encode(V5, Connect("c")), seconds=0.2)  # what the way there and back takes
        capture.add(1, encode(V5, Connack(properties=ConnackProperties(maximum_qos=0))))
        capture.add(0, encode(V5, Publish("a", b"", 1, packet_id=1)), seconds=seconds)
        assert rules(capture.judged()) == (["MQTT5-3.2.2-11"] if known else [])


def test_keep_alive_by_the_times_of_the_capture() -> None:
    capture = Capture()
    capture.add(0, b"", SYN)
    capture.add(0, encode(V5, Connect("c", keep_alive=5)))
    capture.add(1, encode(V5, Connack()))
    capture.add(1, encode(V5, Publish("t", b"")), seconds=4)
    capture.add(0, encode(V5, Pingreq()), seconds=18)
    assert rules(capture.judged()) == ["MQTT5-3.1.2-20"]


def test_who_closes_only_where_the_end_was_recorded() -> None:
    for recorded in (False, True):
        capture = Capture()
        capture.open()
        capture.add(0, b"\xe0\x00")
        capture.add(1, b"", seconds=21)
        if recorded:
            capture.add(0, b"", FIN | ACK)
        assert rules(capture.judged()) == (["MQTT5-3.14.4-2"] if recorded else [])


def test_a_trace_is_judged() -> None:
    out = io.StringIO()
    trace = Trace(out, "jsonl", clock=lambda: 0)
    trace.event(1, "open", "peer")
    for way, packet in (("in", Connect("c")), ("out", Connack()), ("in", Puback(9))):
        trace.packet(1, way, packet, encode(V5, packet), V5, "c")
    trace.event(1, "close", "closed")
    judge = judge_recording(out.getvalue().encode())
    assert rules(judge) == ["MQTT5-2.2.1-5"]


def test_a_trace_of_a_client_far_away_does_not_tell_when_it_knew_its_connack() -> None:
    limited = Connack(properties=ConnackProperties(maximum_qos=0))
    for remote, known in (("127.0.0.1:40000", True), ("192.0.2.1:40000", False)):
        out = io.StringIO()
        trace = Trace(out, "jsonl", clock=count(0, 100_000_000).__next__)
        trace.event(1, "open", remote)
        for way, packet in (("in", Connect("c")), ("out", limited), ("in", Publish("a", b"", 1, packet_id=1))):
            trace.packet(1, way, packet, encode(V5, packet), V5, "c")
        assert rules(judge_recording(out.getvalue().encode())) == (["MQTT5-3.2.2-11"] if known else [])


def test_two_connections_of_one_number_are_two() -> None:
    out = io.StringIO()
    trace = Trace(out, "jsonl", clock=lambda: 0)
    for _ in range(2):
        trace.event(1, "open", "peer")
        trace.packet(1, "in", Connect("c"), encode(V5, Connect("c")), V5, "c")
        trace.event(1, "close", "closed")
    judge = judge_recording(out.getvalue().encode())
    assert judge.connections == 2
    assert not judge.findings


def test_bytes_without_a_side_are_refused() -> None:
    for data in (b"c000", json.dumps({"hex": "c000"}).encode()):
        with pytest.raises(RecordingError, match="which side"):
            judge_recording(data)


CONNECT = encode(V5, Connect("melon"))
CONNACK = encode(V5, Connack())


def opened(*pieces: Piece) -> list[Piece]:
    """The pieces of a client that was accepted, and then these."""
    return [Piece("1", CLIENT, CONNECT, 1), Piece("1", SERVER, CONNACK, 1), *pieces]


def acknowledged_backwards(count: int) -> list[Piece]:
    messages = b"".join(encode(V5, Publish("t", b"", 1, packet_id=n)) for n in range(1, count + 1))
    acks = (Piece("1", CLIENT, encode(V5, Puback(n)), 6) for n in range(count, 0, -1))
    return opened(Piece("1", SERVER, messages, 5), *acks)


def one_never_acknowledged(count: int) -> list[Piece]:
    """A quarter of the messages, the first, is never acknowledged."""
    pieces: list[Piece] = []
    for n in range(1, count + 1):
        pieces.append(Piece("1", SERVER, encode(V5, Publish("t", b"", 1, packet_id=n)), 5))
        if n > count // 4:
            pieces.append(Piece("1", CLIENT, encode(V5, Puback(n)), 6))
    return opened(*pieces)


def after_goodbye(count: int) -> list[Piece]:
    return opened(Piece("1", CLIENT, encode(V5, Disconnect()) + encode(V5, Pingreq()) * count, 5))


def at_once(count: int) -> list[Piece]:
    return opened(*(Piece("1", CLIENT, b"\xc0\0", 5) for _ in range(count)))


def silent_ones(count: int) -> list[Piece]:
    pieces: list[Piece] = []
    for n in range(count):
        pieces += [Piece(str(n), CLIENT, CONNECT, 1), Piece(str(n), SERVER, CONNACK, 1)]
    return pieces + [Piece("0", CLIENT, b"\xc0\0", n * 10**9) for n in range(1, count)]


@pytest.mark.parametrize(
    ("make", "size"),
    [
        (acknowledged_backwards, 100),
        (one_never_acknowledged, 100),
        (after_goodbye, 200),
        (at_once, 100),
        (silent_ones, 300),
    ],
)
def test_the_work_is_in_proportion_to_the_recording(make: Callable[[int], list[Piece]], size: int) -> None:
    def work(count: int) -> Callable[[], object]:
        pieces = make(count)
        return lambda: judge_pieces(pieces)

    assert grows_linearly(work, size)


def test_findings_say_the_last_packets_before_them_wherever_they_are_in_a_chunk() -> None:
    judge = judge_pieces(after_goodbye(100))
    assert judge.counts.total() == 100
    assert len(judge.findings) == 20
    for number, finding in enumerate(judge.findings):
        kinds = [event.data[0] >> 4 for event in finding.history]
        wanted = [1, 2, 14, *[12] * (number + 1)]
        assert kinds == wanted[-16:]


def test_packets_of_one_time_are_joined_without_copying_them_again_and_again() -> None:
    Copied.total = 0
    judge = judge_pieces(
        opened(*(Piece("1", CLIENT, Copied(encode(V5, Publish("t", bytes(100)))), 5) for _ in range(500)))
    )
    assert judge.connections == 1
    assert Copied.total <= 100_000


def test_segments_behind_holes_and_in_any_order_cost_no_more_than_in_order() -> None:
    def work(order: int, step: int) -> Callable[[int], Callable[[], object]]:
        def prepared(count: int) -> Callable[[], object]:
            capture = Capture()
            capture.add(0, b"", SYN)
            capture.add(0, CONNECT)
            first = capture.at[0]
            for n in range(count)[::order]:
                capture.at[0] = first + n * step
                capture.add(0, b"\xc0\0", seconds=0.0)
            return capture.judged

        return prepared

    assert grows_linearly(work(1, 2), 100)
    assert grows_linearly(work(-1, 2), 100)
    assert grows_linearly(work(1, 3), 100)

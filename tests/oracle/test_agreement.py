# SPDX-License-Identifier: MIT
"""Live and recorded agree: every faulty client, every malformed packet, and what only time or a channel tells."""

from __future__ import annotations

import json
import random
import socket
import time

import pytest

from mqtt_ref.oracle.facade import Oracle
from mqtt_ref.oracle.faults import __main__ as played  # noqa: F401  (it registers the faults)
from mqtt_ref.oracle.faults.catalogue import FAULTS, Fault, from_vectors
from mqtt_ref.oracle.faults.stage import Stage
from mqtt_ref.oracle.recorded import judge_recording
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import Connect, ConnectProperties, Pingreq, Puback, Publish
from mqtt_ref.wire.primitives import SERVER, V5
from mqtt_ref.wire.recording import RecordingError, read_recording
from tests.agreement import check_trace
from tests.oracle.taped import TapedJudge

BY_HAND = {"ping-first-311"}
"""The stage itself tells the judge the version; no trace could hold it."""
PLAYED = [(fault, version) for fault in FAULTS for version in fault.versions if fault.id not in BY_HAND]


def name(value: object) -> str:
    return value.id if isinstance(value, Fault) else str(value)


class TapedStage(Stage):
    """A stage whose judge writes a trace."""

    def __init__(self, version: int = V5, faults: frozenset[str] = frozenset()) -> None:
        super().__init__(version, faults)
        self.tape = TapedJudge()
        self.judge = self.tape
        self.count = 0
        self.open()


@pytest.mark.parametrize(("fault", "version"), PLAYED, ids=name)
def test_a_faulty_client_is_accused_of_the_same_from_its_trace(fault: Fault, version: int) -> None:
    stage = TapedStage(version, fault.switches)
    fault.play(stage)
    stage.turn()
    found = list(stage.judge.findings)
    assert found
    check_trace(stage.tape.trace, found)


def test_every_malformed_packet_is_named_from_a_trace() -> None:
    judge = TapedJudge()
    now = 1_000_000_000
    for number, (vector, _) in enumerate(from_vectors(), 1):
        watched = judge.open(str(number), now, "127.0.0.1:1", local=True)
        if vector.data[0] >> 4 != Connect.TYPE:
            watched.client(encode(vector.version, Connect("c", protocol_version=vector.version)), now)
            watched.server(b"\x20\x02\x00\x00" if vector.version != V5 else b"\x20\x03\x00\x00\x00", now)
        cut = random.Random(vector.id).randrange(len(vector.data) + 1)
        watched.client(vector.data[:cut], now + 10)
        watched.client(vector.data[cut:], now + 20)
        now += 30
        watched.closed(now)
    assert judge.findings
    check_trace(judge.trace, list(judge.findings), judge.unjudged)


@pytest.mark.parametrize("seed", range(30))
def test_any_bytes_in_any_pieces(seed: int) -> None:
    """Packets that are cut anywhere, behind pauses of any length, on two connections of one client."""
    draw = random.Random(seed)
    judge = TapedJudge()
    now = 1_000_000_000
    for number in (1, 2):
        watched = judge.open(str(number), now, draw.choice(("127.0.0.1:1", "192.0.2.1:1")), local=draw.random() < 0.5)
        said = [encode(V5, Connect("c", keep_alive=2, properties=ConnectProperties(60)))]
        said += [
            draw.choice(
                (
                    encode(V5, Publish("a", b"x" * 200, 1, draw.random() < 0.3, False, draw.randrange(1, 4))),
                    encode(V5, Puback(draw.randrange(1, 4))),
                    encode(V5, Pingreq()),
                    b"\xc1\x00",
                    b"\x82\x03\x00\x01\x00",
                )
            )
            for _ in range(12)
        ]
        data = b"".join(said)
        at = 0
        while at < len(data):
            size = draw.choice((1, 3, 40, 300))
            watched.client(data[at : at + size], now)
            at += size
            now += draw.choice((10_000_000, 300_000_000, 2_500_000_000))
            if watched.talk.connect is not None and not watched.talk.answered_at:
                watched.server(b"\x20\x03\x00\x00\x00", now)
            if draw.random() < 0.4:
                watched.server(encode(V5, Publish("b", b"", 1, packet_id=draw.randrange(1, 4))), now)
            judge.passed(now)
        watched.closed(now)
    check_trace(judge.trace, list(judge.findings), judge.unjudged)


def test_silence_and_a_packet_that_comes_slowly() -> None:
    """What depends on time alone is the same: the trace says when it was looked, and when a packet began."""
    with Oracle(check=False) as oracle:
        with socket.create_connection(("127.0.0.1", oracle.port), 5) as slow:
            slow.sendall(encode(V5, Connect("slow", keep_alive=3)))
            with socket.create_connection(("127.0.0.1", oracle.port), 5) as silent:
                silent.sendall(encode(V5, Connect("silent", keep_alive=1)))
                data = encode(V5, Publish("a", bytes(150)))  # 4.8 s: longer than one and a half times its Keep Alive
                for at in range(0, len(data), 10):
                    slow.sendall(data[at : at + 10])
                    time.sleep(0.3)
                end = time.monotonic() + 10
                while not oracle.findings and time.monotonic() < end:
                    time.sleep(0.05)
        trace = "\n".join(map(json.dumps, oracle.records))
        assert [finding.client_id for finding in oracle.findings] == ["silent"]
        assert [json.loads(line)["dir"] for line in trace.splitlines()].count("begin") == 1
        check_trace(trace, oracle.findings)


def test_a_trace_of_the_first_form_is_read() -> None:
    records = [
        {"t": 1, "conn": 1, "dir": "open", "packet": None, "hex": "", "remote": "127.0.0.1:5"},
        {"t": 2, "conn": 1, "dir": "in", "packet": None, "hex": encode(V5, Connect("c")).hex()},
        {"t": 3, "conn": 1, "dir": "out", "packet": None, "hex": "2003000000"},
        {"t": 4, "conn": 1, "dir": "in", "packet": None, "hex": "c100"},
        {"t": 5, "conn": 1, "dir": "close", "packet": None, "hex": ""},
    ]
    trace = "\n".join(map(json.dumps, records)).encode()
    (finding,) = judge_recording(trace).findings
    assert (finding.rule, finding.time, finding.remote) == ("MQTT5-2.1.3-1", 4, "127.0.0.1:5")
    assert [piece.sender for piece in read_recording(trace)][2] == SERVER


def test_a_trace_of_a_later_form_is_refused() -> None:
    record = {"v": 3, "t": 1, "conn": 1, "dir": "open", "packet": None, "hex": "", "remote": "x"}
    with pytest.raises(RecordingError, match="trace version 3 is not known; the latest is 2"):
        judge_recording(json.dumps(record).encode())


def test_two_runs_in_one_trace_are_two() -> None:
    """The first run was killed, and left its connection open; the second has a connection of the same number."""
    run = [
        {"t": 1, "conn": 1, "dir": "open", "packet": None, "hex": "", "remote": "127.0.0.1:5"},
        {"t": 2, "conn": 1, "dir": "in", "packet": None, "hex": encode(V5, Connect("c")).hex()},
    ]
    judge = judge_recording("\n".join(map(json.dumps, run * 2)).encode())
    assert judge.connections == 2
    assert not judge.findings

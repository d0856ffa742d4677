# SPDX-License-Identifier: MIT
"""Log and trace are written by a thread: a reader that stops costs lines, never time."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Generator
from typing import IO, Any

import pytest

from mqtt_ref import log
from mqtt_ref.log import JsonFormatter
from mqtt_ref.net.trace import dropped_record
from mqtt_ref.oracle.recorded import judge_recording
from mqtt_ref.outlet import Outlet, left_out
from mqtt_ref.testing.rawclient import RawClient
from mqtt_ref.wire.packets import Connack, Connect, Pingreq, Pingresp


@pytest.fixture
def pipe() -> Generator[tuple[int, IO[str]]]:
    """The end that reads, and a stream to the end that writes."""
    reads, writes = os.pipe()
    with open(writes, "w", encoding="ascii", closefd=False) as stream:
        yield reads, stream
    for one in (reads, writes):
        try:
            os.close(one)
        except OSError:
            pass


def test_lines_come_in_order_and_close_waits_for_them(pipe: tuple[int, IO[str]]) -> None:
    reads, stream = pipe
    outlet = Outlet(stream)  # type: ignore[arg-type]
    for number in range(1000):
        outlet.write(f"{number}\n")
    outlet.write("é\n")
    outlet.close(5)
    outlet.write("too late\n")
    got = os.read(reads, 1 << 16).decode().splitlines()
    assert got == [*map(str, range(1000)), "\\xe9"], "what the stream cannot write is escaped"


def test_what_nobody_reads_is_dropped_and_counted(pipe: tuple[int, IO[str]], wait_until: Callable[..., Any]) -> None:
    reads, stream = pipe
    outlet = Outlet(stream, lines=10)  # type: ignore[arg-type]
    line = "x" * 999 + "\n"
    for _ in range(500):
        outlet.write(line)
    assert 300 < outlet.dropped < 500, "the pipe and the queue took the rest"
    dropped = outlet.dropped
    got = ""

    def drained() -> bool:
        nonlocal got
        got += os.read(reads, 1 << 20).decode()
        return got.count(line) == 500 - dropped

    wait_until(drained)
    outlet.write("again\n")
    outlet.close(5)
    got += os.read(reads, 1 << 16).decode()
    told = [text for text in got.splitlines(keepends=True) if text != line]
    assert told.pop() == "again\n"
    counts = [int(text.split()[0]) for text in told]
    assert sum(counts) == dropped, "each gap is told where it is; a machine under load makes more than one"
    assert told == [left_out(count) for count in counts]


def test_a_large_line_is_held_only_if_no_other_is(pipe: tuple[int, IO[str]], wait_until: Callable[..., Any]) -> None:
    _, stream = pipe
    outlet = Outlet(stream, size=1000)  # type: ignore[arg-type]
    outlet.write("x" * 200_000)
    wait_until(lambda: outlet._writing)
    outlet.write("y" * 5000)
    assert outlet.dropped == 0
    outlet.write("z")
    assert outlet.dropped == 1


def test_a_reader_that_ended_costs_nothing(pipe: tuple[int, IO[str]], wait_until: Callable[..., Any]) -> None:
    reads, stream = pipe
    outlet = Outlet(stream)  # type: ignore[arg-type]
    os.close(reads)
    outlet.write("x\n")
    wait_until(lambda: outlet.ended)
    outlet.write("y\n")
    outlet.close()
    assert outlet.dropped == 0


def test_a_full_disk_is_tried_again(require: Any, wait_until: Callable[..., Any]) -> None:
    require.that(os.path.exists("/dev/full"), "there is no /dev/full")
    with open("/dev/full", "w", encoding="utf-8") as full:
        outlet = Outlet(full)
        outlet.write("x\n")
        wait_until(lambda: outlet.dropped == 1)
        outlet.write("y\n")
        wait_until(lambda: outlet.dropped == 3, what="the line that says it, and the next one")
        outlet.close()


def test_a_stream_without_a_descriptor_is_written_at_once() -> None:
    stream = io.StringIO()
    outlet = Outlet(stream)
    outlet.write("x\n")
    assert stream.getvalue() == "x\n"


def test_the_json_log_stays_json(pipe: tuple[int, IO[str]]) -> None:
    reads, stream = pipe
    logger = logging.getLogger("mqtt_ref")
    before = (logger.level, logger.propagate, logger.handlers[:])
    try:
        handler = log.setup(form="json", stream=stream)  # type: ignore[arg-type]
        assert isinstance(handler.formatter, JsonFormatter)
        handler.stream._untold = 3
        logger.warning("after a stall")
        handler.stream.close(5)
    finally:
        logger.level, logger.propagate, logger.handlers[:] = before
        logger.setLevel(before[0])
    lines = [json.loads(line) for line in os.read(reads, 1 << 16).decode().splitlines()]
    assert [line["text"][:21] for line in lines] == ["3 lines were left out", "after a stall"]


def test_a_trace_with_a_gap_is_not_judged_after_it() -> None:
    """The missing records may hold anything: no finding may come from what follows."""
    connect = "100d00044d515454040200000001" + "61"
    subscribe = "8206000000016100"  # Packet Identifier 0
    lines = [
        {"t": 1, "conn": 1, "dir": "open", "packet": None, "hex": "", "remote": "127.0.0.1:1"},
        {"t": 2, "conn": 1, "dir": "in", "packet": None, "hex": connect},
        {"t": 3, "conn": 1, "dir": "out", "packet": None, "hex": "20020000"},
        {"t": 4, "conn": 1, "dir": "in", "packet": None, "hex": subscribe},
    ]
    gap = json.loads(dropped_record(7))
    assert gap["count"] == 7

    def findings(records: list[Any]) -> int:
        return len(judge_recording("\n".join(json.dumps(record) for record in records).encode()).findings)

    assert findings(lines) == 1
    assert findings([*lines[:3], {**gap, "t": 3}, lines[3]]) == 0


@pytest.mark.parametrize("trace", [[], ["--trace"], ["--trace=jsonl"]], ids=["log", "trace", "jsonl"])
@pytest.mark.skipif(sys.platform == "win32", reason="pipes without a reader block there in another way")
def test_nobody_waits_for_who_reads_the_lines(trace: list[str]) -> None:
    """Neither the other clients nor the end of the process."""
    command = [sys.executable, "-m", "mqtt_ref", "serve", "--port", "0", "--no-ws", "--no-http", "-vv", *trace]
    broker = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert broker.stdout is not None
    assert broker.stderr is not None
    try:
        ready = broker.stderr if trace == ["--trace=jsonl"] else broker.stdout
        port = int(ready.readline().rpartition(":")[2])
        with RawClient(port, timeout=10) as keep:
            keep.send(Connect("keep"))
            assert isinstance(keep.read(), Connack)
            for number in range(300):
                with RawClient(port, timeout=10) as client:
                    client.send(Connect("x" * 1000 + str(number)))
                    assert isinstance(client.read(), Connack)
            keep.send(Pingreq())
            assert isinstance(keep.read(), Pingresp)
        broker.terminate()
        assert broker.wait(15) == 0
    finally:
        broker.kill()
        broker.wait()
        broker.stdout.close()
        broker.stderr.close()

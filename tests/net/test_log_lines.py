# SPDX-License-Identifier: MIT
"""What an operator reads: one line for what went wrong, with the client's name, and no noise for what is usual."""

from __future__ import annotations

import logging
import re
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from mqtt_ref.engine.drops import CLIENTS, OTHERS, Drops
from mqtt_ref.engine.options import Bounds, Options
from mqtt_ref.net import driver
from mqtt_ref.net.tcp import TcpListener
from mqtt_ref.testing.rawclient import RawClient
from mqtt_ref.wire.packets import Connect, ConnectProperties, Publish


def reset(link: socket.socket) -> None:
    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    link.close()


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[str], list[logging.LogRecord]]:
    """The records of the log that match."""
    caplog.set_level(logging.DEBUG, "mqtt_ref")
    return lambda pattern: [record for record in caplog.records if re.search(pattern, record.getMessage())]


Lines = Callable[[str], list[logging.LogRecord]]


# ---------------------------------------------------------------- what is usual


def test_a_probe_is_no_warning(running: Callable[..., Any], lines: Lines, wait_until: Callable[..., Any]) -> None:
    listener = TcpListener(port=0)
    running(listener)
    for how in (reset, socket.socket.close):
        for _ in range(3):
            how(socket.create_connection(("127.0.0.1", listener.port), 10))
    wait_until(lambda: len(lines("")) >= 6, what="a line for each")
    for record in lines("127.0.0.1"):
        unnamed = "cannot be named" in record.getMessage()  # its address was gone before it could be asked for
        assert record.levelno == (logging.INFO if unnamed else logging.DEBUG)
    assert len(lines("")) == 6


@pytest.mark.parametrize("how", [reset, socket.socket.close])
def test_a_client_that_closes_without_disconnect_is_no_warning(
    running: Callable[..., Any], lines: Lines, wait_until: Callable[..., Any], how: Callable[[socket.socket], None]
) -> None:
    listener = TcpListener(port=0)
    running(listener)
    client = RawClient(listener.port)
    client.connect("leaves")
    how(client.socket)
    wait_until(lambda: lines("'leaves' at 127"))
    (record,) = lines("'leaves' at 127")
    assert record.levelno == logging.INFO


def test_what_breaks_a_rule_is_a_warning(
    running: Callable[..., Any], lines: Lines, wait_until: Callable[..., Any]
) -> None:
    listener = TcpListener(port=0)
    running(listener)
    with RawClient(listener.port) as client:
        client.connect("wrong")
        client.send(b"\x00\x00")
        client.until_closed()
    wait_until(lambda: lines("'wrong' at 127"))
    (record,) = lines("'wrong' at 127")
    assert record.levelno == logging.WARNING


def test_a_flood_of_usual_lines_does_not_hide_a_warning(
    running: Callable[..., Any], lines: Lines, wait_until: Callable[..., Any]
) -> None:
    listener = TcpListener(port=0)
    running(listener)
    for _ in range(300):
        link = socket.create_connection(("127.0.0.1", listener.port), 10)
        link.sendall(b"\x10\x20\x00")  # the beginning of a CONNECT
        link.close()
    with socket.create_connection(("127.0.0.1", listener.port), 10) as link:
        link.sendall(b"\xff\xff")
        link.recv(10)
    wait_until(lambda: [one for one in lines("127.0.0.1") if one.levelno == logging.WARNING])


# ---------------------------------------------------------------- messages that were dropped


def test_messages_for_a_slow_client_and_for_a_full_queue_are_told_with_its_name(
    running: Callable[..., Any], lines: Lines, wait_until: Callable[..., Any]
) -> None:
    listener = TcpListener(port=0)
    running(listener, options=Options(bounds=Bounds(queued_messages=10, write_buffer=10_000)))
    with (
        RawClient(listener.port, receive_buffer=4096) as slow,
        RawClient(listener.port) as small,
        RawClient(listener.port) as publisher,
    ):
        slow.connect("slow")
        slow.subscribe("a")
        small.send(Connect("small", properties=ConnectProperties(maximum_packet_size=100)))
        small.read()
        small.subscribe("a")
        with RawClient(listener.port, version=4) as away:
            away.send(Connect("away", protocol_version=4, clean_start=False))
            away.read()
            away.subscribe("b", qos=1)
        publisher.connect("publisher")
        for _ in range(200):
            publisher.send(Publish("a", bytes(50_000)))
        for _ in range(30):
            publisher.publish("b", b"x", 1)
        for who, why in (("slow", "reads too slowly"), ("small", "Maximum Packet Size"), ("away", "queue is full")):
            wait_until(lambda who=who: lines(f"'{who}': messages"))  # type: ignore[misc]
            (record,) = lines(f"'{who}': messages")
            assert record.levelno == logging.WARNING
            assert why in record.getMessage()
        (record,) = lines("'away': messages")
        assert record.__dict__["fields"] == {"client_id": "away", "reason": "queue_full", "count": 20}


def test_a_client_is_named_again_only_after_a_while(
    running: Callable[..., Any], lines: Lines, wait_until: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others do not wait for that, and the rest is told at the end."""
    monkeypatch.setattr(driver, "DROPS", 0.01)
    monkeypatch.setattr(driver, "SILENCE", 1000.0)
    listener = TcpListener(port=0)
    it = running(listener)
    drops = it.server.broker.drops
    tell = it.server.driver._tell_drops

    def drop(client_id: str) -> None:
        drops.add(client_id, "slow")
        tell()

    for client_id in ("one", "one", "two", "one"):
        it.loop.call_soon_threadsafe(drop, client_id)
    wait_until(lambda: lines("'two': messages"))
    assert len(lines("'one': messages")) == 1
    it.do(it.server.stop(0.1))
    assert [record.__dict__["fields"]["count"] for record in lines("'one': messages")] == [1, 2]


def test_the_names_have_a_bound() -> None:
    drops = Drops()
    firsts = [drops.add(f"client {number}", "slow") for number in range(CLIENTS + 50)]
    assert firsts == [True] + [False] * (CLIENTS + 49)
    taken = drops.take()
    assert len(taken) == CLIENTS + 1
    assert taken[OTHERS] == {"slow": 50}
    assert drops.take() == {}


# ---------------------------------------------------------------- no descriptor is left


@pytest.mark.skipif(sys.platform == "win32", reason="sockets have no file descriptors there")
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_used_up_descriptors_are_one_line(loop: str, require: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if loop == "uvloop":
        require.module("uvloop")
    monkeypatch.setenv("MQTT_REF_LOOP", loop if loop == "asyncio" else "")
    limited = (
        "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (48, 48)); "
        "sys.argv = ['mqtt-ref', 'serve', '--port', '0', '--no-ws', '--no-http']; "
        "runpy.run_module('mqtt_ref', run_name='__main__')"
    )
    broker = subprocess.Popen(
        [sys.executable, "-c", limited], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    links = []
    try:
        assert broker.stdout is not None
        port = int(broker.stdout.readline().rpartition(":")[2])
        for _ in range(60):
            link = socket.create_connection(("127.0.0.1", port), 10)
            links.append(link)
            link.sendall(b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x00\x00\x00")
            link.settimeout(0.05 if len(links) > 30 else 10)
            try:
                link.recv(4)
            except OSError:
                pass
        broker.terminate()
        said = [line for line in broker.communicate(timeout=20)[1].splitlines() if "ulimit -n" in line]
        assert len(said) == 1, said
        assert " ERROR net: " in said[0]
    finally:
        broker.kill()
        broker.communicate()
        for link in links:
            link.close()

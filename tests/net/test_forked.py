# SPDX-License-Identifier: MIT
"""A child of os.fork has no part in the server of its parent."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Generator
from typing import Any

import pytest

from mqtt_ref.hooks import AllowAll
from mqtt_ref.http import HttpListener
from mqtt_ref.net.tcp import TcpListener
from mqtt_ref.net.unix import UnixListener
from mqtt_ref.net.websocket import WebSocketListener
from mqtt_ref.testing.rawclient import RawClient
from mqtt_ref.threaded import ThreadedServer

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork there"),
    # Python 3.12 warns of every fork in a program with threads. Test runners and servers fork all the same.
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]


@pytest.fixture
def child() -> Generator[Callable[[Callable[[], object]], Callable[[], str]]]:
    """`child(function)` runs it in a forked child, which then stays; returns a function that gives its result."""
    children: list[int] = []

    def fork(function: Callable[[], object]) -> Callable[[], str]:
        reads, writes = os.pipe()
        number = os.fork()
        if number == 0:
            signal.alarm(60)
            try:
                said = repr(function())
            except BaseException as error:
                said = repr(error)
            os.write(writes, said.encode())
            os.close(writes)
            signal.pause()
            os._exit(0)
        os.close(writes)
        children.append(number)
        with os.fdopen(reads) as stream:
            said = stream.read()
        return lambda: said

    yield fork
    for number in children:
        os.kill(number, signal.SIGKILL)
        os.waitpid(number, 0)


Child = Callable[[Callable[[], object]], Callable[[], str]]


def test_the_port_of_a_stopped_server_is_free(child: Child, tmp_path: Any) -> None:
    path = tmp_path / "s"
    listeners = [TcpListener(port=0), WebSocketListener(port=0), HttpListener(port=0), UnixListener(path)]
    server = ThreadedServer(listeners=listeners, hooks=[AllowAll()])
    server.start()
    with RawClient(server.port) as client:
        client.connect("one")
        child(lambda: None)
        client.ping()
        server.stop()
        client.until_closed(10)  # the child does not keep the link open
    for one in listeners[:3]:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", one.port), 10)
    server.start()
    with RawClient(server.port) as client:
        client.connect("two")
    assert path.exists()
    server.stop()


def test_stop_in_the_child_returns_at_once(child: Child, tmp_path: Any) -> None:
    path = tmp_path / "s"
    server = ThreadedServer(listeners=[TcpListener(port=0), UnixListener(path)], hooks=[AllowAll()])
    with server, RawClient(server.port) as client:
        client.connect("one")

        def act() -> object:
            running = server.running
            server.stop()
            try:
                server.start()
            except RuntimeError as error:
                return running, str(error)
            return "started"

        assert child(act)() == repr((False, "this server was started before the process was forked: make a new one"))
        client.ping()
        assert path.exists()
        with RawClient(server.port) as other:
            other.connect("two")


def test_a_child_has_a_server_of_its_own(child: Child) -> None:
    with ThreadedServer(hooks=[AllowAll()]) as server:

        def act() -> object:
            with ThreadedServer(hooks=[AllowAll()]) as own, RawClient(own.port) as client:
                client.connect("one")
                return own.port != server.port

        assert child(act)() == "True"

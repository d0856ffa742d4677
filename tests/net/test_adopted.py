# SPDX-License-Identifier: MIT
"""Sockets that somebody else bound, and those of systemd."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mqtt_ref.net.adopted import SocketListener, activated_sockets
from mqtt_ref.net.listener import ListenerError
from mqtt_ref.server import Server
from mqtt_ref.testing.rawclient import RawClient

# Descriptor 3, and the id of the process that the broker will be, as systemd gives them.
LAUNCHER = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="plain")
os.execv(sys.executable, [sys.executable, "-c", sys.argv[2]])
"""
PROGRAM = """
import sys
from mqtt_ref.cli.serve import run_loop, serve
from mqtt_ref.net.adopted import SocketListener, activated_sockets
from mqtt_ref.hooks import AllowAll
from mqtt_ref.server import Server
listeners = [SocketListener(sock, name) for name, sock in activated_sockets()]
server = Server(listeners=listeners, hooks=[AllowAll()])
sys.exit(run_loop(serve(server, lambda url: print(*(x.name for x in listeners), url, flush=True))))
"""


@pytest.mark.parametrize("listening", [False, True])
def test_a_bound_socket_is_listened_on(running: Callable[..., Any], listening: bool) -> None:
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    if listening:
        sock.listen()
    port = sock.getsockname()[1]
    listener = SocketListener(sock, "adopted")
    server = running(listener)
    assert listener.urls == [f"mqtt://127.0.0.1:{port}"]
    assert server.server.port == port
    with RawClient(port) as client:
        client.connect("one")
        client.ping()
    server.do(server.server.close_listener("adopted"))
    with pytest.raises(OSError):
        RawClient(port)


@pytest.mark.skipif(sys.platform == "win32", reason="no Unix sockets there")
def test_the_file_of_an_adopted_unix_socket_is_its_owners(running: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "mqtt.sock"
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(path))
    listener = SocketListener(sock)
    server = running(listener)
    assert listener.urls == [f"unix:{path}"]
    server.do(server.server.close_listener(listener.name))
    assert path.is_socket()


def no_stream() -> socket.socket:
    sock = socket.socket(type=socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    return sock


def closed() -> socket.socket:
    sock = socket.socket()
    sock.close()
    return sock


@pytest.mark.parametrize(
    ("make", "text"), [(no_stream, "stream socket"), (socket.socket, "not bound"), (closed, "was closed")]
)
def test_a_socket_that_will_not_do_is_refused(make: Callable[[], socket.socket], text: str) -> None:
    async def run(sock: socket.socket) -> None:
        with pytest.raises(ListenerError, match=text):
            await Server(listeners=[SocketListener(sock)]).start()

    with make() as sock:
        asyncio.run(run(sock))


def test_nothing_was_handed_over_to_another_process() -> None:
    assert activated_sockets({}) == []
    assert activated_sockets({"LISTEN_PID": str(os.getpid() + 1), "LISTEN_FDS": "1"}) == []
    assert activated_sockets({"LISTEN_PID": str(os.getpid())}) == []
    with pytest.raises(ListenerError, match="number of sockets"):
        activated_sockets({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "two"})


@pytest.mark.skipif(sys.platform == "win32", reason="there a process cannot become another program")
def test_a_broker_takes_over_what_systemd_opened() -> None:
    """A client that connects before the broker runs is served: that is what activation is for."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        port = sock.getsockname()[1]
        with RawClient(port) as early:
            process = subprocess.Popen(
                [sys.executable, "-c", LAUNCHER, str(sock.fileno()), PROGRAM],
                pass_fds=[sock.fileno()],
                stdout=subprocess.PIPE,
                text=True,
            )
            sock.close()
            try:
                assert process.stdout is not None
                assert process.stdout.readline().split() == ["plain", f"mqtt://127.0.0.1:{port}"]
                assert early.connect("early").reason_code == 0
                early.disconnect()
            finally:
                process.terminate()
                assert process.wait(20) == 0
                process.stdout.close()

# SPDX-License-Identifier: MIT
"""Unix domain sockets: who may connect, and what becomes of the file."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mqtt_ref.hooks import AllowAll
from mqtt_ref.net.listener import ListenerError
from mqtt_ref.net.unix import UnixListener
from mqtt_ref.server import Server
from mqtt_ref.testing.rawclient import RawClient

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no Unix sockets there")


def client(path: Path) -> RawClient:
    connected = socket.socket(socket.AF_UNIX)
    connected.connect(str(path))
    connected.settimeout(10)
    return RawClient(connected=connected)


def opened(path: Path, **more: Any) -> str:
    """What happens to a server that listens there: the text of the error, or nothing."""

    async def run() -> str:
        try:
            async with Server(listeners=[UnixListener(path, **more)], hooks=[AllowAll()]):
                return ""
        except ListenerError as error:
            return str(error)

    return asyncio.run(run())


def test_clients_talk_over_it_and_the_file_goes_with_it(running: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "mqtt.sock"
    listener = UnixListener(path)
    server = running(listener)
    assert listener.urls == [f"unix:{path}"]
    with client(path) as one, client(path) as other:
        one.connect("one")
        one.subscribe("#", qos=2)
        other.connect("other")
        other.publish("t", bytes(300_000), qos=2)
        assert one.message().payload == bytes(300_000)
    server.do(server.server.close_listener(listener.name))
    assert not path.exists()


@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666])
def test_the_file_has_the_permissions_that_were_asked_for(
    running: Callable[..., Any], tmp_path: Path, mode: int
) -> None:
    path = tmp_path / "mqtt.sock"
    running(UnixListener(path, mode=mode))
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_what_a_dead_broker_left_is_replaced(running: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "mqtt.sock"
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.listen()
    left.close()
    assert path.is_socket()
    running(UnixListener(path))
    with client(path) as one:
        one.connect("one")


def test_one_that_somebody_listens_on_stays(tmp_path: Path) -> None:
    path = tmp_path / "mqtt.sock"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        assert "in use" in opened(path)
    assert path.is_socket()


def test_a_file_that_is_no_socket_stays(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("data")
    assert "not a socket" in opened(path)
    assert path.read_text() == "data"


def test_a_path_that_cannot_be_is_named_with_the_reason(tmp_path: Path) -> None:
    assert "there is no folder" in opened(tmp_path / "nowhere" / "mqtt.sock")
    assert "107 bytes" in opened(tmp_path / ("x" * 200))


def test_a_file_that_somebody_else_made_since_stays(tmp_path: Path) -> None:
    path = tmp_path / "mqtt.sock"

    async def run() -> None:
        async with Server(listeners=[UnixListener(path)], hooks=[AllowAll()]):
            os.unlink(path)
            path.write_text("somebody else's")

    asyncio.run(run())
    assert path.read_text() == "somebody else's"


def test_it_opens_again(tmp_path: Path) -> None:
    path = tmp_path / "mqtt.sock"

    async def run() -> None:
        server = Server(listeners=[UnixListener(path)], hooks=[AllowAll()])
        for _ in range(2):
            async with server:
                assert path.is_socket()
            assert not path.exists()

    asyncio.run(run())

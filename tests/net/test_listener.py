# SPDX-License-Identifier: MIT
"""Listeners come and go while the server runs; one of your own is as good as ours."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mqtt_ref.auth.ledger import AuthRule, Ledger
from mqtt_ref.auth.ledger_hook import LedgerHook
from mqtt_ref.engine.options import Options, Terms
from mqtt_ref.net.channel import Channel, peer_name
from mqtt_ref.net.driver import Driver
from mqtt_ref.net.listener import Listener, ListenerError, StreamListener, url_of
from mqtt_ref.net.memory import MemoryListener
from mqtt_ref.net.tcp import TcpListener
from mqtt_ref.net.tls import TlsSettings
from mqtt_ref.net.unix import UnixListener
from mqtt_ref.net.websocket import WebSocketListener
from mqtt_ref.server import Server
from mqtt_ref.testing.rawclient import RawClient
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import Connack, Connect, Disconnect, Publish


def test_a_listener_is_added_and_closed_while_clients_talk(running: Callable[..., Any]) -> None:
    first, second = TcpListener(port=0), TcpListener(port=0)
    server = running(first)
    with RawClient(first.port) as stays:
        stays.connect("stays")
        stays.subscribe("#", qos=1)
        server.do(server.server.add_listener(second))
        assert [one.urls for one in server.server.listeners] == [first.urls, second.urls]
        with RawClient(second.port) as goes, RawClient(second.port, version=4) as goes_too:
            goes.connect("goes")
            goes_too.connect("goes too", clean_start=True)
            goes.publish("t", b"hello", qos=1)
            assert stays.message().payload == b"hello"
            server.do(server.server.close_listener(second.name))
            last = goes.expect(Disconnect)
            assert last.reason_code == 0x98
            assert goes.until_closed() == goes_too.until_closed() == []
        with pytest.raises(OSError):
            RawClient(second.port)
        stays.ping()
        server.do(server.server.add_listener(second))
        with RawClient(second.port) as again:
            again.connect("again")


def test_clients_of_a_closed_listener_may_stay(running: Callable[..., Any]) -> None:
    first, second = TcpListener(port=0), TcpListener(port=0)
    server = running(first, second)
    with RawClient(second.port) as client:
        client.connect("one")
        server.do(server.server.close_listener(second.name, disconnect=False))
        client.ping()


def test_names_are_unique_and_known(running: Callable[..., Any]) -> None:
    server = running(TcpListener(port=0, name="plain"))
    with pytest.raises(ListenerError, match="listener 'plain' already"):
        server.do(server.server.add_listener(TcpListener(port=0, name="plain")))
    with pytest.raises(KeyError, match="no listener 'other'; there are plain"):
        server.do(server.server.close_listener("other"))
    unnamed = TcpListener(port=0)
    server.do(server.server.add_listener(unnamed))
    assert unnamed.name == f"mqtt:127.0.0.1:{unnamed.port}"


def test_one_that_cannot_be_opened_is_not_added(running: Callable[..., Any]) -> None:
    first = TcpListener(port=0)
    server = running(first)
    with pytest.raises(ListenerError, match="in use"):
        server.do(server.server.add_listener(TcpListener(port=first.port, name="second")))
    assert server.server.listeners == [first]


def test_before_the_start_it_is_opened_with_the_others() -> None:
    async def run() -> None:
        server = Server(listeners=[])
        await server.add_listener(TcpListener(port=0))
        await server.add_listener(MemoryListener())
        async with server:
            assert [bool(one.urls) for one in server.listeners] == [True, True]

    asyncio.run(run())


class SocketPair(Listener):
    """A listener of one's own: whoever calls `connect` gets one end of a pair."""

    async def open(self, driver: Driver, channel: Callable[[Driver, Listener], Channel] = Channel) -> None:
        self.driver = driver
        self.make = channel
        self.urls = ["pair:"]

    async def connect(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        await self.driver.loop.connect_accepted_socket(lambda: self.make(self.driver, self), ours)
        return theirs

    async def close(self) -> None:
        self.urls = []


def test_a_listener_of_ones_own(running: Callable[..., Any], said: Callable[..., str]) -> None:
    listener = SocketPair("pairs", Terms(versions=(5,), maximum_connections=1))
    server = running(listener)
    assert server.server.url == "pair:"
    with RawClient(connected=server.do(listener.connect())) as client:
        client.connect("one")
        client.subscribe("#", qos=2)
        client.publish("t", b"hello", qos=2)
        assert client.message().payload == b"hello"
        with RawClient(connected=server.do(listener.connect())) as second:
            assert second.until_closed() == []
        said("The listener has as many connections as it may, 1")
    assert repr(listener) == "SocketPair('pairs')"


def test_what_a_listener_has_to_do_is_said() -> None:
    with pytest.raises(TypeError, match=r"close.*open"):
        Listener()  # type: ignore[abstract]
    with pytest.raises(TypeError, match="bind"):
        StreamListener("mine")  # type: ignore[abstract]


def test_the_terms_of_each_listener_hold_for_its_clients(running: Callable[..., Any], authority: Any) -> None:
    tls = TlsSettings(authority.path("server.pem"))
    listeners = [
        TcpListener(port=0, terms=Terms(maximum_qos=1)),
        TcpListener(port=0, terms=Terms(versions=(4,))),
        TcpListener(port=0, tls=tls, terms=Terms(maximum_connections=1)),
        WebSocketListener(port=0, terms=Terms(connect_timeout=1)),
        TcpListener(port=0),
    ]
    server = running(*listeners)
    with RawClient(listeners[0].port) as client:
        assert client.connect("one").properties.maximum_qos == 1
    with RawClient(listeners[1].port) as client:
        client.send(Connect("two"))
        refused = client.expect(Connack)
        assert refused.reason_code == 0x84
    with authority.connect(listeners[2].port) as client, authority.connect(listeners[2].port) as second:
        client.connect("three")
        assert second.until_closed() == []
    with RawClient(listeners[3].port, timeout=5) as client:
        assert client.until_closed() == []
    with RawClient(listeners[4].port) as client:
        assert client.connect("five").properties.maximum_qos is None
        links = server.do(lambda: [link.listener for link in server.server.broker.connections.values()])
        assert links == [listeners[4].name]


def test_the_listener_is_counted_down_again(running: Callable[..., Any], wait_until: Callable[..., Any]) -> None:
    listener = TcpListener(port=0, name="counted", terms=Terms(maximum_connections=2))
    server = running(listener, options=Options())
    for _ in range(5):
        with RawClient(listener.port) as one, RawClient(listener.port) as other:
            one.connect("one")
            other.connect("other")
            assert server.server.broker.per_listener == {"counted": 2}
        wait_until(lambda: not server.server.broker.per_listener)


def test_urls_can_be_read_back() -> None:
    with socket.socket() as four:
        four.bind(("127.0.0.1", 0))
        assert url_of("ws", four) == f"ws://127.0.0.1:{four.getsockname()[1]}"
    with socket.socket(socket.AF_INET6) as six:
        try:
            six.bind(("::1", 0))
        except OSError:
            pytest.skip("no IPv6 here")
        assert url_of("mqtts", six) == f"mqtts://[::1]:{six.getsockname()[1]}"


@pytest.mark.parametrize(
    ("address", "name"),
    [
        (("127.0.0.1", 5000), "127.0.0.1:5000"),
        (("::1", 5000, 0, 0), "[::1]:5000"),
        (("::ffff:10.0.0.5", 5000, 0, 0), "10.0.0.5:5000"),
        ("memory:1", "memory:1"),
        (None, ""),
        ("", ""),
    ],
)
def test_the_name_of_a_client(address: object, name: str) -> None:
    assert peer_name(address) == name


ONLY_UNIX = Ledger(auth=(AuthRule(remote="local", allow=True),))
NOT_LOOPBACK = Ledger(auth=(AuthRule(remote="127.0.0.1"), AuthRule(allow=True)))


@pytest.mark.parametrize("ledger", [ONLY_UNIX, NOT_LOOPBACK], ids=["only-unix", "not-loopback"])
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_tcp_client_whose_address_is_lost_is_nobody(
    ledger: Ledger, loop: str, require: Any, wait_until: Callable[..., Any]
) -> None:
    """With uvloop, a client that resets the link before it is accepted has no address any more."""
    factory = None if loop == "asyncio" else require.module("uvloop").new_event_loop

    async def play() -> tuple[int, bool]:
        listener = TcpListener(port=0)
        async with asyncio.timeout(10), Server(listeners=[listener], hooks=[LedgerHook(ledger)]) as server:
            stolen: list[object] = []
            server.subscribe("#", stolen.append)
            for number in range(20):
                with socket.create_connection(("127.0.0.1", listener.port)) as client:
                    client.sendall(encode(5, Connect(f"x{number}")) + encode(5, Publish("stolen", b"x")))
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            # The loop has not run since: all of them are in the queue of the kernel, without an address.
            counters = server.broker.counters
            over = lambda: counters.connections_accepted == 20 and not server.broker.connections  # noqa: E731
            await asyncio.to_thread(wait_until, over)
            return len(stolen), bool(server.broker.sessions.by_client_id)

    with asyncio.Runner(loop_factory=factory) as runner:
        assert runner.run(play()) == (0, False)


@pytest.mark.skipif(sys.platform == "win32", reason="no Unix sockets there")
@pytest.mark.parametrize("path", ["10.0.0.5:1", ""])
def test_a_client_of_a_unix_socket_is_local_whatever_path_it_bound(
    running: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.chdir(tmp_path)
    server = running(UnixListener("mqtt.sock"))
    client = socket.socket(socket.AF_UNIX)
    if path:
        client.bind(path)
    client.connect("mqtt.sock")
    client.settimeout(10)
    with RawClient(connected=client) as one:
        one.connect("one")
        assert server.server.clients()[0].remote == "local"

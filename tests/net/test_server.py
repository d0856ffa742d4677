# SPDX-License-Identifier: MIT
"""`Server`, embedded: who may connect, start and stop, callbacks that fail."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from mqtt_ref.engine.access import ACCEPT, Access, Verdict
from mqtt_ref.engine.options import Options
from mqtt_ref.hooks import AllowAll
from mqtt_ref.net.listener import ListenerError
from mqtt_ref.net.tcp import TcpListener, is_loopback
from mqtt_ref.server import Server
from mqtt_ref.testing.rawclient import RawClient
from mqtt_ref.wire.packets import Connack, Connect, Disconnect, Pingreq

T = TypeVar("T")


def beside(server: Server, client: Callable[[int], T]) -> T:
    """What a blocking client does while the server runs."""

    async def run() -> T:
        async with server:
            return await asyncio.wait_for(asyncio.to_thread(client, server.port), 20)

    return asyncio.run(run())


def deciding(access: Access) -> Server:
    """A server whose engine asks these callables, with no hook in between."""
    server = Server()
    server.broker.set_access(access)
    return server


def test_nobody_may_connect_unless_told() -> None:
    def client(port: int) -> list[Any]:
        with RawClient(port) as one:
            one.send(Connect("somebody"))
            return one.until_closed()

    (refused,) = beside(Server(), client)
    assert isinstance(refused, Connack)
    assert refused.reason_code == 0x87


def test_a_server_starts_again_on_its_port() -> None:
    server = Server(hooks=[AllowAll()])

    def client(port: int) -> int:
        with RawClient(port) as one:
            one.connect("again")
            one.disconnect()
        return port

    first = beside(server, client)
    assert beside(server, client) == first
    assert server.url == f"mqtt://127.0.0.1:{first}"


def test_a_server_that_runs_cannot_be_started() -> None:
    async def run() -> None:
        async with Server() as server:
            with pytest.raises(RuntimeError):
                await server.start()

    asyncio.run(run())


def test_all_listeners_open_or_none() -> None:
    async def run() -> None:
        async with Server() as first:
            free, taken = TcpListener(port=0), TcpListener(port=first.port)
            second = Server(listeners=[free, taken])
            with pytest.raises(ListenerError, match="in use"):
                await second.start()
            with pytest.raises(OSError):
                RawClient(free.port)

    asyncio.run(run())


def test_stop_tells_clients_and_returns_in_time() -> None:
    async def run() -> list[Any]:
        server = Server(hooks=[AllowAll()])
        await server.start()
        loop = asyncio.get_running_loop()
        with RawClient(server.port) as one:
            await loop.run_in_executor(None, one.connect, "one")
            begin = loop.time()
            await server.stop(0.5)
            assert loop.time() - begin < 1.0
            await server.stop()
            return one.until_closed()

    (last,) = asyncio.run(run())
    assert isinstance(last, Disconnect)
    assert last.reason_code == 0x8B


def test_a_callback_that_fails_costs_its_connection_only(caplog: pytest.LogCaptureFixture) -> None:
    def publish(link: Any, topic: str, qos: int, retain: bool) -> int:
        if topic == "bug":
            raise RuntimeError("a bug of the embedder")
        return 0

    def client(port: int) -> None:
        with RawClient(port) as bad, RawClient(port) as good:
            bad.connect("bad")
            good.connect("good")
            good.subscribe("#")
            bad.publish("bug", b"")
            assert bad.until_closed() == []
            good.publish("fine", b"x", qos=1)
            assert good.message().topic == "fine"
            assert not good.inbox

    with caplog.at_level(logging.CRITICAL, "asyncio"):
        beside(deciding(Access(on_acl_check_publish=publish)), client)


def test_a_question_that_nobody_answers_is_a_no(caplog: pytest.LogCaptureFixture) -> None:
    def client(port: int) -> int:
        with RawClient(port) as one:
            return one.connect("who").reason_code

    server = deciding(Access(on_connect_authenticate=lambda link, connect: None))
    assert beside(server, client) >= 0x80


def test_a_question_is_answered_later() -> None:
    async def run() -> int:
        server = deciding(Access(on_connect_authenticate=lambda link, connect: None))
        async with server:
            driver = server.driver

            def on_ask(ask: Any) -> None:
                loop = asyncio.get_running_loop()
                loop.call_later(0.01, driver.answer, ask.question, Verdict(ACCEPT))

            driver.on_ask = on_ask
            with RawClient(server.port) as one:
                return (await asyncio.to_thread(one.connect, "who")).reason_code

    assert asyncio.run(run()) == 0


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("", False),
        ("10.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("localhost.example.org", False),
        ("127.0.0.1.example.org", False),
    ],
)
def test_what_loopback_is(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_the_port_is_the_one_of_mqtt_unless_told() -> None:  # X31-port
    assert TcpListener().port == 1883


def test_closing_may_be_left_to_the_client() -> None:
    server = Server(Options(decisions={"server_disconnect": "wait"}), hooks=[AllowAll()])

    def client(port: int) -> None:
        with RawClient(port) as one:
            one.connect("a")
            one.send(Connect("a"))  # a second CONNECT
            assert isinstance(one.read(), Disconnect)
            with pytest.raises(TimeoutError):
                one.read(0.2)  # the link is open still, and nothing is answered
            one.send(Pingreq())
            with pytest.raises(TimeoutError):
                one.read(0.2)

    beside(server, client)

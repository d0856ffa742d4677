# SPDX-License-Identifier: MIT
"""Misuse by a program gets a sentence that says what would be right."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

import pytest

from mqtt_ref import AllowAll, Hook, Options, Server, TcpListener, ThreadedServer
from mqtt_ref.engine.options import Bounds
from mqtt_ref.hooks import watchdog
from mqtt_ref.testing.rawclient import RawClient


@pytest.mark.parametrize(
    ("make", "kind", "text"),
    [
        (lambda: Server().url, RuntimeError, r"its URL is known after start\(\)"),
        (lambda: ThreadedServer().url, RuntimeError, r"its URL is known after start\(\)"),
        (lambda: Server(listeners=[]).url, RuntimeError, "has no listener"),
        (
            lambda: Server(listeners=["127.0.0.1:1883"]),
            TypeError,
            r"\[0\] is '127.0.0.1:1883'; .*TcpListener\(",
        ),
        (lambda: Server(listeners=TcpListener(port=0)), TypeError, r"it must be a list, such as \[TcpListener"),
        (lambda: Server(listeners="127.0.0.1:1883"), TypeError, "it must be a list"),
        (lambda: Server(hooks=AllowAll()), TypeError, r"hooks is .*; it must be a list, such as \[AllowAll\(\)\]"),
        (lambda: Server(hooks=[AllowAll]), TypeError, r"add an instance, AllowAll\(\)"),
        (lambda: Server({"capabilities": {}}), TypeError, "it must be an Options"),
        (lambda: Server(1883), TypeError, "options is 1883; it must be an Options"),
        (lambda: TcpListener(1883), TypeError, "The port is the second argument: port=1883"),
        (lambda: TcpListener(port="1883"), TypeError, "port is '1883'; it must be a number"),
        (lambda: TcpListener(port=70_000), ValueError, "port is 70000; it must be from 0 to 65535"),
    ],
)
def test_a_wrong_argument_is_explained(make: Callable[[], Any], kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        make()


@pytest.mark.parametrize("wrong", [{"capabilities": {"maximum_qos": 1}}, {"bounds": 5}, {"decisions": ["x"]}])
def test_options_have_parts_of_the_right_kind(wrong: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=next(iter(wrong)) + "|object expected"):
        Options(**wrong)


# ---------------------------------------------------------------- handlers


def hook(**methods: Any) -> Hook:
    made = type("Mine", (Hook,), methods)()
    assert isinstance(made, Hook)
    return made


@pytest.mark.parametrize(
    ("method", "text"),
    [
        (lambda self, packet: packet, r"on_publish is called with \(client, packet\), but takes \(packet\)"),
        (lambda self: None, r"but takes \(\)"),
        (lambda self, client, packet, more: packet, r"but takes \(client, packet, more\)"),
    ],
)
def test_a_handler_with_wrong_arguments_is_refused_when_it_is_added(method: Any, text: str) -> None:
    with pytest.raises(TypeError, match="hook Mine: .*" + text):
        Server(hooks=[hook(on_publish=method)])
    server = Server()
    with pytest.raises(TypeError, match=text):
        server.add_hook(hook(on_publish=method))
    assert server.hooks.hooks == ()


@pytest.mark.parametrize(
    "method",
    [
        lambda self, *all: None,
        lambda self, who, what: None,
        lambda self, client, packet, more=1: None,
        lambda self, client, packet, **more: None,
    ],
)
def test_any_arguments_that_can_be_given_will_do(method: Any) -> None:
    Server(hooks=[hook(on_publish=method)])


@pytest.mark.parametrize("handler", [lambda: None, lambda a, b: None, "print", None])
def test_a_handler_of_messages_that_takes_no_message_is_refused(handler: Any) -> None:
    server = Server()
    with pytest.raises(TypeError, match="the handler"):
        server.subscribe("a", handler)
    assert server.inline_client("inline").unsubscribe("a") is False


def test_functions_of_every_kind_may_be_handlers() -> None:
    server = Server()
    for number, handler in enumerate([print, [].append, lambda *all: None, lambda message, more=1: None]):
        server.subscribe("a", handler, identifier=number)


def test_publishing_on_a_stopped_server_is_an_error() -> None:
    """Before the start it is not: retained messages may be there from the beginning."""

    async def run() -> None:
        server = Server(hooks=[AllowAll()])
        server.publish("early", b"x", retain=True)
        inline = server.inline_client("mine")
        async with server:
            server.publish("t", b"x")
        for publish in (server.publish, inline.publish):
            with pytest.raises(RuntimeError, match="the server has been stopped"):
                publish("t", b"x")
        async with server:
            server.publish("t", b"x")
            assert [message.topic for message in server.retained()] == ["early"]

    asyncio.run(run())


# ---------------------------------------------------------------- a hook that blocks


class Sleeper(Hook):
    """Keeps the loop for a while."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def on_session_established(self, client: Any, session_present: bool) -> None:
        time.sleep(self.seconds)


class AsyncSleeper(Hook):
    """The same, where it looks harmless."""

    async def on_session_established(self, client: Any, session_present: bool) -> None:
        time.sleep(1.6)  # noqa: ASYNC251


@pytest.mark.parametrize("sleeper", [lambda: Sleeper(1.6), AsyncSleeper], ids=["plain", "async"])
def test_a_hook_that_blocks_the_loop_is_named(
    running: Callable[..., Any], said: Callable[..., str], sleeper: Callable[[], Hook]
) -> None:
    listener = TcpListener(port=0)
    made = sleeper()
    it = running(listener)
    it.do(lambda: it.server.add_hook(made))
    for name in ("one", "two"):
        with RawClient(listener.port) as client:
            client.connect(name)
            client.ping()
    line = said("has blocked the event loop")
    assert line.startswith(
        f"on_session_established of hook {type(made).__name__} has blocked the event loop for more than 1 s"
    )
    assert "test_misuse.py:" in line


def test_a_hook_that_blocks_is_named_whenever_it_begins(caplog: pytest.LogCaptureFixture) -> None:
    """The thread looks now and then: here the handler begins when its next look is the furthest away."""
    sleeper = Sleeper(1.4)
    dog = watchdog.Watchdog()
    dog.watch(Server(hooks=[sleeper]).hooks.chains)
    loop = asyncio.new_event_loop()
    try:
        dog.begin(loop)
        sleeper.on_session_established(None, False)
    finally:
        dog.end()
        loop.close()
    assert [record.getMessage().partition(" has blocked")[0] for record in caplog.records] == [
        "on_session_established of hook Sleeper"
    ]


def test_a_hook_that_is_quick_enough_is_not(
    running: Callable[..., Any], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.WARNING, "mqtt_ref.hooks")
    listener = TcpListener(port=0)
    running(listener, options=Options(bounds=Bounds()))
    it = running(TcpListener(port=0))
    it.do(lambda: it.server.add_hook(Sleeper(0.3)))
    with RawClient(it.server.port) as client:
        client.connect("one")
        client.ping()
    assert caplog.records == []


def test_the_hooks_of_the_package_are_not_watched() -> None:
    dog = watchdog.Watchdog()
    dog.watch(Server(hooks=[AllowAll()]).hooks.chains)
    assert dog._handlers == {}
    dog.watch(Server(hooks=[Sleeper(0)]).hooks.chains)
    assert [*dog._handlers.values()] == ["on_session_established of hook Sleeper"]

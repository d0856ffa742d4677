# SPDX-License-Identifier: MIT
"""The twin for programs without an event loop: every method, misuse, and an end that is bounded."""

from __future__ import annotations

import gc
import inspect
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from mqtt_ref import AllowAll, Hook, Options, Server, TcpListener, ThreadedServer
from mqtt_ref.broker.inline import Received
from mqtt_ref.broker.views import Client
from mqtt_ref.net.listener import ListenerError
from mqtt_ref.oracle.recorder import Recorder
from mqtt_ref.testing.rawclient import RawClient
from mqtt_ref.wire.packets import Connect, Disconnect, Publish, PublishProperties

Wait = Callable[..., object]


@pytest.fixture
def server() -> Iterator[ThreadedServer]:
    with ThreadedServer(hooks=[AllowAll()]) as server:
        yield server


@pytest.fixture
def melon(server: ThreadedServer) -> Iterator[RawClient]:
    with RawClient(server.port, server.host) as client:
        client.connect("melon")
        yield client


def threads() -> int:
    """How many servers run in a thread here. Fixtures of a whole session may have some."""
    return [thread.name for thread in threading.enumerate()].count("mqtt_ref")


def test_it_has_every_method_of_the_server() -> None:
    """With the same arguments, but for what needs an event loop."""
    asynchronous = {"driver", "inline", "inline_client"}
    for name, member in vars(Server).items():
        if name.startswith("_") or name in asynchronous:
            continue
        twin = getattr(ThreadedServer, name, None)
        assert twin is not None, name
        if inspect.isfunction(member) and name != "messages":
            assert [*inspect.signature(twin).parameters] == [*inspect.signature(member).parameters], name
    assert [*inspect.signature(ThreadedServer).parameters] == [*inspect.signature(Server).parameters]


def test_it_is_ready_when_start_returns() -> None:
    server = ThreadedServer(hooks=[AllowAll()])
    assert not server.running
    server.start()
    try:
        assert server.running
        assert server.url == f"mqtt://127.0.0.1:{server.port}"
        assert server.host == "127.0.0.1"
        with RawClient(server.port) as client:
            client.connect("melon")
    finally:
        server.stop()
    assert not server.running
    with pytest.raises(OSError):
        RawClient(server.port)


def test_it_starts_again_where_it_was(wait_until: Wait) -> None:
    server = ThreadedServer(hooks=[AllowAll()])
    ports = []
    for _ in range(3):
        with server:
            ports.append(server.port)
            with RawClient(server.port) as client:
                client.connect("melon")
                client.disconnect()
    assert len(set(ports)) == 1


def test_what_is_retained_survives_a_restart_in_the_same_program() -> None:
    server = ThreadedServer(hooks=[AllowAll()])
    with server:
        server.publish("a", "kept", retain=True)
    with server:
        assert [one.payload for one in server.retained()] == [b"kept"]


def test_several_at_once() -> None:
    servers = [ThreadedServer(hooks=[AllowAll()]) for _ in range(5)]
    before = threads()
    for server in servers:
        server.start()
    try:
        assert len({server.port for server in servers}) == 5
        for number, server in enumerate(servers):
            with RawClient(server.port) as client:
                client.connect(str(number))
                assert [one.id for one in server.clients()] == [str(number)]
                client.disconnect()
    finally:
        for server in servers:
            server.stop()
    assert threads() == before


@pytest.mark.alone
def test_its_end_is_bounded_with_clients_that_do_nothing() -> None:
    server = ThreadedServer(hooks=[AllowAll()])
    server.start()
    clients = [RawClient(server.port) for _ in range(10)]
    for number, client in enumerate(clients):
        client.connect(str(number))
    silent = socket.create_connection(("127.0.0.1", server.port))
    begin = time.monotonic()
    server.stop(0.1)
    taken = time.monotonic() - begin
    assert taken < 0.2
    for client in clients:
        assert [type(packet) for packet in client.until_closed()] == [Disconnect]
        client.close()
    silent.close()


def test_misuse_is_explained(server: ThreadedServer) -> None:
    with pytest.raises(RuntimeError, match="runs already"):
        server.start()
    stopped = ThreadedServer()
    stopped.stop()
    with pytest.raises(RuntimeError, match="does not run"):
        stopped.clients()
    with pytest.raises(RuntimeError, match="own thread"):
        server.call(server.clients)
    with pytest.raises(ValueError):
        server.publish("a/#")
    with pytest.raises(ValueError):
        server.subscribe("a/#/b", print)
    with pytest.raises(LookupError):
        server.inject("nobody", Publish("a"))


def test_a_start_that_fails_leaves_nothing_behind(server: ThreadedServer) -> None:
    second = ThreadedServer(listeners=[TcpListener(port=server.port)])
    before = threads()
    with pytest.raises(ListenerError, match="in use"):
        second.start()
    assert not second.running
    assert threads() == before
    second.stop()


def test_nobody_may_connect_without_a_hook_that_says_so() -> None:
    with ThreadedServer() as server, RawClient(server.port) as client:
        assert client.connect("melon").reason_code == 0x87


def test_options_and_a_trace_are_handed_on() -> None:
    recording = Recorder()
    options = Options()
    options.capabilities.maximum_qos = 1
    with ThreadedServer(options, hooks=[AllowAll()], trace=recording) as server, RawClient(server.port) as client:
        properties = client.connect("melon").properties
        assert properties is not None
        assert properties.maximum_qos == 1
        client.disconnect()
    assert any(isinstance(one.packet, Connect) for one in recording.seen())


def test_hooks_come_and_go(server: ThreadedServer, melon: RawClient) -> None:
    class Heard(Hook):
        def __init__(self) -> None:
            self.topics: list[str] = []

        def on_publish(self, client: Client, packet: Publish) -> None:
            self.topics.append(packet.topic)

    hook = Heard()
    server.add_hook(hook)
    melon.publish("a", qos=1)
    server.remove_hook(hook)
    melon.publish("b", qos=1)
    assert hook.topics == ["a"]
    with pytest.raises(ValueError):
        server.remove_hook(hook)


def test_listeners_come_and_go(server: ThreadedServer) -> None:
    second = TcpListener(port=0, name="second")
    server.add_listener(second)
    client = RawClient(second.port)
    client.connect("lemon")
    with pytest.raises(ListenerError, match="'second'"):
        server.add_listener(TcpListener(port=0, name="second"))
    server.close_listener("second")
    assert [type(packet) for packet in client.until_closed()] == [Disconnect]
    client.close()
    with pytest.raises(KeyError, match="no listener 'second'"):
        server.close_listener("second")


def test_messages_in_and_out(server: ThreadedServer, melon: RawClient, wait_until: Wait) -> None:
    came: list[tuple[str, Received]] = []
    server.subscribe("a/+", lambda received: came.append(("first", received)))
    server.subscribe("a/+", lambda received: came.append(("second", received)), identifier=2)
    melon.publish("a/b", b"ripe", qos=1)
    wait_until(lambda: len(came) == 2)
    assert [(name, one.topic, one.payload, one.publisher) for name, one in came] == [
        ("first", "a/b", b"ripe", "melon"),
        ("second", "a/b", b"ripe", "melon"),
    ]
    assert server.unsubscribe("a/+")
    assert not server.unsubscribe("a/+")
    assert server.unsubscribe("a/+", 2)
    assert not server.publish("a/b", "nobody")
    melon.subscribe("c")
    assert server.publish("c", "text", properties=PublishProperties(content_type="text/plain"))
    packet = melon.expect(Publish)
    assert packet.properties is not None
    assert (packet.payload, packet.properties.content_type) == (b"text", "text/plain")


def test_messages_to_loop_over(server: ThreadedServer, melon: RawClient) -> None:
    server.publish("a/0", "kept", retain=True)
    messages = server.messages("a/+", timeout=0.05)
    melon.publish("a/1", qos=1)
    assert [one.topic for one in messages] == ["a/0", "a/1"]
    assert not server.publish("a/2"), "the subscription has ended with the loop"


def test_of_too_many_messages_the_oldest_are_dropped_and_counted(server: ThreadedServer) -> None:
    with server.messages("a", waiting=3) as messages:
        for number in range(5):
            server.publish("a", str(number))
        server.call(int)  # handlers are called in the turn behind
        assert messages.dropped == 2
        assert [next(messages).payload for _ in range(3)] == [b"2", b"3", b"4"]
    assert list(messages) == []
    assert not server.publish("a")


def test_a_loop_over_messages_that_is_left_ends_the_subscription(server: ThreadedServer) -> None:
    server.publish("a", "kept", retain=True)
    for message in server.messages("a"):
        assert message.payload == b"kept"
        break
    gc.collect()
    assert not server.publish("a")


def test_messages_are_closed_by_another_thread(server: ThreadedServer) -> None:
    messages = server.messages("a", timeout=60)
    closing = threading.Timer(0.05, messages.close)
    closing.start()
    assert list(messages) == []
    closing.join()


def test_a_loop_over_messages_outlives_the_server() -> None:
    with ThreadedServer(hooks=[AllowAll()]) as server:
        messages = server.messages("a", timeout=0.05)
        server.publish("a", "1")
    assert [one.payload for one in messages] == [b"1"]


def test_what_there_is(server: ThreadedServer, melon: RawClient) -> None:
    melon.subscribe("a/+", qos=1)
    server.publish("b", "kept", retain=True)
    assert [one.id for one in server.clients()] == ["melon"]
    found = server.client("melon")
    assert found is not None
    assert found.connected
    assert server.client("lemon") is None
    assert [(one.client_id, one.topic_filter, one.qos) for one in server.subscriptions()] == [("melon", "a/+", 1)]
    assert [one.topic for one in server.retained("b")] == ["b"]
    assert server.retained("c") == []


def test_packets_of_others(server: ThreadedServer, melon: RawClient) -> None:
    melon.subscribe("a")
    server.inject("melon", Publish("a", b"injected"))
    assert melon.expect(Publish).payload == b"injected"
    assert server.disconnect("melon", 0x9C, "go", "elsewhere")
    (packet,) = melon.until_closed()
    assert isinstance(packet, Disconnect)
    assert packet.properties is not None
    assert (packet.reason_code, packet.properties.server_reference) == (0x9C, "elsewhere")
    assert not server.disconnect("lemon")


def test_reset_forgets_sessions_and_retained_messages(server: ThreadedServer, melon: RawClient) -> None:
    server.publish("a", "kept", retain=True)
    server.reset()
    assert [type(packet) for packet in melon.until_closed()] == [Disconnect]
    assert (server.clients(), server.subscriptions(), server.retained()) == ([], [], [])


def test_rules_that_change(server: ThreadedServer, melon: RawClient) -> None:
    class Closed(Hook):
        open = True

        def on_acl_check(self, client: Client, topic: str, write: bool) -> bool | None:
            return self.open

    with ThreadedServer(hooks=[Closed(), AllowAll()]) as closed, RawClient(closed.port) as client:
        client.connect("lemon")
        client.subscribe("a")
        closed.publish("a", "1")
        assert client.expect(Publish).payload == b"1"
        Closed.open = False
        closed.rules_changed()
        closed.publish("a", "2")
        client.ping()
        assert not client.inbox


def test_calls_from_many_threads(server: ThreadedServer) -> None:
    came: list[bytes] = []
    server.subscribe("a", lambda received: came.append(received.payload))
    threads = [
        threading.Thread(target=lambda: [server.publish("a", str(number)) for number in range(50)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    server.call(int)
    assert len(came) == 200

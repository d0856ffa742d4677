# SPDX-License-Identifier: MIT
"""Handlers that are `async def`, on a server: they are waited for, in order, and not for ever."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from mqtt_ref.broker.views import Client
from mqtt_ref.engine.options import Bounds, Options
from mqtt_ref.hooks import AllowAll, Challenge, Decision, Drop, Hook, Reject
from mqtt_ref.hooks.chain import Handler
from mqtt_ref.hooks.later import MOST, Later
from mqtt_ref.server import Server
from mqtt_ref.testing.rawclient import RawClient
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import (
    Auth,
    AuthProperties,
    Connack,
    Connect,
    ConnectProperties,
    Disconnect,
    Packet,
    Pingreq,
    Pingresp,
    Puback,
    Publish,
    Suback,
    Subscribe,
    Subscription,
    Unsuback,
    Unsubscribe,
    Will,
)

QUIET = Options(sys_topic_resend_interval=0)
QUICK = Options(bounds=Bounds(hook_timeout=0.1), sys_topic_resend_interval=0)


async def within(seconds: float, condition: Callable[[], object]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


def beside(server: Server, work: Callable[[RawClient], Any], loop: Callable[[], Any] | None = None) -> Any:
    """What a blocking client does while the server runs."""

    async def run() -> Any:
        async with server:

            def client() -> Any:
                with RawClient(server.port) as one:
                    return work(one)

            return await asyncio.wait_for(asyncio.to_thread(client), 20)

    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(run())


async def turn() -> None:
    """Let others go first, more than once."""
    for _ in range(3):
        await asyncio.sleep(0)


class Slow(Hook):
    """Every event that is waited for, answered after some turns of the loop."""

    auth_methods = frozenset({"M"})
    filters_only = True

    def __init__(self) -> None:
        self.seen: list[str] = []

    async def on_connect(self, client: Client, connect: Connect) -> None:
        await turn()
        self.seen.append("connect")
        if connect.username == "refused":
            raise Reject(0x97)

    async def on_connect_authenticate(self, client: Client, connect: Connect) -> bool | Decision:
        await turn()
        self.seen.append("authenticate")
        return Decision(True, username="carol") if connect.password == b"right" else False

    async def on_auth_packet(
        self, client: Client, method: str, data: bytes | None, renewal: bool
    ) -> Challenge | Decision:
        await turn()
        self.seen.append(f"auth {method} {data!r} {renewal}")
        return Decision(True) if data == b"answer" else Challenge(b"question")

    async def on_acl_check(self, client: Client, topic: str, write: bool) -> bool:
        await turn()
        self.seen.append(f"acl {topic} {write}")
        return not topic.startswith("denied")

    async def on_packet_read(self, client: Client, packet: Packet) -> Packet | None:
        await turn()
        self.seen.append(f"read {type(packet).__name__}")
        return Pingreq() if isinstance(packet, Pingreq) else None

    async def on_publish(self, client: Client, packet: Publish) -> Publish | None:
        await turn()
        self.seen.append("publish")
        if packet.topic == "drop":
            raise Drop
        return Publish(packet.topic, packet.payload + b"!", packet.qos)

    async def on_subscribe(self, client: Client, packet: Subscribe) -> Subscribe | None:
        await turn()
        self.seen.append("subscribe")
        return None

    async def on_unsubscribe(self, client: Client, packet: Unsubscribe) -> Unsubscribe | None:
        await turn()
        self.seen.append("unsubscribe")
        return None

    async def on_will(self, client: Client, will: Will) -> Will | None:
        await turn()
        self.seen.append("will")
        return Will(will.topic, b"changed")


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_every_answer_is_waited_for(loop: str, require: Any) -> None:
    factory = None if loop == "asyncio" else require.module("uvloop").new_event_loop
    hook = Slow()

    def work(one: RawClient) -> list[Any]:
        one.send(Connect("c", username="c", password=b"right", will=Will("w")))
        one.send(
            Subscribe(1, [Subscription("#"), Subscription("$share/g/denied/#")]),
            Publish("t", b"1", 1, packet_id=2),
            Publish("denied", b"2", 1, packet_id=3),
            Publish("drop", b"3", 1, packet_id=4),
            Unsubscribe(5, ["#"]),
            Pingreq(),
            Disconnect(4),
        )
        return one.until_closed()

    got = beside(Server(hooks=[hook]), work, factory)
    assert [type(packet) for packet in got] == [Connack, Suback, Publish, Puback, Puback, Puback, Unsuback, Pingresp]
    assert got[1].reason_codes == [0, 0x87]
    assert got[2].payload == b"1!"
    assert [packet.reason_code for packet in got[3:6]] == [0, 0x87, 0]
    assert [name for name in hook.seen if not name.startswith("read")] == [
        "connect",
        "authenticate",
        "acl w True",
        "subscribe",
        "acl # False",
        "acl denied/# False",
        "acl t True",
        "publish",
        "acl denied True",
        "acl drop True",
        "publish",
        "unsubscribe",
        "will",
    ]
    assert hook.seen.count("read Publish") == 3


def test_an_exchange() -> None:
    hook = Slow()

    def work(one: RawClient) -> list[Any]:
        one.send(Connect("c", properties=ConnectProperties(authentication_method="M")))
        challenge = one.read()
        one.send(Auth(0x18, AuthProperties(authentication_method="M", authentication_data=b"answer")))
        return [challenge, one.read()]

    challenge, connack = beside(Server(hooks=[hook]), work)
    assert challenge.properties.authentication_data == b"question"
    assert connack.reason_code == 0
    assert "auth M b'answer' False" in hook.seen


@pytest.mark.parametrize(("username", "password", "code"), [("refused", b"right", 0x97), ("c", b"wrong", 0x87)])
def test_a_client_is_refused(username: str, password: bytes, code: int) -> None:
    def work(one: RawClient) -> Any:
        one.send(Connect("c", username=username, password=password))
        return one.read()

    assert beside(Server(hooks=[Slow()]), work).reason_code == code


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_publisher_that_leaves_at_once_is_heard(loop: str, require: Any) -> None:
    """As `mosquitto_pub` does it: a message, DISCONNECT, and the link is closed, all before the hook has answered."""
    factory = None if loop == "asyncio" else require.module("uvloop").new_event_loop
    heard: list[bytes] = []

    class Waits(Hook):
        async def on_publish(self, client: Client, packet: Publish) -> None:
            await asyncio.sleep(0.02)

        def on_published(self, client: Client | None, message: Any, matched: bool) -> None:
            heard.append(message.payload)

    async def run() -> None:
        async with Server(QUIET, hooks=[AllowAll(), Waits()]) as server:
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            will = Will("w", b"will")
            packets = (Connect("c", will=will), Publish("t", b"1"), Publish("t", b"2"), Disconnect())
            writer.write(b"".join(encode(5, packet) for packet in packets))
            writer.close()
            await within(5, lambda: len(heard) == 2)
            await within(5, lambda: not server.broker.sessions.by_client_id)

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(run())
    assert heard == [b"1", b"2"]


async def never(*_: Any) -> None:
    await asyncio.Event().wait()


async def stubborn(*_: Any) -> None:
    """Takes no notice of being cancelled, for a while."""
    try:
        await asyncio.sleep(1)
    except asyncio.CancelledError:
        await asyncio.sleep(0.2)


async def raises(*_: Any) -> None:
    raise RuntimeError("a bug")


async def gives_up(*_: Any) -> None:
    raise TimeoutError("of its own")


@pytest.mark.parametrize("what", [never, stubborn, raises, gives_up])
@pytest.mark.parametrize(
    ("event", "code"),
    [("on_connect", 0x80), ("on_connect_authenticate", 0x87), ("on_publish", 0x80), ("on_acl_check", 0x87)],
)
def test_one_that_never_answers_or_raises_is_a_no(
    event: str, code: int, what: Callable[..., Awaitable[None]], caplog: pytest.LogCaptureFixture
) -> None:
    async def method(self: Hook, *args: Any) -> None:
        await what()

    bad: Hook = type("Bad", (Hook,), {event: method, "filters_only": True})()

    def work(one: RawClient) -> int:
        one.send(Connect("c"))
        connack = one.read()
        assert isinstance(connack, Connack)
        if connack.reason_code:
            return connack.reason_code
        one.send(Publish("t", qos=1, packet_id=1), Pingreq())
        puback = one.read()
        assert isinstance(puback, Puback)
        assert isinstance(one.read(), Pingresp)
        return puback.reason_code

    late = what in (never, stubborn)
    if late and event == "on_connect_authenticate":
        code = 0x88  # nobody has judged the client
    with caplog.at_level(logging.ERROR, "mqtt_ref.hooks"):
        assert beside(Server(QUICK, hooks=[bad, AllowAll()]), work) == code
    assert ("hook Bad did not answer" in caplog.text) == late
    assert (f"hook Bad failed in {event}" in caplog.text) != late


def test_others_are_served_while_one_waits() -> None:
    class One(Hook):
        async def on_publish(self, client: Client, packet: Publish) -> None:
            if client.id == "slow":
                await asyncio.Event().wait()

    async def run() -> None:
        async with Server(hooks=[AllowAll(), One()]) as server:

            def clients() -> None:
                with RawClient(server.port) as slow, RawClient(server.port) as quick:
                    slow.connect("slow")
                    quick.connect("quick")
                    slow.send(Publish("t", qos=1, packet_id=1))
                    for n in range(1, 20):
                        quick.publish("t", b"", qos=1, packet_id=n)

            await asyncio.wait_for(asyncio.to_thread(clients), 20)

    asyncio.run(run())


def test_who_waits_is_not_read_from() -> None:
    """What a client sends meanwhile stays in its socket, beyond what was read already."""
    begun = asyncio.Event()

    class Waits(Hook):
        async def on_publish(self, client: Client, packet: Publish) -> None:
            begun.set()
            await asyncio.Event().wait()

    async def run() -> int:
        async with Server(hooks=[AllowAll(), Waits()]) as server:
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(encode(5, Connect("c")) + encode(5, Publish("t")))
            await begun.wait()
            await turn()
            for _ in range(200):
                writer.write(encode(5, Publish("t", b"x" * 60_000)))
            await asyncio.sleep(0)
            (connection,) = server.broker.connections.values()
            for _ in range(50):
                await asyncio.sleep(0.001)
            held = 0 if connection.waiting is None else connection.waiting.held_bytes
            writer.transport.abort()
            return held

    assert asyncio.run(run()) == 0


def test_what_is_told_later_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    """A hook that is told of everything and never finishes costs a bounded number of tasks, each for a bounded time."""
    told = 0

    class Stuck(Hook):
        async def on_published(self, client: Client | None, message: Any, matched: bool) -> None:
            nonlocal told
            told += 1
            await asyncio.Event().wait()

    async def run() -> None:
        async with Server(QUICK, hooks=[AllowAll(), Stuck()]) as server:
            for _ in range(MOST + 500):
                server.broker.inject("t", b"", 1)
            await turn()
            assert told == MOST
            assert server.hooks.later.skipped == 500
            await within(5, lambda: not server.hooks.later._tasks)
            server.broker.inject("t", b"", 1)
            await turn()
            assert told == MOST + 1

    with caplog.at_level(logging.ERROR, "mqtt_ref.hooks"):
        asyncio.run(run())
    assert "was not notified of on_published" in caplog.text
    assert "hook Stuck did not answer on_published within 0.1 s" in caplog.text


def test_what_one_raises_when_told_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    class Bad(Hook):
        async def on_started(self) -> None:
            raise RuntimeError("first")

        async def on_session_established(self, client: Client, session_present: bool) -> None:
            await turn()
            raise RuntimeError("second")

        async def on_stopped(self) -> None:
            raise RuntimeError("third")

    with caplog.at_level(logging.ERROR, "mqtt_ref.hooks"):
        beside(Server(hooks=[AllowAll(), Bad()]), lambda one: one.connect("c"))
    for word in ("first", "second", "third"):
        assert word in caplog.text


def test_stop_is_bounded_while_hooks_wait() -> None:
    async def run() -> float:
        server = Server(
            QUICK, hooks=[AllowAll(), type("N", (Hook,), {"on_publish": lambda *_: None, "on_stopped": never})()]
        )
        loop = asyncio.get_running_loop()
        async with server:
            pass
        server.add_hook(type("M", (Hook,), {"on_publish": never})())
        await server.start()
        with RawClient(server.port) as one:
            await asyncio.to_thread(one.connect, "c")
            one.send(Publish("t"))
            await within(5, lambda: any(link.suspended for link in server.broker.connections.values()))
            begun = loop.time()
            await server.stop()
            return loop.time() - begun

    assert asyncio.run(run()) < 3


def test_a_hook_that_is_removed_is_still_waited_for() -> None:
    go_on = asyncio.Event()

    class Waits(Hook):
        async def on_publish(self, client: Client, packet: Publish) -> Publish:
            await go_on.wait()
            return Publish(packet.topic, b"changed")

    async def run() -> list[bytes]:
        hook = Waits()
        async with Server(hooks=[AllowAll(), hook]) as server:
            with RawClient(server.port) as one:
                await asyncio.to_thread(one.connect, "c")
                await asyncio.to_thread(one.subscribe, "#")
                one.send(Publish("t", b"1"))
                await within(5, lambda: any(link.suspended for link in server.broker.connections.values()))
                server.remove_hook(hook)
                one.send(Publish("t", b"2"))
                await turn()
                go_on.set()
                messages = [await asyncio.to_thread(one.message) for _ in range(2)]
                return [message.payload for message in messages]

    assert asyncio.run(run()) == [b"changed", b"2"]


def test_without_a_loop_nothing_is_done_later(caplog: pytest.LogCaptureFixture) -> None:
    class Told(Hook):
        async def on_started(self) -> None:
            raise AssertionError

    with caplog.at_level(logging.ERROR, "mqtt_ref.hooks"):
        Later(1.0).tell(Handler(Told(), "on_started"), ())
    assert "the server does not run" in caplog.text

# SPDX-License-Identifier: MIT
"""Inline clients on the event loop: handlers, iterators, what they lose and what they say."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest

from mqtt_ref import AllowAll, MemoryListener, Options, Server
from mqtt_ref.broker.inline import Received
from mqtt_ref.net.inline import Inline


def run(play: Callable[[Server], Awaitable[None]], options: Options | None = None) -> None:
    async def serve() -> None:
        async with Server(options, [MemoryListener()], hooks=[AllowAll()]) as server:
            await asyncio.wait_for(play(server), 10)

    asyncio.run(serve())


def payloads(messages: list[Received]) -> list[bytes]:
    return [one.payload for one in messages]


def test_handlers_are_told_apart_by_identifier() -> None:
    async def play(server: Server) -> None:
        inline = server.inline
        first: list[Received] = []
        second: list[Received] = []
        inline.subscribe("a/+", first.append, identifier=1)
        inline.subscribe("a/+", second.append, identifier=2)
        assert inline.publish("a/b", "1")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert (payloads(first), payloads(second)) == ([b"1"], [b"1"])
        assert [one.identifier for one in first + second] == [1, 2]
        assert inline.unsubscribe("a/+", 1)
        assert not inline.unsubscribe("a/+", 1)
        inline.subscribe("a/+", first.append, identifier=2)  # in place of the second handler
        inline.publish("a/b", b"2")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert (payloads(first), payloads(second)) == ([b"1", b"2"], [b"1"])

    run(play)


def test_retained_messages_come_first_but_not_to_shared_subscriptions() -> None:
    async def play(server: Server) -> None:
        server.publish("a", "kept", retain=True)
        async with server.messages("a") as plain, server.messages("$share/group/a") as shared:
            server.publish("a", "new")
            found = [await anext(plain), await anext(plain)]
            assert [(one.payload, one.retain) for one in found] == [(b"kept", True), (b"new", False)]
            assert (await anext(shared)).payload == b"new"

    run(play)


def test_a_shared_subscription_goes_round() -> None:
    async def play(server: Server) -> None:
        clients = [server.inline_client(name) for name in ("one", "two")]
        came: dict[str, list[Received]] = {client.client_id: [] for client in clients}
        for client in clients:
            client.subscribe("$share/group/a", came[client.client_id].append)
        for number in range(10):
            server.publish("a", str(number))
        await asyncio.sleep(0.01)
        assert sorted(payloads(came["one"]) + payloads(came["two"])) == sorted(b"%d" % n for n in range(10))
        assert came["one"]
        assert came["two"]

    run(play)


def test_handlers_may_be_async_and_may_fail(caplog: pytest.LogCaptureFixture) -> None:
    async def play(server: Server) -> None:
        came = asyncio.Event()

        async def later(received: Received) -> None:
            await asyncio.sleep(0)
            came.set()

        async def fails(received: Received) -> None:
            raise RuntimeError("an async one")

        def fails_at_once(received: Received) -> None:
            raise RuntimeError("a plain one")

        for number, handler in enumerate((fails_at_once, fails, later)):
            server.subscribe("a", handler, identifier=number)
        server.publish("a")
        await came.wait()

    with caplog.at_level(logging.ERROR):
        run(play)
    told = [str(record.exc_info[1]) for record in caplog.records if record.exc_info]
    assert sorted(told) == ["a plain one", "an async one"]


def test_iterators_do_not_disturb_each_other() -> None:
    async def play(server: Server) -> None:
        one, two = server.messages("a"), server.messages("a")
        server.publish("a", "1")
        assert (await anext(one)).payload == (await anext(two)).payload == b"1"
        one.close()
        one.close()
        server.publish("a", "2")
        assert (await anext(two)).payload == b"2"
        with pytest.raises(StopAsyncIteration):
            await anext(one)
        two.close()
        assert not server.publish("a")

    run(play)


def test_what_has_come_can_be_taken_after_the_end() -> None:
    async def play(server: Server) -> None:
        async with server.messages("a") as messages:
            for number in range(3):
                server.publish("a", str(number))
            await asyncio.sleep(0.01)
        assert payloads([one async for one in messages]) == [b"0", b"1", b"2"]

    run(play)


def test_a_loop_ends_when_somebody_closes_it() -> None:
    async def play(server: Server) -> None:
        messages = server.messages("a")
        asyncio.get_running_loop().call_later(0.01, messages.close)
        assert [one async for one in messages] == []

    run(play)


def test_of_too_many_the_oldest_are_dropped_and_counted() -> None:
    async def play(server: Server) -> None:
        messages = server.inline.messages("a", waiting=2)
        for number in range(5):
            server.publish("a", str(number))
        await asyncio.sleep(0.01)
        assert messages.dropped == 3
        messages.close()
        assert payloads([one async for one in messages]) == [b"3", b"4"]

    run(play)


def test_it_may_publish_where_others_may_not() -> None:
    async def play(server: Server) -> None:
        server.publish("$SYS/garden", "ripe", retain=True)
        assert [one.payload for one in server.retained("$SYS/garden")] == [b"ripe"]

    run(play)


def test_clients_of_ones_own() -> None:
    async def play(server: Server) -> None:
        garden = server.inline_client("garden")
        assert isinstance(garden, Inline)
        assert garden.client_id == "garden"
        assert "garden" in repr(garden)
        came: list[Received] = []
        garden.subscribe("a", came.append)
        garden.subscribe("b", came.append)
        server.publish("a")
        await asyncio.sleep(0.01)
        garden.close()
        assert not server.publish("a")
        assert not server.publish("b")
        assert [one.publisher for one in came] == ["inline"]
        assert server.inline is server.inline

    run(play)


@pytest.mark.parametrize("topic", ["", "a/#", "+", "a\0"])
def test_a_topic_that_is_none(topic: str) -> None:
    async def play(server: Server) -> None:
        with pytest.raises(ValueError):
            server.publish(topic)

    run(play)


@pytest.mark.parametrize("topic_filter", ["", "a/#/b", "a+", "$share//a", "$share/group"])
def test_a_filter_that_is_none(topic_filter: str) -> None:
    async def play(server: Server) -> None:
        with pytest.raises(ValueError):
            server.subscribe(topic_filter, print)
        with pytest.raises(ValueError):
            server.messages(topic_filter)

    run(play)


def test_a_qos_that_is_none() -> None:
    async def play(server: Server) -> None:
        with pytest.raises(ValueError):
            server.publish("a", qos=3)

    run(play)


def test_it_can_be_off() -> None:
    async def play(server: Server) -> None:
        for use in (lambda: server.publish("a"), lambda: server.messages("a"), lambda: server.inline_client("b")):
            with pytest.raises(RuntimeError, match="`inline_client` is off"):
                use()

    run(play, Options(inline_client=False))

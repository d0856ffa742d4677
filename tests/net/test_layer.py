# SPDX-License-Identifier: MIT
"""How layers are joined, what passes through them, and what goes past when there are none."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from mqtt_ref.engine.options import Terms
from mqtt_ref.hooks import AllowAll
from mqtt_ref.net.channel import BIG, Channel
from mqtt_ref.net.layer import LARGE, Layer, Parts, gathered, joined
from mqtt_ref.net.memory import MemoryListener
from mqtt_ref.net.pace import Pace
from mqtt_ref.server import Server
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import Connack, Connect, Disconnect, Pingreq, Pingresp

CONNECT = encode(5, Connect("c"))


class Noting(Layer):
    """Writes down what it is told, and passes it on."""

    def __init__(self, name: str, notes: list[str], channel: Channel) -> None:
        self.name, self.notes, self.channel = name, notes, channel

    def opened(self, now: int) -> None:
        assert not hasattr(self.channel, "connection")
        super().opened(now)
        assert self.channel.connection is not None
        self.notes.append(f"{self.name} opened")

    def receive(self, data: bytes, now: int) -> None:
        self.notes.append(f"{self.name} in {len(data)}")
        super().receive(data, now)

    def write(self, parts: Parts, now: int) -> object:
        self.notes.append(f"{self.name} out {[part[0] >> 4 for part in parts]}")
        return super().write(parts, now)

    def ended(self, now: int) -> bool:
        self.notes.append(f"{self.name} ended")
        return super().ended(now)

    def finish(self, said: bool) -> None:
        self.notes.append(f"{self.name} finish {said}")
        super().finish(said)

    def lost(self, now: int, error: Exception | None) -> None:
        self.notes.append(f"{self.name} lost")
        super().lost(now, error)


def test_bytes_go_up_and_packets_down() -> None:
    notes: list[str] = []

    def layers(channel: Channel) -> Iterable[Layer]:
        return [Noting("low", notes, channel), Noting("high", notes, channel)]

    async def play() -> None:
        listener = MemoryListener(terms=Terms(bytes_per_second=1000))
        async with Server(listeners=[listener], hooks=[AllowAll()], layers=layers) as server:
            reader, writer = listener.connect()
            writer.write(CONNECT)
            assert await reader.read(100)
            writer.write(encode(5, Disconnect()))
            await writer.wait_closed()
            assert not server.driver.channels

    asyncio.run(play())
    size = len(CONNECT)
    assert notes[:6] == [
        "high opened",
        "low opened",
        f"low in {size}",
        f"high in {size}",
        f"high out [{Connack.TYPE}]",
        f"low out [{Connack.TYPE}]",
    ]
    assert notes[-6:] == ["low in 2", "high in 2", "high finish False", "low finish False", "low lost", "high lost"]


def test_the_pace_is_on_top() -> None:
    async def play() -> None:
        listener = MemoryListener(terms=Terms(bytes_per_second=1000))
        async with Server(
            listeners=[listener], hooks=[AllowAll()], layers=lambda channel: [Noting("one", [], channel)]
        ) as server:
            listener.connect()
            (channel,) = server.driver.channels.values()
            assert [type(layer) for layer in channel.layers] == [Noting, Pace]
            assert channel.top is channel.layers[1]
            assert channel.lowest is channel.layers[0]

    asyncio.run(play())


class Taking:
    """A transport that takes everything."""

    def __init__(self) -> None:
        self.written: list[Any] = []
        self.closing = False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def is_closing(self) -> bool:
        return self.closing


def plain(play: Any) -> None:
    async def run() -> None:
        listener = MemoryListener()
        async with Server(listeners=[listener], hooks=[AllowAll()]) as server:
            reader, writer = listener.connect()
            (channel,) = server.driver.channels.values()
            await play(channel, reader, writer)

    asyncio.run(run())


def test_without_layers_the_connection_takes_what_comes() -> None:
    async def play(channel: Channel, reader: asyncio.StreamReader, writer: Any) -> None:
        assert channel.layers == ()
        assert channel.top is channel.lowest is channel
        assert not channel.direct  # the first bytes may be of another protocol
        writer.write(CONNECT)
        assert channel.direct
        writer.write(encode(5, Pingreq()))
        await asyncio.sleep(0)
        assert (await reader.read(100)).endswith(encode(5, Pingresp()))

    plain(play)


def test_small_packets_are_joined_and_big_ones_handed_on_as_they_are() -> None:
    async def play(channel: Channel, reader: asyncio.StreamReader, writer: Any) -> None:
        transport = channel.transport
        taking = Taking()
        channel.transport = taking  # type: ignore[assignment]
        big = bytes(BIG)
        assert channel.send([b"one"], 1) == 3
        assert channel.send([b"one", b"two"] * 50, 1) == 300
        assert channel.send([b"one", big], 1) == 3 + BIG
        assert channel.send([big], 1) == BIG
        assert channel.send([b"one", b"two", big, b"three"], 1) == 11 + BIG
        taking.closing = True
        channel.send([b"too late", big], 1)
        channel.transport = transport
        assert taking.written == [
            b"one",
            b"onetwo" * 50,
            b"one",
            big[3:],
            b"\0\0\0",
            big,
            b"onetwo",
            big[6:],
            b"\0" * 6,
            b"three",
        ]
        assert [
            part is big or part.obj is big
            for part in taking.written
            if isinstance(part, memoryview) or len(part) == BIG
        ] == [True] * 5

    plain(play)


def test_small_parts_are_joined_and_large_ones_are_not_copied() -> None:
    small, large, larger = b"x" * (LARGE - 1), b"y" * LARGE, b"z" * (LARGE + 1)
    found = gathered([small, small, large, larger, small, b"end"])
    assert found == [small + small, large, larger, small + b"end"]
    assert found[1] is large
    assert found[2] is larger
    assert gathered([large]) == [large]
    assert gathered([small]) == [small]


def test_parts_may_be_views() -> None:
    assert joined([memoryview(b"abc")[1:]]) == b"bc"
    assert joined([b"a", memoryview(b"bc")]) == b"abc"
    assert isinstance(joined([memoryview(b"a")]), bytes)

# SPDX-License-Identifier: MIT
"""What waits in links is measured and counts once if it is shared; with too much of it, the heaviest link gives way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from mqtt_ref.engine.options import Bounds, Options
from mqtt_ref.hooks import AllowAll
from mqtt_ref.net.memory import HIGH_WATER, MemoryListener
from mqtt_ref.net.pressure import SHARE
from mqtt_ref.server import Server
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.framing import Decoder
from mqtt_ref.wire.packets import (
    Connect,
    Disconnect,
    Pingreq,
    Pingresp,
    Publish,
    Subscribe,
    SubscribeProperties,
    Subscription,
)
from mqtt_ref.wire.primitives import SERVER

MEBIBYTE = 1 << 20
BUDGET = 8 * MEBIBYTE


class Link:
    """A client that reads only when it is asked to."""

    def __init__(self, listener: MemoryListener, client_id: str, topic_filter: str = "") -> None:
        self.reader, self.writer = listener.connect()
        self.decoder = Decoder(5, SERVER)
        self.send(Connect(client_id))
        if topic_filter:
            self.send(Subscribe(1, [Subscription(topic_filter, 0)], SubscribeProperties()))

    def send(self, packet: Any) -> None:
        self.writer.write(encode(5, packet))

    async def packets(self) -> list[Any]:
        """All packets until the end of the stream."""
        found: list[Any] = []
        while data := await asyncio.wait_for(self.reader.read(1 << 16), 10):
            found += self.decoder.feed(data)
        return found


def play(story: Callable[[Server, MemoryListener], Awaitable[None]], budget: int = BUDGET) -> None:
    async def run() -> None:
        listener = MemoryListener()
        options = Options(bounds=Bounds(memory=budget), sys_topic_resend_interval=0)
        async with Server(options, [listener], hooks=[AllowAll()]) as server:
            await story(server, listener)

    asyncio.run(run())


async def until(condition: Callable[[], object]) -> None:
    """Wait for a condition, at most ten seconds."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def test_a_payload_that_many_wait_for_counts_once() -> None:
    async def story(server: Server, listener: MemoryListener) -> None:
        links = [Link(listener, f"c{number}", "t") for number in range(5)]
        await asyncio.sleep(0)
        budget = server.driver.broker.budget
        server.publish("t", bytes(4 * MEBIBYTE))
        await until(lambda: budget.output)
        # Five transports with their buffers, and the payload.
        assert 4 * MEBIBYTE < budget.output < 4 * MEBIBYTE + 5 * 2 * HIGH_WATER
        assert len(server.driver.channels) == 5
        # Measured again as they read, though nothing is sent meanwhile.
        for link in links:
            server.driver.broker.disconnect(f"c{links.index(link)}", 0x98, "", server.driver.now())
            server.driver.schedule()
            assert [type(packet) for packet in await link.packets()][2:] == [Publish, Disconnect]
        await until(lambda: not budget.output)
        assert budget.used == 0

    play(story)


def test_the_client_that_reads_least_gives_way(caplog: pytest.LogCaptureFixture) -> None:
    async def story(server: Server, listener: MemoryListener) -> None:
        names = ["little", "much", "nothing"]
        little, much, _ = (Link(listener, name, name) for name in names)
        await asyncio.sleep(0)
        channels = {channel.connection.client_id: channel for channel in server.driver.channels.values()}
        # Small messages, so that each is this client's own. The budget is exceeded by their sum.
        for name, count in (("little", 60), ("much", 90)):
            for _ in range(count // 10):
                for _ in range(10):
                    channels[name].connection.send(encode(5, Publish(name, bytes(15_000))))
                server.driver.schedule()
                await asyncio.sleep(0)
        budget = server.driver.broker.budget
        budget.maximum = MEBIBYTE
        server.driver.pressure.measure()
        await asyncio.sleep(0)
        server.driver.pressure.measure()
        assert {channel.connection.client_id for channel in server.driver.channels.values()} == {"little", "nothing"}
        assert budget.used <= budget.maximum
        assert any("'much'" in text and "(0x97)" in text for text in caplog.messages)
        little.send(Pingreq())
        little.send(Disconnect())
        assert isinstance((await little.packets())[-1], Pingresp)
        assert not [packet for packet in await much.packets() if isinstance(packet, Disconnect)]

    play(story)


def test_a_client_with_an_incomplete_packet_is_told() -> None:
    async def story(server: Server, listener: MemoryListener) -> None:
        one, other = Link(listener, "one"), Link(listener, "other")
        data = encode(5, Publish("t", bytes(2 * BUDGET)))
        for at in range(0, len(data) - 1, BUDGET // SHARE):
            one.writer.write(data[at : at + BUDGET // SHARE])
            await asyncio.sleep(0.001)
            if one.writer.is_closing():
                break
        assert at < len(data) - BUDGET // SHARE
        last = (await one.packets())[-1]
        assert isinstance(last, Disconnect)
        assert last.reason_code == 0x97
        other.send(Pingreq())
        other.send(Disconnect())
        assert isinstance((await other.packets())[-1], Pingresp)
        await until(lambda: not server.driver.broker.budget.used)

    play(story)


def test_without_a_limit_nothing_is_measured() -> None:
    async def story(server: Server, listener: MemoryListener) -> None:
        Link(listener, "c", "t")
        await asyncio.sleep(0)
        server.publish("t", bytes(4 * MEBIBYTE))
        await asyncio.sleep(0.01)
        assert server.driver.broker.budget.output == 0
        assert len(server.driver.channels) == 1

    play(story, 0)

# SPDX-License-Identifier: MIT
"""What a transport has no room for waits uncopied, in order, and goes out when there is room."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mqtt_ref.hooks import AllowAll
from mqtt_ref.net.channel import LINGER, Channel
from mqtt_ref.net.memory import HIGH_WATER, MemoryListener
from mqtt_ref.net.unsent import Unsent
from mqtt_ref.server import Server
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.framing import Decoder
from mqtt_ref.wire.packets import Connect, Disconnect, Pingreq, Pingresp, Publish, Subscribe, Subscription
from mqtt_ref.wire.primitives import SERVER


@given(st.lists(st.binary(min_size=1, max_size=20)), st.lists(st.integers(1, 30)))
def test_it_is_a_queue_of_bytes(parts: list[bytes], steps: list[int]) -> None:
    unsent = Unsent()
    unsent.add(parts)
    left = b"".join(parts)
    for most in steps:
        taken = b"".join(unsent.take(most))
        assert taken == left[:most]
        left = left[most:]
        assert unsent.size == len(left)
    unsent.add([b"more"])
    assert b"".join(unsent.take(1000)) == left + b"more"


def test_parts_are_not_copied() -> None:
    large = bytes(1000)
    unsent = Unsent()
    unsent.add([large, b"end"])
    (first,) = unsent.take(400)
    (second,) = unsent.take(600)
    assert isinstance(first, memoryview)
    assert isinstance(second, memoryview)
    assert first.obj is large
    assert second.obj is large
    unsent.add([large])
    assert unsent.take(10_000)[-1] is large
    unsent.add([large, b"end"])
    unsent.take(1)
    assert unsent.shared(500) == {id(large): 1000}
    assert unsent.shared(1001) == {}


SIZE = 8 * HIGH_WATER


def play(story: Callable[[Server, Channel, asyncio.StreamReader, Any], Any]) -> None:
    """A client that has subscribed to `t`. It has not read its SUBACK yet."""

    async def run() -> None:
        listener = MemoryListener()
        async with Server(listeners=[listener], hooks=[AllowAll()]) as server:
            reader, writer = listener.connect()
            writer.write(encode(5, Connect("c")) + encode(5, Subscribe(1, [Subscription("t", 1)])))
            (channel,) = server.driver.channels.values()
            await story(server, channel, reader, writer)

    asyncio.run(run())


async def packets(reader: asyncio.StreamReader) -> list[Any]:
    """All packets until the end of the stream."""
    decoder, found = Decoder(5, SERVER), []
    while data := await asyncio.wait_for(reader.read(1 << 16), 10):
        found += decoder.feed(data)
    return found


def test_what_comes_later_waits_behind_it() -> None:
    async def story(server: Server, channel: Channel, reader: asyncio.StreamReader, writer: Any) -> None:
        size = 5 * HIGH_WATER  # so much that some is unsent, and so little that the client is still read from
        large = bytes(size)
        server.publish("t", large)
        await asyncio.sleep(0)
        assert channel.unsent is not None
        # What the reader and the transport hold was written; the rest is the payload itself.
        assert channel.unsent.size > size - 4 * HIGH_WATER
        assert channel.unsent.shared(size) == {id(large): size}
        assert channel.connection.outbox.choked
        writer.write(encode(5, Pingreq()))
        await asyncio.sleep(0)
        server.driver.broker.disconnect("c", 0x98, "", server.driver.now())
        server.driver.schedule()
        found = await packets(reader)
        assert [type(packet) for packet in found[2:]] == [Publish, Pingresp, Disconnect]
        assert found[2].payload == large
        assert channel.unsent is None

    play(story)


def test_a_client_that_never_reads_is_cut_in_the_end() -> None:
    async def story(server: Server, channel: Channel, reader: asyncio.StreamReader, writer: Any) -> None:
        server.publish("t", bytes(SIZE))
        await asyncio.sleep(0)
        server.driver.broker.disconnect("c", 0x98, "", server.driver.now())
        server.driver.schedule()
        await asyncio.wait_for(writer.wait_closed(), LINGER + 5)
        assert channel.unsent is None
        assert not server.driver.channels

    play(story)


def test_nothing_more_is_read_from_a_client_with_too_much_unsent() -> None:
    async def story(server: Server, channel: Channel, reader: asyncio.StreamReader, writer: Any) -> None:
        server.publish("t", bytes(SIZE))
        await asyncio.sleep(0)
        assert channel.halted
        assert not channel.transport.is_reading()
        writer.write(encode(5, Pingreq()) + encode(5, Disconnect()))
        found = await packets(reader)
        assert [type(packet) for packet in found[2:]] == [Publish, Pingresp]
        assert not channel.halted

    play(story)

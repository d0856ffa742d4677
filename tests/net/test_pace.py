# SPDX-License-Identifier: MIT
"""Bytes and packets in a second: what is above waits, and nothing is lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqtt_ref.engine.options import Options, Terms
from mqtt_ref.hooks import AllowAll
from mqtt_ref.net.memory import MemoryListener
from mqtt_ref.net.pace import Bucket
from mqtt_ref.net.tcp import TcpListener
from mqtt_ref.server import Server
from mqtt_ref.testing.rawclient import RawClient
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import Connack, Connect, Pingreq, Pingresp, Puback, Publish

SECOND = 1_000_000_000


def test_a_bucket_holds_a_second_and_fills_again() -> None:
    bucket = Bucket(10, 0)
    assert bucket.left(0) == 10
    bucket.take(10)
    assert bucket.left(0) == 0
    assert bucket.wait(1) == pytest.approx(0.1)
    assert bucket.left(SECOND // 2) == 5
    assert bucket.left(60 * SECOND) == 10


@given(
    rate=st.integers(1, 1_000_000),
    steps=st.lists(st.tuples(st.integers(0, 3 * SECOND), st.integers(1, 1_000_000)), max_size=50),
)
def test_no_second_has_more_than_twice_its_share(rate: int, steps: list[tuple[int, int]]) -> None:
    """A full second that was saved, and the one that passes meanwhile."""
    bucket = Bucket(rate, 0)
    now = 0
    passed: list[tuple[int, int]] = []
    for pause, wanted in steps:
        now += pause
        count = min(wanted, bucket.left(now))
        bucket.take(count)
        passed.append((now, count))
    for begin, _ in passed:
        assert sum(count for at, count in passed if begin <= at < begin + SECOND) <= 2 * rate + 1


@given(rate=st.integers(1, 1_000_000), count=st.integers(1, 1000))
def test_after_the_wait_they_may_pass(rate: int, count: int) -> None:
    bucket = Bucket(rate, 0)
    bucket.take(bucket.left(0))
    count = min(count, rate)
    wait = bucket.wait(count)
    assert bucket.left(int(wait * SECOND) + 1) >= count


def test_packets_wait_for_their_second_and_none_is_lost() -> None:
    """200 messages at 100 packets a second: the CONNECT and 99 of them at once, the others in the second after it."""

    async def run() -> tuple[list[int], float, int]:
        listener = MemoryListener(terms=Terms(packets_per_second=100))
        async with Server(listeners=[listener], hooks=[AllowAll()]) as server:
            reader, writer = listener.connect()
            begin = time.monotonic()
            writer.write(encode(5, Connect("fast")) + b"".join(encode(5, Publish(f"t/{n}", b"x")) for n in range(200)))
            await reader.readexactly(2)
            seen: list[int] = []
            counters = server.broker.counters
            while counters.packets_received < 201:
                assert time.monotonic() - begin < 10
                seen.append(counters.packets_received)
                await asyncio.sleep(0.02)
            return seen, time.monotonic() - begin, counters.packets_received

    seen, took, received = asyncio.run(run())
    assert received == 201
    assert seen[0] <= 101
    assert took >= 0.9


@pytest.mark.parametrize(
    "terms", [Terms(bytes_per_second=20_000), Terms(packets_per_second=40)], ids=["bytes", "packets"]
)
@pytest.mark.parametrize("size", [1, 5000])
def test_reading_rests_over_tcp_and_order_is_kept(running: Callable[..., Any], terms: Terms, size: int) -> None:
    paced, free = TcpListener(port=0, terms=terms), TcpListener(port=0)
    running(paced, free)
    count = 60 if size == 1 else 8
    with RawClient(paced.port) as publisher, RawClient(free.port) as subscriber:
        subscriber.connect("subscriber")
        subscriber.subscribe("#")
        publisher.connect("publisher")
        publisher.send(b"".join(encode(5, Publish("t", n.to_bytes(size, "big"))) for n in range(count)))
        publisher.disconnect()  # behind all of them
        assert [subscriber.message().payload for _ in range(count)] == [n.to_bytes(size, "big") for n in range(count)]


def test_who_closes_while_he_waits_has_everything_delivered(running: Callable[..., Any]) -> None:
    paced, free = TcpListener(port=0, terms=Terms(bytes_per_second=2000)), TcpListener(port=0)
    running(paced, free)
    with RawClient(paced.port) as publisher, RawClient(free.port) as subscriber:
        subscriber.connect("subscriber")
        subscriber.subscribe("#")
        publisher.connect("publisher")
        publisher.send(b"".join(encode(5, Publish("t", b"%04d" % n + bytes(96))) for n in range(30)))
        publisher.close()
        assert [int(subscriber.message().payload[:4]) for _ in range(30)] == list(range(30))


def test_who_has_to_wait_is_not_silent(running: Callable[..., Any]) -> None:
    """A packet that takes longer than one and a half times the Keep Alive costs nobody his connection."""
    paced = TcpListener(port=0, terms=Terms(bytes_per_second=2000))
    running(paced)
    with RawClient(paced.port) as client:
        client.connect("slow", keep_alive=1)
        client.send(Publish("t", bytes(6000), 1, packet_id=1), Pingreq())
        begin = time.monotonic()
        client.expect(Puback)
        client.expect(Pingresp)
        assert time.monotonic() - begin > 1.5


def test_other_listeners_and_clients_notice_nothing(running: Callable[..., Any]) -> None:
    paced = TcpListener(port=0, terms=Terms(packets_per_second=5))
    running(paced, options=Options())
    with RawClient(paced.port) as busy, RawClient(paced.port) as calm:
        busy.send(Connect("busy"), *[Pingreq()] * 500)
        assert busy.expect(Connack).reason_code == 0
        begin = time.monotonic()
        calm.connect("calm")
        calm.ping()
        assert time.monotonic() - begin < 1

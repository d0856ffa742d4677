# SPDX-License-Identifier: MIT
"""Memory is what `maximum_memory` says: a broker in a process of its own is filled with each kind of thing it holds."""

from __future__ import annotations

import contextlib
import json
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mqtt_ref.testing.rawclient import LinkClosed, RawClient
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import (
    Connack,
    Connect,
    ConnectProperties,
    Disconnect,
    Puback,
    Publish,
    PublishProperties,
    Pubrec,
    Suback,
    Subscribe,
    Subscription,
    Will,
    WillProperties,
)

MEBIBYTE = 1 << 20
BUDGET = 64 * MEBIBYTE
BASE = 16 * MEBIBYTE
"""What a broker takes when it begins to work: the code of first use, caches, buffers."""
KEEP = ConnectProperties(session_expiry_interval=1000)
LOOPS = ["uvloop", "asyncio"] if sys.platform != "win32" else ["asyncio"]
ROOMY = {"queued_messages": 1_000_000, "queued_bytes": 1 << 30, "inflight_bytes": 1 << 30, "subscriptions": 10**6}
ROOMY["maximum_inflight"] = 65_535


@pytest.fixture
def broker(request: pytest.FixtureRequest, serving_module: Callable[..., Any]) -> Iterator[Any]:
    """A broker with a budget of 64 MiB, and otherwise wide bounds."""
    path = Path(__file__).parent / "small_broker.py"
    command = [sys.executable, str(path), json.dumps({"memory": BUDGET, "connect_timeout": 60, **ROOMY})]
    with serving_module(command, getattr(request, "param", "")) as one:
        yield one.wait_ready()


def acknowledged(client: RawClient, packets: list[Publish], kind: type = Puback) -> int:
    """Publish, and return how many were accepted."""
    client.send(*packets)
    return sum(client.expect(kind).reason_code < 0x80 for _ in packets)  # type: ignore[attr-defined]


def publish_until_refused(client: RawClient, make: Callable[[int], Publish], rounds: int) -> None:
    for number in range(rounds):
        packets = [make(number * 100 + at) for at in range(100)]
        for at, packet in enumerate(packets):
            packet.packet_id = at + 1
        if not acknowledged(client, packets):
            return


def queued(broker: Any) -> None:
    """Short messages for a client that is away."""
    _away(broker)
    with broker.client() as client:
        client.connect("p")
        publish_until_refused(client, lambda n: Publish("t", b"%d" % n, 1), 1500)


def queued_properties(broker: Any) -> None:
    """Messages that are nothing but properties."""
    _away(broker)
    block = PublishProperties(user_property=[("k" * 100, "v" * 100)] * 100)
    with broker.client() as client:
        client.connect("p")
        publish_until_refused(client, lambda n: Publish("t", b"", 1, properties=block), 50)


def queued_text(broker: Any) -> None:
    """Topics that take four bytes for each character in memory."""
    _away(broker)
    with broker.client() as client:
        client.connect("p")
        publish_until_refused(client, lambda n: Publish("x" * 30_000 + "\U0001f600", b"", 1), 10)


def in_flight(broker: Any) -> None:
    """Messages that nobody acknowledges, to clients that read them."""
    with contextlib.ExitStack() as stack:
        for number in range(8):
            deaf = stack.enter_context(broker.client())
            deaf.connect(f"d{number}", properties=ConnectProperties(receive_maximum=65_535))
            deaf.subscribe(f"t/{number}", qos=1)
        client = stack.enter_context(broker.client())
        client.connect("p")
        publish_until_refused(client, lambda n: Publish(f"t/{n % 8}", bytes(12_000), 1), 100)
        yield_to(broker, client)


def in_flight_light(broker: Any) -> None:
    """Short ones."""
    with contextlib.ExitStack() as stack:
        for number in range(2):
            deaf = stack.enter_context(broker.client())
            deaf.connect(f"d{number}", properties=ConnectProperties(receive_maximum=65_535))
            deaf.subscribe(f"t/{number}", qos=1)
        client = stack.enter_context(broker.client())
        client.connect("p")
        publish_until_refused(client, lambda n: Publish(f"t/{n % 2}", bytes(250), 1), 1500)
        yield_to(broker, client)


def retained(broker: Any) -> None:
    with broker.client() as client:
        client.connect("p")
        publish_until_refused(client, lambda n: Publish(f"some/topic/{n}", b"%d" % n, 1, True), 1000)


def sessions(broker: Any) -> None:
    for number in range(100_000):
        with broker.client() as client:
            client.send(Connect(f"session-{number}" + "x" * 4000, properties=KEEP))
            if client.expect(Connack).reason_code:
                return
            client.send(Disconnect())


def wills(broker: Any) -> None:
    will = Will("t", b"", properties=WillProperties(user_property=[(f"k{n}", f"v{n}") for n in range(5000)]))
    with contextlib.ExitStack() as stack:
        for number in range(100):
            client = stack.enter_context(broker.client())
            client.send(Connect(f"c{number}", will=will))
            if client.expect(Connack).reason_code:
                break
        yield_to(broker, None)


def subscriptions(broker: Any) -> None:
    with broker.client() as client:
        client.connect("s", properties=KEEP)
        for number in range(400):
            filters = [Subscription(f"some/{number}/+/{at}/topic", 1) for at in range(500)]
            client.send(Subscribe(1, filters))
            if client.expect(Suback).reason_codes[-1] == 0x97:
                return


def identifiers(broker: Any) -> None:
    """Packet Identifiers of QoS 2 messages that are never released."""
    for number in range(2000):
        with broker.client() as client:
            client.send(Connect(f"c{number}", properties=KEEP))
            if client.expect(Connack).reason_code:
                return
            acknowledged(client, [Publish("t", b"", 2, packet_id=at + 1) for at in range(1000)], Pubrec)


def incomplete(broker: Any) -> None:
    """Packets of which the last byte never comes."""
    with contextlib.ExitStack() as stack:
        for number in range(12):
            client = stack.enter_context(broker.client())
            client.connect(f"c{number}")
            with contextlib.suppress(LinkClosed, ConnectionError):
                client.send(encode(5, Publish("t", bytes(20 * MEBIBYTE)))[:-1])
        yield_to(broker, None)


def output(broker: Any) -> None:
    """Messages of their own for many clients that do not read."""
    with contextlib.ExitStack() as stack:
        for number in range(300):
            deaf = stack.enter_context(broker.client(receive_buffer=4096))
            deaf.connect(f"d{number}")
            deaf.subscribe(f"t/{number}")
        client = stack.enter_context(broker.client())
        client.connect("p")
        for _ in range(4):
            for number in range(300):
                client.send(*[Publish(f"t/{number}", bytes(10_000))] * 100)
            client.ping()
        yield_to(broker, None)


def yield_to(broker: Any, client: RawClient | None) -> None:
    """Measure while the clients are there."""
    broker.seen = broker.resident()
    if client is not None:
        client.ping()


def _away(broker: Any) -> None:
    with broker.client() as client:
        client.connect("away", properties=KEEP)
        client.subscribe("#", qos=1)


@pytest.mark.parametrize(
    "fill",
    [
        queued,
        queued_properties,
        queued_text,
        in_flight,
        in_flight_light,
        retained,
        sessions,
        wills,
        subscriptions,
        identifiers,
        incomplete,
        output,
    ],
    ids=lambda fill: fill.__name__,
)
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_whatever_fills_it_takes_at_most_twice_its_budget(broker: Any, fill: Callable[[Any], None]) -> None:
    with broker.client() as first:
        first.connect("first")
        first.subscribe("first", qos=1)
        first.publish("first", b"x", qos=1)
        first.message()
        before = broker.resident()
        broker.seen = 0
        fill(broker)
        grown = max(broker.seen, broker.resident()) - before
        print(f"{fill.__name__}: {grown / MEBIBYTE:.1f} MiB")
        assert BUDGET // 4 < grown < 2 * BUDGET + BASE
        # The others are still there.
        first.ping()


@pytest.mark.parametrize("broker", LOOPS, indirect=True)
def test_a_client_whose_incomplete_packet_takes_the_memory_is_told(broker: Any) -> None:
    with broker.client() as one, broker.client() as other:
        one.connect("one")
        other.connect("other")
        packet = encode(5, Publish("t", bytes(100 * MEBIBYTE)))
        with contextlib.suppress(LinkClosed, ConnectionError, socket.timeout):
            for at in range(0, len(packet) - 1, MEBIBYTE):
                one.send(packet[at : min(at + MEBIBYTE, len(packet) - 1)])
        broker.err.wait("'one' at .*The memory for clients is used up")
        other.ping()

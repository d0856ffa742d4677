# SPDX-License-Identifier: MIT
"""What a broker process that is killed or stopped has promised, the next one on the same store keeps."""

from __future__ import annotations

from pathlib import Path
from time import time_ns
from typing import Any

import pytest

from mqtt_ref.ports import QueuePut, SessionPut, StoredMessage
from mqtt_ref.storage.url import store_at
from mqtt_ref.testing.rawclient import RawClient
from mqtt_ref.wire.packets import (
    ConnectProperties,
    Puback,
    Pubcomp,
    Publish,
    PublishProperties,
    Pubrec,
    Pubrel,
    Will,
    WillProperties,
)
from tests.storage.backends import Backend, backends
from tests.storage.serving import Served

COUNT = 40


@pytest.fixture(params=[(one, how) for one in backends() for how in ("kill", "stop")], ids=lambda p: f"{p[0]}-{p[1]}")
def each(request: pytest.FixtureRequest, tmp_path: Path, require: Any) -> Any:
    backend: Backend
    backend, how = request.param
    backend.need(require)
    with backend:
        backend.begin(tmp_path)
        yield backend.address, how


def connect(client: RawClient, client_id: str, clean: bool = False, expiry: int = 1000, **more: Any) -> bool:
    properties = ConnectProperties(session_expiry_interval=expiry)
    return client.connect(client_id, clean_start=clean, properties=properties, **more).session_present


@pytest.fixture
def place(tmp_path: Path) -> str:
    return f"sqlite:{tmp_path / 'store.db'}"


def test_what_waits_for_an_absent_client_outlives_the_process(each: tuple[str, str]) -> None:
    place, how = each
    with Served("--store", place, "--durability", "normal") as broker:
        with RawClient(broker.port) as absent:
            assert connect(absent, "absent") is False
            absent.subscribe("q/#", qos=2)
            absent.disconnect()
        with RawClient(broker.port) as publisher:
            publisher.connect("publisher")
            for number in range(COUNT):
                publisher.publish(f"q/{number}", b"%d" % number, qos=1 + number % 2, packet_id=number + 1)
                if number % 2:
                    publisher.send(Pubrel(number + 1))
                    publisher.expect(Pubcomp)
            properties = PublishProperties(user_property=[("a", "b")], message_expiry_interval=100)
            publisher.publish("q/last", b"kept", qos=1, packet_id=9, retain=True, properties=properties)
        getattr(broker, how)()
    with Served("--store", place, "--durability", "normal") as broker:
        with RawClient(broker.port) as absent:
            assert connect(absent, "absent") is True
            found: list[Publish] = []
            while len(found) < COUNT + 1:
                packet = absent.read()
                if isinstance(packet, Publish):
                    found.append(packet)
                    absent.send(Puback(packet.packet_id) if packet.qos == 1 else Pubrec(packet.packet_id))
                elif isinstance(packet, Pubrel):
                    absent.send(Pubcomp(packet.packet_id))
            expected = [(f"q/{number}", b"%d" % number) for number in range(COUNT)]
            assert [(message.topic, message.payload) for message in found] == [*expected, ("q/last", b"kept")]
            last = found[-1]
            assert last.properties is not None
            assert last.properties.user_property == [("a", "b")]
            assert last.properties.message_expiry_interval in range(60, 101)
        with RawClient(broker.port) as another:
            another.connect("another")
            another.subscribe("#")
            assert another.message().payload == b"kept"


def test_a_queue_that_is_in_the_store_alone_outlives_the_process(each: tuple[str, str]) -> None:
    """It is read in several parts, and the broker ends while it is."""
    place, how = each
    arguments = ("--store", place, "--durability", "normal")
    little = {"maximum_queued_memory": 1}
    count = 700
    with Served(*arguments, capabilities=little) as broker:
        for name in ("one", "two"):
            with RawClient(broker.port) as absent:
                connect(absent, name)
                absent.subscribe("#", qos=1)
                absent.disconnect()
        with RawClient(broker.port) as publisher:
            publisher.connect("publisher")
            for start in range(0, count, 100):
                packets = [
                    Publish("t", b"%d" % number, 1, packet_id=number + 1) for number in range(start, start + 100)
                ]
                publisher.send(*packets)
                for _ in packets:
                    publisher.expect(Puback)
        getattr(broker, how)()
    found: list[int] = []
    for until in (count // 2, count):
        with Served(*arguments, capabilities=little) as broker:
            with RawClient(broker.port) as absent:
                connect(absent, "one")
                while not found or found[-1] < until - 1:
                    found.append(int(absent.message().payload))
            getattr(broker, how)()
    first = list(dict.fromkeys(found))
    assert first == list(range(count))
    assert len(found) - count <= 1024, "only what was in flight came twice"
    with Served(*arguments, capabilities=little) as broker, RawClient(broker.port) as absent:
        connect(absent, "two")
        assert [int(absent.message().payload) for _ in range(count)] == list(range(count))


def test_a_message_in_flight_is_sent_again_with_its_packet_identifier(place: str) -> None:
    with Served("--store", place, "--durability", "normal") as broker:
        with RawClient(broker.port) as client, RawClient(broker.port) as publisher:
            connect(client, "client")
            client.subscribe("t", qos=2)
            publisher.connect("publisher")
            publisher.publish("t", b"one", qos=1, packet_id=1)
            publisher.publish("t", b"two", qos=2, packet_id=2)
            one, two = client.expect(Publish), client.expect(Publish)
            client.send(Pubrec(two.packet_id))
            client.expect(Pubrel)
            broker.kill()
    with Served("--store", place, "--durability", "normal") as broker, RawClient(broker.port) as client:
        assert connect(client, "client") is True
        assert client.expect(Pubrel).packet_id == two.packet_id
        again = client.expect(Publish)
        assert (again.payload, again.packet_id, again.dup) == (b"one", one.packet_id, True)


def test_a_qos_2_message_is_taken_in_once(place: str) -> None:
    with Served("--store", place, "--durability", "normal") as broker:
        with RawClient(broker.port) as other:
            connect(other, "other")
            other.subscribe("t", qos=2)
            other.disconnect()
        with RawClient(broker.port) as publisher:
            connect(publisher, "publisher")
            publisher.publish("t", b"once", qos=2, packet_id=7)
            broker.kill()
    with Served("--store", place, "--durability", "normal") as broker:
        with RawClient(broker.port) as publisher:
            assert connect(publisher, "publisher") is True
            publisher.send(Publish("t", b"once", 2, False, True, 7))
            publisher.expect(Pubrec)
            publisher.send(Pubrel(7))
            publisher.expect(Pubcomp)
        with RawClient(broker.port) as other:
            connect(other, "other")
            assert other.expect(Publish).payload == b"once"
            other.ping()


def test_time_counts_while_the_broker_is_down(place: str) -> None:
    store = store_at(place)
    store.open()
    now, second = time_ns(), 1_000_000_000
    kept = StoredMessage(1, "t", b"kept", 1, False, b"", "", now - 50 * second, now + 60 * second)
    gone = StoredMessage(2, "t", b"gone", 1, False, b"", "", now - 50 * second, now - second)
    store.commit(
        1,
        [
            SessionPut("ended", 5, "", 60, now - second, None, 0, False),
            SessionPut("kept", 5, "", 600, now + 60 * second, None, 0, False),
            QueuePut("kept", 1, gone, 1, False, (), ""),
            QueuePut("kept", 2, kept, 1, False, (), ""),
        ],
    )
    store.close()
    with Served("--store", place) as broker:
        with RawClient(broker.port) as client:
            assert connect(client, "ended") is False
        with RawClient(broker.port) as client:
            assert connect(client, "kept") is True
            assert client.expect(Publish).payload == b"kept"


def test_a_will_is_published_though_the_broker_was_killed(place: str) -> None:
    with Served("--store", place, "--durability", "normal") as broker:
        with RawClient(broker.port) as watcher, RawClient(broker.port) as client:
            connect(watcher, "watcher")
            watcher.subscribe("will", qos=1)
            will = Will("will", b"gone", 1, False, WillProperties(will_delay_interval=0))
            connect(client, "client", will=will)
            broker.kill()
    with Served("--store", place, "--durability", "normal") as broker, RawClient(broker.port) as watcher:
        connect(watcher, "watcher")
        assert watcher.expect(Publish).payload == b"gone"

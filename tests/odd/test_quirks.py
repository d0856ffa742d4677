# SPDX-License-Identifier: MIT
"""The odd brokers are odd: each quirk is seen by a client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from mqtt_ref.testing.rawclient import LinkClosed, RawClient
from mqtt_ref.wire.packets import (
    ConnectProperties,
    Disconnect,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Subscription,
)
from tests.odd.brokers import BROKERS, Odd, serve
from tests.odd.proxy import Frames

__all__: list[str] = []


def odd(name: str) -> Odd:
    return next(one for one in BROKERS if one.name == name)


def play(name: str, story: Callable[[int], None]) -> None:
    """Run an odd broker, and beside it a story that is told its port."""

    async def run() -> None:
        async with serve(odd(name)) as url:
            await asyncio.to_thread(story, urlsplit(url).port or 0)

    asyncio.run(run())


def test_each_broker_has_a_name_of_its_own_and_a_reason() -> None:
    assert len({one.name for one in BROKERS}) == len(BROKERS)
    assert all(one.why for one in BROKERS)


def test_frames_are_cut_at_any_chunking() -> None:
    stream = b"\xc0\x00" + b"\x30\x83\x01" + bytes(131) + b"\xe0\x00"
    for size in (1, 2, 3, 200):
        frames = Frames()
        found = [one for at in range(0, len(stream), size) for one in frames.feed(stream[at : at + size])]
        assert found == [b"\xc0\x00", b"\x30\x83\x01" + bytes(131), b"\xe0\x00"]
        assert not frames.held


def test_a_length_that_is_none_is_lost() -> None:
    frames = Frames()
    assert frames.feed(b"\x30\xff\xff\xff\xff\x01") == []
    assert frames.lost
    assert frames.take() == b"\x30\xff\xff\xff\xff\x01"


def test_unasked_messages_come_to_a_client_that_has_not_subscribed() -> None:
    def story(port: int) -> None:
        with RawClient(port) as client:
            client.connect("anybody")
            found = client.expect(Publish)
            assert found.topic.startswith("odd/foreign/")
            assert found.qos == 2
            client.send(Pubrec(found.packet_id))
            assert client.expect(Pubrel).packet_id == found.packet_id

    play("unasked-qos2", story)


def test_identifiers_go_down_and_outlive_a_connection() -> None:
    def story(port: int) -> None:
        kept = ConnectProperties(session_expiry_interval=60)
        with RawClient(port) as client:
            client.connect("kept", clean_start=False, properties=kept)
            client.subscribe("t", qos=1)
            client.send(Publish("t", b"1", 1, packet_id=5), Publish("t", b"2", 1, packet_id=6))
            found = [client.read() for _ in range(4)]
            first, second = (one for one in found if isinstance(one, Publish))
            assert [first.packet_id, second.packet_id] == [65_535, 65_534]
            client.send(Puback(65_535))
            client.ping()
        with RawClient(port) as client:
            assert client.connect("kept", clean_start=False, properties=kept).session_present
            again = client.expect(Publish)
            assert (again.packet_id, again.payload, again.dup) == (65_534, b"2", True)
            # An identifier that nobody has is answered under that identifier.
            client.send(Puback(65_534), Pubrec(77))
            assert client.expect(Pubrel).packet_id == 77

    play("ids-descending", story)


def test_an_alias_is_set_anew_for_each_topic() -> None:
    def story(port: int) -> None:
        with RawClient(port) as client:
            client.connect("aliases", properties=ConnectProperties(topic_alias_maximum=9))
            client.subscribe("#")
            for topic in ("a", "a", "b"):
                client.publish(topic)
            found = [client.expect(Publish) for _ in range(3)]
            assert [one.topic for one in found] == ["a", "", "b"]
            assert all(one.properties is not None and one.properties.topic_alias == 9 for one in found)

    play("aliases-remapped", story)


def test_a_retained_message_comes_before_the_suback() -> None:
    def story(port: int) -> None:
        with RawClient(port) as client:
            client.connect("late")
            client.publish("kept", b"here", retain=True)
            client.ping()
            client.send(Subscribe(3, [Subscription("kept")]))
            assert isinstance(client.read(), Publish)
            assert isinstance(client.read(), Suback)

    play("suback-last", story)


def test_nothing_is_said_before_a_close() -> None:
    def story(port: int) -> None:
        with RawClient(port) as client:
            client.connect("quiet")
            client.send(b"\x60\x00")
            assert not any(isinstance(one, Disconnect) for one in client.until_closed())

    play("closes-silently", story)


def test_a_session_is_resumed_and_its_messages_wait() -> None:
    def story(port: int) -> None:
        kept = ConnectProperties(session_expiry_interval=60)
        with RawClient(port) as client:
            client.connect("slow", clean_start=False, properties=kept)
            client.subscribe("t", qos=1)
            client.send(Publish("t", b"1", 1, packet_id=5))
            assert any(isinstance(client.read(), Publish) for _ in range(2))
        with RawClient(port) as client:
            client.connect("slow", clean_start=False, properties=kept)
            client.ping()
            assert client.expect(Publish).dup

    play("resends-behind-traffic", story)


def test_a_connection_ends_after_four_seconds() -> None:
    def story(port: int) -> None:
        with RawClient(port) as client:
            client.connect("short")
            assert isinstance(found := client.read(), Disconnect)
            assert found.reason_code == 0xA0
            assert client.until_closed() == []

    play("maximum-connect-time", story)


def test_a_message_of_qos_2_is_delivered_when_it_is_released() -> None:
    def story(port: int) -> None:
        with RawClient(port, version=4) as client:
            client.connect("a")
            client.subscribe("t")
            client.send(Publish("t", b"1", 2, packet_id=5), Publish("t", b"1", 2, dup=True, packet_id=5))
            assert [client.expect(Pubrec).packet_id for _ in range(2)] == [5, 5]
            client.ping()
            client.send(Pubrel(5))
            found = [client.read(), client.read()]
            assert {type(one) for one in found} == {Publish, Pubcomp}

    play("delivers-on-release", story)


def test_a_connection_is_reset() -> None:
    def story(port: int) -> None:
        with RawClient(port) as client:
            client.connect("reset")
            client.send(b"\x60\x00")
            client.expect(Disconnect)
            with pytest.raises(LinkClosed) as closed:
                client.read()
            assert closed.value.reset

    play("resets", story)

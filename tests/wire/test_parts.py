# SPDX-License-Identifier: MIT
"""Parts are counted as the decoder finds them, and a packet with too many is not decoded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqtt_ref.testing import strategies
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.framing import Decoder
from mqtt_ref.wire.packets import (
    Connect,
    Packet,
    Pingreq,
    Publish,
    PublishProperties,
    Subscribe,
    SubscribeProperties,
    Subscription,
    Unsubscribe,
)
from mqtt_ref.wire.parts import LEVELS, SMALLEST, too_many
from mqtt_ref.wire.primitives import CLIENT, V5, V311


def parts(packet: Packet) -> int:
    """The most parts of one kind, by the objects."""
    counts = [0]
    for owner in (packet, getattr(packet, "will", None)):
        properties = getattr(owner, "properties", None)
        if properties is not None:
            counts.append(len(getattr(properties, "user_property", None) or ()))
    counts.append(len(getattr(packet, "subscriptions", ())))
    counts.append(len(getattr(packet, "topic_filters", ())))
    return max(counts)


def counted(version: int, packet: Packet, most: int) -> bool:
    data = encode(version, packet)
    body = 2
    while data[body - 1] & 0x80:
        body += 1
    return too_many(version, data, data[0] >> 4, data[0] >> 1 & 3, body, len(data), most)


@given(st.data(), st.sampled_from([V311, V5]))
def test_the_count_is_that_of_the_objects(data: st.DataObject, version: int) -> None:
    packet = data.draw(strategies.packets(version, CLIENT))
    count = max(parts(packet), encode(version, packet).count(b"/") // LEVELS + 1)
    if parts(packet) < count:
        assert not counted(version, packet, count)
        return
    assert not counted(version, packet, count)
    if count:
        assert counted(version, packet, count - 1)


@given(st.binary(max_size=60), st.integers(1, 15), st.sampled_from([V311, V5]))
def test_malformed_packets_are_counted_without_an_error(data: bytes, kind: int, version: int) -> None:
    too_many(version, data, kind, 1, 0, len(data), 1)


MANY = [("k", "v")] * 5


@pytest.mark.parametrize(
    "packet",
    [
        Publish("t", properties=PublishProperties(user_property=MANY)),
        Subscribe(1, [Subscription(f"t/{n}") for n in range(5)]),
        Subscribe(1, [Subscription("t")], SubscribeProperties(user_property=MANY)),
        Unsubscribe(1, [f"t/{n}" for n in range(5)]),
    ],
)
def test_a_decoder_stops_before_it(packet: Packet) -> None:
    for most, excess in ((5, False), (4, True)):
        decoder = Decoder(V5, CLIENT)
        decoder.parts = most
        found = decoder.feed(encode(V5, Pingreq()) + encode(V5, packet) + encode(V5, Pingreq()))
        assert decoder.excess is excess
        assert found == ([Pingreq()] if excess else [Pingreq(), packet, Pingreq()])
        assert decoder.feed(encode(V5, Pingreq())) == ([] if excess else [Pingreq()])


def test_levels_count_too() -> None:
    deep = Subscribe(1, [Subscription("/" * 100)])
    assert counted(V5, deep, 100 // LEVELS - 1)
    assert not counted(V5, deep, 100 // LEVELS)


def test_the_smallest_part() -> None:
    assert len(encode(V311, Unsubscribe(1, ["a"] * 9))) - len(encode(V311, Unsubscribe(1, ["a"] * 8))) == SMALLEST
    assert not counted(V5, Connect("a"), 0)

# SPDX-License-Identifier: MIT
"""The framer: any chunking gives the same packets, limits hold before anything is held, a payload is copied once."""

from __future__ import annotations

import tracemalloc

import pytest

from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.framing import Decoder
from mqtt_ref.wire.packets import Connect, Pingreq, Publish, PublishProperties, Subscribe, Subscription
from mqtt_ref.wire.primitives import CLIENT, SERVER, V5, V31, V311
from mqtt_ref.wire.violation import Violation


def split(data: bytes, size: int) -> list[bytes]:
    return [data[i : i + size] for i in range(0, len(data), size)]


def decode_all(decoder: Decoder, chunks: list[bytes]) -> list[object]:
    return [packet for chunk in chunks for packet in decoder.feed(chunk)]


STREAM = [
    Connect("client", protocol_version=V5, keep_alive=10),
    Subscribe(1, [Subscription("a/+", 1), Subscription("b/#", 2)]),
    Publish("a/b", b"x" * 300, 1, packet_id=2, properties=PublishProperties(user_property=[("k", "v")])),
    Publish("large", bytes(range(256)) * 400, 2, packet_id=3),
    Pingreq(),
]
BYTES = b"".join(encode(V5, p) for p in STREAM)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100, 4095, 4096, 50_000, len(BYTES)])
def test_chunking_changes_nothing(size: int) -> None:
    decoder = Decoder(0, CLIENT)
    assert decode_all(decoder, split(BYTES, size)) == STREAM
    assert decoder.buffered == 0
    assert decoder.version == V5


@pytest.mark.parametrize("level", [V31, V311, V5])
def test_connect_sets_the_version_for_what_follows_in_the_same_chunk(level: int) -> None:
    subscribe = Subscribe(1, [Subscription("a")])
    data = encode(level, Connect("c", protocol_version=level)) + encode(level, subscribe)
    assert Decoder(0, CLIENT).feed(data)[1] == subscribe


def test_packet_above_the_limit_is_refused_before_it_is_held() -> None:
    decoder = Decoder(V5, CLIENT, maximum_packet_size=100)
    found = decoder.feed(b"\x30\xff\xff\xff\x7f")
    assert found == [Violation("MQTT5-3.2.2-15", 0x95, 3, 4, V5, CLIENT, "remaining_length")]
    assert decoder.buffered == 0
    assert decoder.feed(b"\xc0\x00") == []


def test_packet_of_exactly_the_limit_is_taken() -> None:
    data = encode(V5, Publish("t", b"x" * 50))
    assert len(Decoder(V5, CLIENT, maximum_packet_size=len(data)).feed(data)) == 1
    found = Decoder(V5, CLIENT, maximum_packet_size=len(data) - 1).feed(data)[0]
    assert isinstance(found, Violation)
    assert found.reason == 0x95


def test_server_that_sends_too_much_breaks_its_own_rule() -> None:
    found = Decoder(V5, SERVER, maximum_packet_size=10).feed(encode(V5, Publish("t", b"x" * 50)))[0]
    assert isinstance(found, Violation)
    assert found.statement == "MQTT5-3.1.2-24"


def test_illegal_first_byte_is_refused_at_once() -> None:
    found = Decoder(V5, CLIENT).feed(b"\x16")[0]  # the first byte of a TLS hello is no CONNECT
    assert isinstance(found, Violation)
    assert (found.statement, found.offset, found.packet) == ("MQTT5-2.1.3-1", 0, 1)


def test_remaining_length_of_five_bytes() -> None:
    found = Decoder(V5, CLIENT).feed(b"\xc0\x80\x80\x80\x80\x01")[0]
    assert isinstance(found, Violation)
    assert (found.statement, found.offset) == ("X5-vbi-four-bytes", 4)


def test_remaining_length_longer_than_needed_breaks_only_5_0() -> None:
    found = Decoder(V5, CLIENT).feed(b"\xc0\x80\x00")[0]
    assert isinstance(found, Violation)
    assert (found.statement, found.offset) == ("MQTT5-1.5.5-1", 2)
    assert Decoder(V311, CLIENT).feed(b"\xc0\x80\x00") == [Pingreq()]


@pytest.mark.parametrize(("level", "legal"), [(V31, True), (V311, True), (V5, False)])
def test_connect_is_judged_by_the_version_it_names(level: int, legal: bool) -> None:
    packet = Connect("c", protocol_version=level)
    data = encode(level, packet)
    long = bytes([data[0], data[1] | 0x80, 0]) + data[2:]
    for known in (0, V5, V311):
        found = Decoder(known, CLIENT).feed(long)[0]
        if legal:
            assert found == packet
        else:
            assert isinstance(found, Violation)
            assert (found.statement, found.offset) == ("MQTT5-1.5.5-1", 2)


def test_going_on_decodes_what_follows_a_broken_packet() -> None:
    bad = b"\x82\x06\x00\x01\x00\x00\x00\x00"
    decoder = Decoder(V5, CLIENT, go_on=True)
    first, second = decoder.feed(bad + b"\xc0\x00")
    assert isinstance(first, Violation)
    assert second == Pingreq()


@pytest.mark.parametrize("size", [1, 5, 64, 1000])
def test_going_on_skips_a_packet_that_is_too_large(size: int) -> None:
    data = encode(V5, Publish("t", b"x" * 500)) + encode(V5, Pingreq())
    decoder = Decoder(V5, CLIENT, maximum_packet_size=100, go_on=True)
    first, second = decode_all(decoder, split(data, size))
    assert isinstance(first, Violation)
    assert second == Pingreq()


def test_payload_is_copied_once() -> None:
    payload = bytes(4_000_000)
    chunks = split(encode(V5, Publish("t", payload)), 65_536)
    decoder = Decoder(V5, CLIENT)
    for chunk in chunks[:-1]:
        assert decoder.feed(chunk) == []
    tracemalloc.start()
    try:
        (packet,) = decoder.feed(chunks[-1])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(packet, Publish)
    assert packet.payload == payload
    assert peak < 1.1 * len(payload)


def test_long_topic_and_properties_across_chunks() -> None:
    packet = Publish("t" * 60_000, b"y" * 10_000, properties=PublishProperties(user_property=[("k" * 40_000, "v" * 9)]))
    data = encode(V5, packet)
    for size in (1000, 4097, 30_000):
        assert decode_all(Decoder(V5, CLIENT), split(data, size)) == [packet]

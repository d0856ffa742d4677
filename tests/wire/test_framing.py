# SPDX-License-Identifier: MIT
"""Framing: any chunking gives the same packets, limits hold before anything is held, a payload is copied once."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.framing import Decoder, Framer
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
    found = Decoder(V5, CLIENT).feed(b"\x16")[0]
    assert isinstance(found, Violation)
    assert (found.statement, found.offset, found.packet) == ("MQTT5-2.1.3-1", 0, 1)


def test_a_tls_hello_is_refused_as_soon_as_it_cannot_be_a_connect_of_3_1() -> None:
    decoder = Decoder(0, CLIENT)
    assert decoder.feed(b"\x16") == []
    assert decoder.feed(b"\x03") == [Violation("MQTT5-2.1.3-1", 0x81, 1, 0, 0, CLIENT, "fixed_header", "must")]
    assert decoder.buffered == 0


def test_missing_bytes_are_those_of_the_packet_or_those_that_decide() -> None:
    decoder = Decoder(0, CLIENT)
    data = b"\x1f\x0f\x00\x06MQIsdp\x03\x02\x00\x3c\x00\x01a"
    told = []
    for at in range(len(data) - 1):
        assert decoder.feed(data[at : at + 1]) == []
        told.append(decoder.missing)
    assert told == [1] * 9 + [7, 6, 5, 4, 3, 2, 1]
    assert decoder.feed(data[-1:]) == [Connect("a", protocol_version=V31, keep_alive=60)]


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


# ---------------------------------------------------------------- for those who watch


def frames_of(framer: Framer, chunks: list[bytes], all_packets: bool = True) -> list[bytes]:
    found: list[bytes] = []
    for chunk in chunks:
        data, frames = framer.feed(chunk, all_packets)
        for pos, body, stop in frames:
            assert pos + 2 <= body <= stop
            found.append(data[pos:stop])
        assert framer.whole <= len(data)
    return found


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100, 4095, 4096, 50_000, len(BYTES)])
def test_a_framer_finds_each_packet_in_any_chunks(size: int) -> None:
    framer = Framer()
    assert frames_of(framer, split(BYTES, size)) == [encode(V5, packet) for packet in STREAM]
    assert (framer.lost, framer.rest, framer.buffered) == (False, b"", 0)


@given(
    st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=300), st.booleans()), max_size=20),
    st.lists(st.integers(1, 200), min_size=1),
)
def test_a_framer_keeps_every_byte_of_what_is_not_legal(
    packets: list[tuple[int, bytes, bool]], sizes: list[int]
) -> None:
    """Any first byte, and lengths of more bytes than needed, whole packets and the beginning of one more."""
    whole = [
        bytes([first, len(body) % 128 | 0x80, len(body) // 128 | 0x80, 0] if long else [first, *length(len(body))])
        + body
        for first, body, long in packets
    ]
    data = b"".join(whole) + b"\x30\x05ab"
    chunks: list[bytes] = []
    for at in range(len(data)):
        if not data:
            break
        size = sizes[at % len(sizes)]
        chunks.append(data[:size])
        data = data[size:]
    framer = Framer()
    assert frames_of(framer, chunks) == whole
    assert framer.rest == b"\x30\x05ab"
    assert framer.drop() == b"\x30\x05ab"
    assert frames_of(framer, [b"\xc0\x00"]) == [b"\xc0\x00"]


def length(size: int) -> bytes:
    return bytes([size] if size < 128 else [size % 128 | 0x80, size // 128])


def test_a_framer_passes_over_messages_of_qos_0() -> None:
    plain = encode(V5, Publish("t", b"x"))
    data = plain + encode(V5, Pingreq()) + plain
    framer = Framer()
    assert frames_of(framer, [data, plain], all_packets=False) == [encode(V5, Pingreq())]
    assert framer.whole == len(plain)


@pytest.mark.parametrize(
    ("data", "too_large"), [(b"\x30\xff\xff\xff\xff\x01abc", False), (b"\x30\x80\x01" + bytes(20), True)]
)
def test_a_framer_is_lost_where_no_end_is_known(data: bytes, too_large: bool) -> None:
    framer = Framer(largest=100)
    assert frames_of(framer, [b"\xc0\x00" + data]) == [b"\xc0\x00"]
    assert (framer.lost, framer.too_large) == (True, too_large)
    assert framer.rest == data
    assert framer.feed(b"more") == (b"more", [])
    assert framer.whole == 0

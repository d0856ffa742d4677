# SPDX-License-Identifier: MIT
"""Two codecs, one truth: the same bytes for a packet, the same packet or violation for bytes, whatever they are."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Iterator

import hypothesis
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mqtt_ref.testing import mutations
from mqtt_ref.testing.strategies import packets
from mqtt_ref.wire import fast, reference
from mqtt_ref.wire.framing import Decoder
from mqtt_ref.wire.generated.vectors import vectors
from mqtt_ref.wire.packets import Auth, Connect, Packet
from mqtt_ref.wire.primitives import CLIENT, SERVER, V5, V31, V311, vbi
from mqtt_ref.wire.violation import Violation

Found = list[Packet | Violation]
Codec = Callable[[int, int, bytes], Found]
Both = tuple[Codec, Codec]

MANY = settings(max_examples=2 * settings().max_examples)
SIDES = [(version, sender) for version in (V5, V311, V31) for sender in (CLIENT, SERVER)]


def agree(both: Both, version: int, sender: int, data: bytes) -> Found:
    """Both codecs find the same in a stream; returns it."""
    one, other = (codec(version, sender, data) for codec in both)
    assert one == other, f"level {version}, sender {sender}: {data[:300].hex()}\n fast      {one}\n reference {other}"
    return one


@pytest.mark.parametrize(("version", "sender"), SIDES)
class TestValid:
    @MANY
    @given(data=st.data())
    def test_round_trip(self, both: Both, version: int, sender: int, data: st.DataObject) -> None:
        packet = data.draw(packets(version, sender))
        encoded = fast.encode(version, packet)
        assert encoded == reference.encode(version, packet)
        assert agree(both, version, sender, encoded) == [packet]
        if isinstance(packet, Connect):
            assert agree(both, 0, sender, encoded) == [packet]
        if isinstance(packet, Auth):
            assert packet.properties is not None

    @given(data=st.data())
    def test_stream(self, both: Both, version: int, sender: int, data: st.DataObject) -> None:
        several = data.draw(st.lists(packets(version, sender), max_size=5))
        assert agree(both, version, sender, b"".join(fast.encode(version, p) for p in several)) == several


@pytest.mark.parametrize(("version", "sender"), SIDES)
class TestBroken:
    @MANY
    @given(data=st.data())
    def test_mutated(self, both: Both, version: int, sender: int, data: st.DataObject) -> None:
        raw = data.draw(mutations.mutated(version, sender))
        for found in agree(both, version, sender, raw):
            again(both, version, sender, found)

    @given(data=st.data())
    def test_a_length_that_lies(self, both: Both, version: int, sender: int, data: st.DataObject) -> None:
        agree(both, version, sender, data.draw(mutations.lying(version, sender)))

    @given(data=st.data())
    def test_fresh_connection(self, both: Both, version: int, sender: int, data: st.DataObject) -> None:
        agree(both, 0, sender, data.draw(mutations.streams(version, sender)))

    @given(data=st.data(), flags=st.integers(1, 15), cut=st.integers(0, 30))
    def test_fresh_connection_with_flags(
        self, both: Both, version: int, sender: int, data: st.DataObject, flags: int, cut: int
    ) -> None:
        made = st.builds(lambda packet: fast.encode(version, packet), packets(version, CLIENT))
        raw = data.draw(st.one_of(mutations.streams(version, sender), mutations.mutated(version, sender), made))
        raw = bytes(first | flags for first in raw[:1]) + raw[1:]
        for some in (raw, raw[:cut]):
            wanted = agree(both, 0, sender, some)
            pieces = Decoder(0, sender)
            assert [each for chunk in data.draw(mutations.chunkings(some)) for each in pieces.feed(chunk)] == wanted

    @given(body=st.binary(max_size=80), data=st.data())
    def test_random_body(self, both: Both, version: int, sender: int, body: bytes, data: st.DataObject) -> None:
        first = data.draw(mutations.headers(version, sender))
        for found in agree(both, version, sender, mutations.frame(first, body)):
            again(both, version, sender, found)

    @given(raw=st.binary(max_size=100))
    def test_random_bytes(self, both: Both, version: int, sender: int, raw: bytes) -> None:
        agree(both, version, sender, raw)


def again(both: Both, version: int, sender: int, found: Packet | Violation) -> None:
    """A packet that was accepted, however it was written, is accepted again as we write it."""
    if isinstance(found, Violation):
        return
    level = found.protocol_version if isinstance(found, Connect) else version
    encoded = fast.encode(level, found)
    assert encoded == reference.encode(level, found)
    assert agree(both, version, sender, encoded) == [found]


@pytest.mark.parametrize("go_on", [False, True], ids=["stop", "go-on"])
@pytest.mark.parametrize(("version", "sender"), [*SIDES, (0, CLIENT)])
@given(data=st.data(), maximum=st.sampled_from([268_435_460, 20, 60]))
def test_any_chunking(version: int, sender: int, go_on: bool, data: st.DataObject, maximum: int) -> None:
    raw = data.draw(mutations.streams(version or V5, sender))
    whole = Decoder(version, sender, maximum, go_on)
    wanted = whole.feed(raw)
    pieces = Decoder(version, sender, maximum, go_on)
    found = [each for chunk in data.draw(mutations.chunkings(raw)) for each in pieces.feed(chunk)]
    assert found == wanted
    assert pieces.buffered == whole.buffered
    assert pieces.version == whole.version
    if not go_on:
        assert not any(isinstance(each, Violation) for each in found[:-1])


def samples(kind: str = "legal") -> Iterator[tuple[int, int, bytes]]:
    for vector in vectors():
        if vector.kind == kind and vector.id.endswith(("/full", "/plain", "-alone")):
            yield vector.version, vector.sender, vector.data


NASTY = (
    0,
    1,
    2,
    3,
    4,
    6,
    7,
    8,
    0x0B,
    0x1F,
    0x20,
    0x23,
    0x24,
    0x26,
    0x2B,
    0x2F,
    0x7F,
    0x80,
    0x82,
    0xC0,
    0xED,
    0xF4,
    0xFF,
)


def test_each_byte_of_a_packet_replaced(both: Both) -> None:
    for version, sender, data in samples():
        for at in range(len(data)):
            for value in NASTY:
                agree(both, version, sender, data[:at] + bytes((value,)) + data[at + 1 :])


def test_each_byte_of_a_packet_left_out_or_doubled(both: Both) -> None:
    for version, sender, data in samples():
        first, body = mutations.split(data)
        for at in range(len(body)):
            agree(both, version, sender, mutations.frame(first, body[:at] + body[at + 1 :]))
            agree(both, version, sender, mutations.frame(first, body[:at] + body[at:]))
            agree(both, version, sender, mutations.frame(first, body[: at + 1] + body[at:]))


def test_all_first_bytes(both: Both) -> None:
    for version in (0, V5, V311, V31):
        for sender in (CLIENT, SERVER):
            for first in range(256):
                for rest in (b"\x00", b"\x01\x00", b"\x02\x00\x01", b"\x04\x00\x01\x00\x00", b"\x80\x00", b"\x80"):
                    agree(both, version, sender, bytes((first,)) + rest)


def test_connect_on_a_connection_of_another_version(both: Both) -> None:
    """Its first byte is judged by the connection's version, its Remaining Length and all else by its own."""
    for _, sender, data in [s for s in samples() if s[2][0] == 0x10]:
        first, body = mutations.split(data)
        for version in (0, V5, V311, V31):
            for flags in range(16):
                agree(both, version, sender, mutations.frame(first | flags, body))
                agree(both, version, sender, mutations.frame(first | flags, body[:-1]))
                padded = bytes((first | flags,)) + bytes(b | 128 for b in vbi(len(body))) + b"\x00"
                for rest in (body, body[:-1], b"\xff" + body[1:], body[:-1] + b"\xff"):
                    agree(both, version, sender, padded + rest)


def test_all_values_of_each_byte_that_is_a_code_or_bits(both: Both) -> None:
    for version, sender, data in samples():
        for at in range(2, min(len(data), 16)):
            for value in range(256):
                agree(both, version, sender, data[:at] + bytes((value,)) + data[at + 1 :])


def test_every_pair_of_bytes_in_a_string(both: Both) -> None:
    """All that two bytes can break in a Topic Name and a Topic Filter."""
    interesting = [0, 0x23, 0x2B, 0x2F, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1]
    interesting += [0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF]
    for one in interesting:
        for two in interesting:
            for three in (0x23, 0x2B, 0x2F, 0x80, 0xBF, 0x61, 0x00):
                raw = bytes((one, two, three))
                for text in (raw, raw[:2], b"/" + raw + b"\x80", b"a" + raw + b"/b"):
                    name = len(text).to_bytes(2, "big") + text
                    agree(both, V5, CLIENT, mutations.frame(0x30, name + b"\x00"))
                    agree(both, V5, CLIENT, mutations.frame(0x82, b"\x00\x01\x00" + name + b"\x00"))
                    shared = (len(text) + 7).to_bytes(2, "big") + b"$share/" + text
                    agree(both, V5, CLIENT, mutations.frame(0x82, b"\x00\x01\x00" + shared + b"\x00"))
                    agree(both, V311, CLIENT, mutations.frame(0xA2, b"\x00\x01" + shared))


# ---------------------------------------------------------------- no input needs much memory, or long


def string(text: bytes) -> bytes:
    return len(text).to_bytes(2, "big") + text


def section(content: bytes) -> bytes:
    return vbi(len(content)) + content


def hostile(size: int) -> Iterator[tuple[str, int, int, bytes]]:
    """Packets of about `size` bytes that make a decoder build as much as it can."""
    user = b"\x26\x00\x00\x00\x00"
    user_2 = b"\x26" + string(b"\xc4\x80") + string(b"\xc4\x81")
    sets = {
        "tiny-user-properties": user * (size // 5),
        "user-properties-of-a-letter": (b"\x26" + string(b"a") + string(b"b")) * (size // 7),
        "wide-user-properties": user_2 * (size // 9),
    }
    for name, content in sets.items():
        yield f"publish-{name}", V5, CLIENT, mutations.frame(0x30, string(b"t") + section(content))
        yield f"puback-{name}", V5, SERVER, mutations.frame(0x40, b"\x00\x01\x00" + section(content))
        head = b"\x00\x04MQTT\x05\x06\x00\x00\x00" + string(b"c")
        will = section(content) + string(b"w") + string(b"")
        yield f"will-{name}", V5, CLIENT, mutations.frame(0x10, head + will)
        yield f"broken-at-the-end-{name}", V5, CLIENT, mutations.frame(0x30, string(b"t") + section(content + b"\x00"))
    yield (
        "subscription-identifiers",
        V5,
        SERVER,
        mutations.frame(0x30, string(b"t") + section(b"\x0b\x01" * (size // 2))),
    )
    large = b"\x0b\xff\xff\xff\x7f" * (size // 5)
    yield "large-subscription-identifiers", V5, SERVER, mutations.frame(0x30, string(b"t") + section(large))
    for version in (V5, V311, V31):
        props = b"\x00" if version == V5 else b""
        for label, text in (("ascii", b"a"), ("wide", b"\xc4\x80"), ("astral", b"\xf0\x9f\x98\x80"), ("plus", b"+")):
            filters = (string(text) + b"\x00") * (size // (len(text) + 3))
            yield (
                f"subscriptions-{label}-{version}",
                version,
                CLIENT,
                mutations.frame(0x82, b"\x00\x01" + props + filters),
            )
            some = string(text) * (size // (len(text) + 2))
            yield f"filters-{label}-{version}", version, CLIENT, mutations.frame(0xA2, b"\x00\x01" + props + some)
        yield f"codes-{version}", version, SERVER, mutations.frame(0x90, b"\x00\x01" + props + b"\x01" * size)
    yield "unsuback-codes", V5, SERVER, mutations.frame(0xB0, b"\x00\x01\x00" + b"\x11" * size)
    plus = string(b"+/" * 30_000 + b"+") + b"\x00"
    yield "many-levels", V5, CLIENT, mutations.frame(0x82, b"\x00\x01\x00" + plus * (size // len(plus) + 1))
    for label, text in (("nul", b"\x00" * 65_535), ("continuations", b"\x80" * 65_535), ("leads", b"\xc3" * 65_535)):
        yield f"topic-{label}", V5, CLIENT, mutations.frame(0x30, string(text) + b"\x00")
    yield "wide-topic", V5, CLIENT, mutations.frame(0x30, string(b"a" * 65_531 + b"\xf0\x9f\x98\x80") + b"\x00")
    for first in (0x10, 0x30, 0x82, 0x40):
        for rest in (b"", b"\x00", b"\x00\x04MQTT\x05", b"a" * 50):
            yield f"claim-{first:02x}-{len(rest)}", V5, CLIENT, bytes((first,)) + b"\xff\xff\xff\x7f" + rest
    yield "claimed-properties", V5, CLIENT, mutations.frame(0x30, string(b"t") + b"\xff\xff\xff\x7f" + user)
    yield "payload", V5, CLIENT, mutations.frame(0x30, string(b"t") + b"\x00" + bytes(size))


def hostile_streams(size: int) -> Iterator[tuple[str, int, int, bytes]]:
    """Many small packets, for the framer; the reference is handed one at a time."""
    yield "pings", V5, CLIENT, b"\xc0\x00" * (size // 2)
    yield "small-publishes", V311, CLIENT, b"\x30\x03\x00\x01a" * (size // 5)
    yield "subscribes", V311, CLIENT, b"\x82\x06\x00\x01\x00\x01a\x00" * (size // 8)
    yield "pubacks", V5, CLIENT, b"\x40\x02\x00\x01" * (size // 4)


@pytest.mark.parametrize("size", [100, 2_000, 20_000])
def test_memory_and_time_are_bounded(codec: Codec, both: Both, size: int) -> None:
    codec(V5, CLIENT, b"\xc0\x00")
    heavy = []
    streams = hostile_streams(size) if codec is both[0] else ()
    for name, version, sender, data in (*hostile(size), *streams):
        tracemalloc.start()
        begin = time.process_time()
        try:
            codec(version, sender, data)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        spent = time.process_time() - begin
        if peak > 65_536 + 64 * len(data) or spent > 10:
            heavy.append(f"{name}: {len(data)} bytes, peak {peak / len(data):.0f} times that, {spent:.2f} s")
    assert not heavy, "\n".join(heavy)


@pytest.mark.alone
def test_a_stream_byte_by_byte_is_not_quadratic() -> None:
    def seconds(size: int) -> float:
        data = mutations.frame(0x30, string(b"t") + b"\x00" + bytes(size))
        decoder = Decoder(V5, CLIENT)
        begin = time.process_time()
        for at in range(len(data)):
            decoder.feed(data[at : at + 1])
        return time.process_time() - begin

    assert seconds(200_000) < 8 * max(seconds(50_000), 0.01)


@given(raw=st.binary(max_size=60), version=st.integers(0, 5), sender=st.sampled_from([CLIENT, SERVER]))
@hypothesis.example(raw=b"", version=5, sender=CLIENT)
def test_reference_takes_what_is_not_whole(raw: bytes, version: int, sender: int) -> None:
    """A dissector is handed anything; nothing raises."""
    level = version if version in (V31, V311, V5) else 0
    reference.decode(level, sender, raw)
    reference.parse(level, sender, raw)

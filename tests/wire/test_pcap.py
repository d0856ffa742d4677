# SPDX-License-Identifier: MIT
"""Captures: every link layer and form of file; streams put together whatever the network did to them."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterable

import pytest

from mqtt_ref.wire.pcap import CaptureError, is_capture, streams

CLIENT = (b"\x0a\0\0\x01", 40000)
SERVER = (b"\x0a\0\0\x02", 1883)
SYN, ACK, FIN = 2, 16, 1
Segment = tuple[tuple[bytes, int], tuple[bytes, int], int, int, bytes]


def tcp(segment: Segment) -> bytes:
    source, target, sequence, flags, data = segment
    head = struct.pack(">HHIIBBHHH", source[1], target[1], sequence & 0xFFFF_FFFF, 0, 5 << 4, flags, 1024, 0, 0)
    body = head + data
    if len(source[0]) == 4:
        size = 20 + len(body)
        return struct.pack(">BBHHHBBH", 0x45, 0, size, 0, 0x4000, 64, 6, 0) + source[0] + target[0] + body
    return struct.pack(">IHBB", 6 << 28, len(body), 6, 64) + source[0] + target[0] + body


def frame(link: int, packet: bytes) -> bytes:
    six = packet[0] >> 4 == 6
    ether = b"\x86\xdd" if six else b"\x08\0"
    return {
        0: struct.pack("<I", 30 if six else 2) + packet,
        1: bytes(12) + ether + packet,
        12: packet,
        101: packet,
        108: struct.pack(">I", 24 if six else 2) + packet,
        113: bytes(14) + ether + packet,
        276: ether + bytes(18) + packet,
    }[link]


def pcap(segments: Iterable[Segment], link: int = 1, order: str = "<", magic: int = 0xA1B2C3D4) -> bytes:
    out = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, link)
    for n, segment in enumerate(segments):
        data = frame(link, tcp(segment))
        out += struct.pack(order + "IIII", 5, n, len(data), len(data)) + data
    return out


def block(order: str, kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    size = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + size + body + size


def pcapng(segments: Iterable[Segment], order: str = "<", kind: int = 6) -> bytes:
    out = block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))
    options = struct.pack(order + "HHB3x", 9, 1, 9) + struct.pack(order + "HH", 0, 0)
    out += block(order, 1, struct.pack(order + "HHI", 1, 0, 65535) + options)
    for n, segment in enumerate(segments):
        data = frame(1, tcp(segment))
        if kind == 6:
            out += block(order, 6, struct.pack(order + "IIIII", 0, 0, n, len(data), len(data)) + data)
        elif kind == 3:
            out += block(order, 3, struct.pack(order + "I", len(data)) + data)
        else:
            out += block(order, 2, struct.pack(order + "HHIIII", 0, 0, 0, n, len(data), len(data)) + data)
    return out + block(order, 5, b"statistics")


def talk(base: int = 1000) -> list[Segment]:
    return [
        (CLIENT, SERVER, base, SYN, b""),
        (SERVER, CLIENT, 77, SYN | ACK, b""),
        (CLIENT, SERVER, base + 1, ACK, b"hello"),
        (SERVER, CLIENT, 78, ACK, b"yes"),
        (CLIENT, SERVER, base + 6, ACK, b" world"),
        (CLIENT, SERVER, base + 12, FIN | ACK, b""),
    ]


def joined(data: bytes) -> dict[tuple[int, int], bytes]:
    out: dict[tuple[int, int], bytes] = {}
    for chunk in streams(data):
        key = chunk.connection, chunk.source_port
        out[key] = out.get(key, b"") + b"?" * chunk.gap + chunk.data
    return out


WANTED = {(1, 40000): b"hello world", (1, 1883): b"yes"}


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("magic", [0xA1B2C3D4, 0xA1B23C4D])
@pytest.mark.parametrize("link", [0, 1, 12, 101, 108, 113, 276])
def test_file_and_link_layers(order: str, magic: int, link: int) -> None:
    data = pcap(talk(), link, order, magic)
    assert is_capture(data)
    assert joined(data) == WANTED


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", [2, 3, 6])
def test_pcapng(order: str, kind: int) -> None:
    data = pcapng(talk(), order, kind)
    assert is_capture(data)
    assert joined(data) == WANTED


def test_times() -> None:
    assert next(c.time for c in streams(pcap(talk()))) == 5_000_002_000
    assert next(c.time for c in streams(pcap(talk(), magic=0xA1B23C4D))) == 5_000_000_002
    assert next(c.time for c in streams(pcapng(talk()))) == 2


def test_ipv6_and_vlan() -> None:
    one, two = (b"\x20\x01" + bytes(13) + b"\x01", 5), (b"\x20\x01" + bytes(13) + b"\x02", 1883)
    chunk = next(streams(pcap([(one, two, 1, ACK, b"x")])))
    assert (chunk.source, chunk.target, chunk.data) == ("2001::1", "2001::2", b"x")
    packet = tcp((CLIENT, SERVER, 1, ACK, b"tagged"))
    tagged = bytes(12) + b"\x81\x00\x00\x05\x08\x00" + packet
    data = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    data += struct.pack("<IIII", 0, 0, len(tagged), len(tagged)) + tagged
    assert joined(data) == {(1, 40000): b"tagged"}


def test_ethernet_padding_is_not_data() -> None:
    short = frame(1, tcp((CLIENT, SERVER, 1, ACK, b"x"))) + bytes(20)
    data = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    assert joined(data + struct.pack("<IIII", 0, 0, len(short), len(short)) + short) == {(1, 40000): b"x"}


def test_out_of_order_and_repeated() -> None:
    syn, answer, *rest = talk()
    shuffled = [syn, answer, rest[2], rest[1], rest[0], rest[0], rest[2]]
    assert joined(pcap(shuffled)) == WANTED


def test_overlap() -> None:
    assert joined(
        pcap([
            (CLIENT, SERVER, 10, ACK, b"abc"),
            (CLIENT, SERVER, 11, ACK, b"bcde"),
            (CLIENT, SERVER, 10, ACK, b"ab"),
        ])
    ) == {(1, 40000): b"abcde"}  # fmt: skip


@pytest.mark.parametrize("seed", range(20))
def test_any_order_over_the_wrap_of_sequence_numbers(seed: int) -> None:
    draw = random.Random(seed)
    text = draw.randbytes(500)
    base = 0xFFFF_FF00
    pieces: list[Segment] = []
    at = 0
    while at < len(text):
        size = draw.randrange(1, 40)
        pieces.append((CLIENT, SERVER, base + 1 + at, ACK, text[at : at + size]))
        at += size - draw.randrange(0, min(size, 4))
    draw.shuffle(pieces)
    assert joined(pcap([(CLIENT, SERVER, base, SYN, b""), *pieces])) == {(1, 40000): text}


def test_gap_is_told() -> None:
    lost = [s for s in talk() if s[4] != b"hello"]
    chunks = [c for c in streams(pcap(lost)) if c.source_port == 40000]
    assert [(c.gap, c.data) for c in chunks] == [(5, b" world")]


def test_port_used_again() -> None:
    assert joined(pcap([*talk(), *talk(90000)])) == {
        **WANTED, (2, 40000): b"hello world", (2, 1883): b"yes",
    }  # fmt: skip


def test_what_is_no_tcp_is_passed_over() -> None:
    udp = bytearray(tcp((CLIENT, SERVER, 1, ACK, b"x")))
    udp[9] = 17
    fragment = bytearray(tcp((CLIENT, SERVER, 1, ACK, b"x")))
    fragment[7] = 1
    data = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 12)
    for packet in (bytes(udp), bytes(fragment), b"", b"\x45", b"\x00" * 30, b"\x60" * 39):
        data += struct.pack("<IIII", 0, 0, len(packet), len(packet)) + packet
    assert joined(data) == {}


@pytest.mark.parametrize("data", [b"", b"abcd", b"\xd4\xc3\xb2\xa1"])
def test_no_capture(data: bytes) -> None:
    with pytest.raises(CaptureError):
        list(streams(data))


def test_unknown_link_layer() -> None:
    data = bytearray(pcap(talk()))
    data[20] = 200
    with pytest.raises(CaptureError, match="200"):
        list(streams(bytes(data)))


@pytest.mark.parametrize("make", [pcap, pcapng])
def test_damage_raises_nothing_else(make: object) -> None:
    assert callable(make)
    whole: bytes = make(talk())
    draw = random.Random(7)
    for _ in range(500):
        data = bytearray(whole)
        for _ in range(draw.randrange(1, 6)):
            data[draw.randrange(len(data))] = draw.randrange(256)
        try:
            list(streams(bytes(data[: draw.randrange(len(data) + 1)])))
        except CaptureError:
            pass


def test_marks_say_where_a_connection_begins_and_ends() -> None:
    chunks = list(streams(pcap(talk(), 1), marks=True))
    assert [(chunk.mark, chunk.source_port) for chunk in chunks if chunk.mark] == [("open", 40000), ("close", 40000)]
    assert chunks[0].mark == "open"
    assert chunks[-1].mark == "close"
    assert not any(chunk.data for chunk in chunks if chunk.mark)
    late = list(streams(pcap(talk()[2:], 1), marks=True))
    assert [chunk.mark for chunk in late if chunk.mark] == ["close"]

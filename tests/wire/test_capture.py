# SPDX-License-Identifier: MIT
"""Captures that we write are read back the same, and are what TCP would have carried."""

from __future__ import annotations

from struct import unpack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqtt_ref.wire.capture import SEGMENT, capture
from mqtt_ref.wire.pcap import Chunk, frames, is_capture, streams

ENDS = {4: (("127.0.0.1", 50_000), ("127.0.0.1", 1883)), 6: (("::1", 50_000), ("::1", 1883))}


def chunk(data: bytes, time: int = 0, connection: int = 1, out: bool = False, ip: int = 4, gap: int = 0) -> Chunk:
    (client, port), (server, to) = ENDS[ip]
    port += connection
    if out:
        return Chunk(time, connection, server, client, to, port, data, gap)
    return Chunk(time, connection, client, server, port, to, data, gap)


@given(
    st.lists(st.tuples(st.integers(1, 3), st.booleans(), st.binary(min_size=1, max_size=20)), max_size=20),
    st.sampled_from([4, 6]),
)
def test_what_was_said_is_read_back(said: list[tuple[int, bool, bytes]], ip: int) -> None:
    number: dict[int, int] = {}
    chunks = [
        chunk(data, time, number.setdefault(connection, len(number) + 1), out, ip)
        for time, (connection, out, data) in enumerate(said)
    ]
    data = capture(chunks)
    assert is_capture(data)
    assert list(streams(data)) == chunks


def test_gaps_stay_gaps() -> None:
    chunks = [chunk(b"one"), chunk(b"three", 1, gap=3), chunk(b"four", 2)]
    assert [one.gap for one in streams(capture(chunks))] == [0, 3, 0]
    assert b"".join(one.data for one in streams(capture(chunks))) == b"onethreefour"


def test_a_large_packet_becomes_several_segments() -> None:
    data = bytes(range(256)) * (3 * SEGMENT // 256) + b"rest"
    found = list(streams(capture([chunk(data)])))
    assert [len(one.data) for one in found] == [SEGMENT, SEGMENT, SEGMENT, 4]
    assert b"".join(one.data for one in found) == data


@pytest.mark.parametrize("ip", [4, 6])
def test_checksums_are_right(ip: int) -> None:
    """The sum over what a checksum covers, itself included, is all ones."""

    def total(data: bytes) -> int:
        data += bytes(len(data) % 2)
        value = sum(unpack(f"!{len(data) // 2}H", data))
        while value > 0xFFFF:
            value = (value >> 16) + (value & 0xFFFF)
        return value

    seen = [frame for _, _, frame in frames(capture([chunk(b"odd", ip=ip), chunk(b"even", out=True, ip=ip)]))]
    assert len(seen) == 3 + 2 + 3
    for frame in seen:
        if ip == 4:
            assert total(frame[:20]) == 0xFFFF
        addresses, segment = (frame[12:20], frame[20:]) if ip == 4 else (frame[8:40], frame[40:])
        assert total(addresses + len(segment).to_bytes(4, "big") + (6).to_bytes(4, "big") + segment) == 0xFFFF


def test_two_versions_of_ip_in_one_connection() -> None:
    with pytest.raises(ValueError, match="must both be IPv4 or both be IPv6"):
        capture([Chunk(0, 1, "127.0.0.1", "::1", 1, 2, b"x")])


def test_a_capture_of_nothing() -> None:
    assert list(streams(capture([]))) == []

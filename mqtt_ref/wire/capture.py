# SPDX-License-Identifier: MIT
"""Writes packet captures: the traffic of clients and broker as a pcap file that Wireshark and tshark read as MQTT."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from itertools import pairwise
from struct import Struct, pack, unpack
from typing import Final

from mqtt_ref.wire.pcap import NANOSECONDS, TCP, Chunk

__all__ = ["SEGMENT", "capture"]

RAW: Final = 101
"""The link layer of the file: bare IP packets."""
LONGEST: Final = 262_144
SEGMENT: Final = 32_768
"""Largest payload of a segment in bytes; a larger chunk becomes several segments."""
FIN, SYN, PSH, ACK = 1, 2, 8, 16
WINDOW: Final = 65_535
_RECORD: Final = Struct("<IIII")
_TCP: Final = Struct("!HHIIBBHHH")


def capture(chunks: Iterable[Chunk]) -> bytes:
    """Return a pcap file of the chunks, which must be in the order of their times. `wire.pcap.streams` reads it.

    A TCP handshake and end are added to each connection, so that it does not look cut off. Gaps remain.

    Raises:
        ValueError: an address is invalid, or one address is IPv4 and the other IPv6.
    """
    chunks = list(chunks)
    last = {chunk.connection: at for at, chunk in enumerate(chunks)}
    flows: dict[int, _Flow] = {}
    file = [pack("<IHHiIII", NANOSECONDS, 2, 4, 0, 0, LONGEST, RAW)]
    for at, chunk in enumerate(chunks):
        frames: list[bytes] = []
        flow = flows.get(chunk.connection)
        if flow is None:
            flow = flows[chunk.connection] = _Flow(chunk)
            frames += flow.begin()
        frames += flow.say(chunk)
        if last[chunk.connection] == at:
            frames += flow.end()
        seconds, nanoseconds = divmod(chunk.time, 1_000_000_000)
        for frame in frames:
            file += [_RECORD.pack(seconds, nanoseconds, len(frame), len(frame)), frame]
    return b"".join(file)


class _Flow:
    """Makes the TCP segments of a connection. The side that sends first is assumed to have opened it."""

    def __init__(self, chunk: Chunk) -> None:
        self.ends = (
            (ip_address(chunk.source).packed, chunk.source_port),
            (ip_address(chunk.target).packed, chunk.target_port),
        )
        if len(self.ends[0][0]) != len(self.ends[1][0]):
            raise ValueError(f"{chunk.source} and {chunk.target} must both be IPv4 or both be IPv6 addresses")
        start = chunk.connection * 0x9E37_79B1 & 0xFFFF_FFFF
        self.sequence = [start, start ^ 0x8000_0000]

    def begin(self) -> Iterator[bytes]:
        yield self._packet(0, SYN)
        self._advance(0, 1)
        yield self._packet(1, SYN | ACK)
        self._advance(1, 1)
        yield self._packet(0, ACK)

    def say(self, chunk: Chunk) -> Iterator[bytes]:
        source = ip_address(chunk.source).packed, chunk.source_port
        side = 0 if source == self.ends[0] else 1
        self._advance(side, chunk.gap)
        cuts = [*range(0, len(chunk.data), SEGMENT), len(chunk.data)]
        for start, stop in pairwise(cuts):
            yield self._packet(side, PSH | ACK, chunk.data[start:stop])
            self._advance(side, stop - start)

    def end(self) -> Iterator[bytes]:
        for side in (0, 1):
            yield self._packet(side, FIN | ACK)
            self._advance(side, 1)
        yield self._packet(0, ACK)

    def _advance(self, side: int, count: int) -> None:
        self.sequence[side] = self.sequence[side] + count & 0xFFFF_FFFF

    def _packet(self, side: int, flags: int, data: bytes = b"") -> bytes:
        (source, source_port), (target, target_port) = self.ends[side], self.ends[1 - side]
        acknowledged = self.sequence[1 - side] if flags & ACK else 0
        fields = [source_port, target_port, self.sequence[side], acknowledged, 5 << 4, flags, WINDOW, 0, 0]
        size = _TCP.size + len(data)
        fields[-2] = _checksum(source + target + pack("!II", size, TCP) + _TCP.pack(*fields) + data)
        return _ip(source, target, size) + _TCP.pack(*fields) + data


def _ip(source: bytes, target: bytes, size: int) -> bytes:
    """Return the IP header of a segment of `size` bytes."""
    if len(source) == 16:
        return pack("!IHBB", 6 << 28, size, TCP, 64) + source + target
    head = [pack("!BBHHHBB", 0x45, 0, 20 + size, 0, 0x4000, 64, TCP), source + target]
    return head[0] + pack("!H", _checksum(b"".join(head))) + head[1]


def _checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    data += bytes(len(data) % 2)
    total: int = sum(unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total >> 16) + (total & 0xFFFF)
    return total ^ 0xFFFF

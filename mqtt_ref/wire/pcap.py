# SPDX-License-Identifier: MIT
"""Packet captures: the TCP streams inside a pcap or pcapng file, put together in the order of their bytes."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from struct import Struct, error
from typing import Final, NamedTuple

__all__ = ["CaptureError", "Chunk", "is_capture", "streams"]

MICROSECONDS: Final = 0xA1B2C3D4
NANOSECONDS: Final = 0xA1B23C4D
SECTION: Final = b"\x0a\x0d\x0d\x0a"
MAGIC: Final = {
    number.to_bytes(4, order): (order, unit)
    for number, unit in ((MICROSECONDS, 1000), (NANOSECONDS, 1))
    for order in ("little", "big")
}
NULL, ETHERNET, LOOP, COOKED, COOKED2 = 0, 1, 108, 113, 276
RAW_IP: Final = frozenset({12, 14, 101, 228, 229})
VLAN: Final = frozenset({0x8100, 0x88A8, 0x9100})
TCP: Final = 6
EXTENSIONS: Final = frozenset({0, 43, 60})
HELD: Final = 4096
"""Segments out of order that a stream holds; beyond it, the bytes before them are taken as lost."""

Address = tuple[bytes, int]


class CaptureError(ValueError):
    """The file is no capture that can be read: says why."""


class Chunk(NamedTuple):
    """Bytes that one side of a connection sent, in order. `gap` bytes before them are missing in the capture.

    One without bytes has a `mark`: `open` for the first segment of a connection, `close` for the end or reset by the
    side that sent it.
    """

    time: int
    connection: int
    source: str
    target: str
    source_port: int
    target_port: int
    data: bytes
    gap: int = 0
    mark: str = ""


def is_capture(data: bytes) -> bool:
    """Whether these are the first bytes of a pcap or pcapng file."""
    return data[:4] in MAGIC or data[:4] == SECTION


def streams(data: bytes, marks: bool = False) -> Iterator[Chunk]:
    """The bytes of all TCP streams as they became readable for the receiver, in the order of the capture.

    With `marks`, also where each begins and ends, as far as that was captured.

    Raises:
        CaptureError: the file is none, or its link layer is not known.
    """
    flows: dict[tuple[Address, Address], _Flow] = {}
    count = 0
    time = 0
    for time, link, frame in frames(data):
        segment = _segment(link, frame)
        if segment is None:
            continue
        key = segment.source, segment.target
        flow = flows.get(key)
        if flow is None or (segment.syn and not segment.ack and flow.started and segment.sequence != flow.first):
            back = flows.get((segment.target, segment.source))
            if flow is None and back is not None and not (segment.syn and not segment.ack):
                flow = _Flow(back.number)
            else:
                if flow is not None:
                    yield from flow.rest(time)
                if back is not None:
                    yield from back.rest(time)
                    del flows[segment.target, segment.source]
                count += 1
                flow = _Flow(count)
            flows[key] = flow
        if marks and segment.syn and not segment.ack and not flow.started:
            yield flow.mark(time, segment, "open")
        yield from flow.take(time, segment)
        if marks and segment.last and not flow.ended:
            flow.ended = True
            yield flow.mark(time, segment, "close")
    for flow in flows.values():
        yield from flow.rest(time)


def frames(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Time in nanoseconds, link type and bytes of each captured frame; a file that ends in a frame ends before it.

    Raises:
        CaptureError: the file is none.
    """
    if data[:4] == SECTION:
        yield from _blocks(data)
        return
    if data[:4] not in MAGIC:
        raise CaptureError("this is no pcap or pcapng file")
    order, unit = MAGIC[data[:4]]
    mark = "<" if order == "little" else ">"
    if len(data) < 24:
        raise CaptureError("the header of the capture is cut off")
    link = Struct(mark + "I").unpack_from(data, 20)[0] & 0x0FFF_FFFF
    header = Struct(mark + "IIII")
    pos = 24
    while pos + 16 <= len(data):
        seconds, fraction, size, _ = header.unpack_from(data, pos)
        pos += 16
        if pos + size > len(data):
            return
        yield seconds * 1_000_000_000 + fraction * unit, link, data[pos : pos + size]
        pos += size


def _blocks(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """The frames of a pcapng file: enhanced, simple and obsolete packet blocks."""
    mark = "<"
    links: list[tuple[int, int]] = []
    pos = 0
    while pos + 12 <= len(data):
        if data[pos : pos + 4] == SECTION:
            mark = "<" if data[pos + 8 : pos + 12] == b"\x4d\x3c\x2b\x1a" else ">"
            links = []
        kind, size = Struct(mark + "II").unpack_from(data, pos)
        if size < 12 or size % 4 or pos + size > len(data):
            return
        body = data[pos + 8 : pos + size - 4]
        pos += size
        try:
            if kind == 1:
                links.append((Struct(mark + "H").unpack_from(body)[0], _resolution(body[8:], mark)))
            elif kind == 6:
                where, high, low, size, _ = Struct(mark + "IIIII").unpack_from(body)
                link, per_second = links[where]
                yield (high << 32 | low) * 1_000_000_000 // per_second, link, body[20 : 20 + size]
            elif kind == 3:
                yield 0, links[0][0], body[4 : 4 + Struct(mark + "I").unpack_from(body)[0]]
            elif kind == 2:
                where, _, high, low, size, _ = Struct(mark + "HHIIII").unpack_from(body)
                link, per_second = links[where]
                yield (high << 32 | low) * 1_000_000_000 // per_second, link, body[20 : 20 + size]
        except (error, IndexError):
            raise CaptureError("a block of the capture is damaged") from None


def _resolution(options: bytes, mark: str) -> int:
    """Units of time per second of an interface: option 9, else microseconds."""
    pos = 0
    while pos + 4 <= len(options):
        code, size = Struct(mark + "HH").unpack_from(options, pos)
        if code == 0:
            break
        if code == 9 and size == 1 and pos + 4 < len(options):
            value = options[pos + 4]
            return int(2 ** (value & 127)) if value & 128 else int(10**value)
        pos += 4 + (size + 3 & ~3)
    return 1_000_000


class _Segment(NamedTuple):
    source: Address
    target: Address
    sequence: int
    syn: bool
    ack: bool
    last: bool
    data: bytes


def _segment(link: int, frame: bytes) -> _Segment | None:
    """The TCP segment in a frame, or None where it holds another thing."""
    if link == ETHERNET:
        pos, kind = 14, int.from_bytes(frame[12:14], "big")
        while kind in VLAN:
            kind = int.from_bytes(frame[pos + 2 : pos + 4], "big")
            pos += 4
        packet = frame[pos:] if kind in (0x0800, 0x86DD) else b""
    elif link in (NULL, LOOP):
        packet = frame[4:]
    elif link == COOKED:
        packet = frame[16:] if frame[14:16] in (b"\x08\x00", b"\x86\xdd") else b""
    elif link == COOKED2:
        packet = frame[20:] if frame[:2] in (b"\x08\x00", b"\x86\xdd") else b""
    elif link in RAW_IP:
        packet = frame
    else:
        raise CaptureError(
            f"link type {link} of the capture is not known; Ethernet, loopback, raw IP and Linux cooked are"
        )
    if not packet:
        return None
    if packet[0] >> 4 == 4 and len(packet) >= 20:
        return _ipv4(packet)
    if packet[0] >> 4 == 6 and len(packet) >= 40:
        return _ipv6(packet)
    return None


def _ipv4(packet: bytes) -> _Segment | None:
    head = (packet[0] & 15) * 4
    total = int.from_bytes(packet[2:4], "big") or len(packet)  # 0: cut into frames by the network card
    fragment = int.from_bytes(packet[6:8], "big") & 0x3FFF
    if packet[9] != TCP or fragment or head < 20:
        return None
    return _tcp(packet[12:16], packet[16:20], packet[head:total])


def _ipv6(packet: bytes) -> _Segment | None:
    size = int.from_bytes(packet[4:6], "big")
    end = 40 + size if size else len(packet)
    kind, pos = packet[6], 40
    while kind in EXTENSIONS and pos + 2 <= len(packet):
        kind, pos = packet[pos], pos + 8 + packet[pos + 1] * 8
    return _tcp(packet[8:24], packet[24:40], packet[pos:end]) if kind == TCP else None


def _tcp(source: bytes, target: bytes, segment: bytes) -> _Segment | None:
    if len(segment) < 20:
        return None
    head = (segment[12] >> 4) * 4
    if head < 20:
        return None
    return _Segment(
        (source, int.from_bytes(segment[:2], "big")),
        (target, int.from_bytes(segment[2:4], "big")),
        int.from_bytes(segment[4:8], "big"),
        bool(segment[13] & 2),
        bool(segment[13] & 16),
        bool(segment[13] & 5),
        segment[head:],
    )


class _Flow:
    """One direction of a connection, put in order by sequence numbers."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.started = False
        self.ended = False
        self.first = 0
        self.next = 0
        self.early: dict[int, _Segment] = {}

    def take(self, time: int, segment: _Segment) -> Iterator[Chunk]:
        """What a segment makes readable: itself, unless seen before or early, and what waited for it."""
        if not self.started:
            self.started = True
            self.first = segment.sequence
            self.next = segment.sequence + 1 & 0xFFFF_FFFF if segment.syn else segment.sequence
        if not segment.data:
            return
        at = segment.sequence + 1 & 0xFFFF_FFFF if segment.syn else segment.sequence
        known = self.early.get(at)
        if known is None or len(known.data) < len(segment.data):
            self.early[at] = segment
        yield from self._ready(time)
        if len(self.early) > HELD:
            yield from self.rest(time)

    def rest(self, time: int) -> Iterator[Chunk]:
        """What still waits, each after the gap that the capture has there."""
        while self.early:
            ahead, at = min((_ahead(at, self.next), at) for at in self.early)
            if ahead > 0:
                segment = self.early.pop(at)
                self.next = at + len(segment.data) & 0xFFFF_FFFF
                yield self._chunk(time, segment, segment.data, ahead)
            yield from self._ready(time)

    def mark(self, time: int, segment: _Segment, mark: str) -> Chunk:
        """Where the connection begins or ends."""
        return self._chunk(time, segment, b"", 0)._replace(mark=mark)

    def _ready(self, time: int) -> Iterator[Chunk]:
        while self.early:
            at = next((at for at in self.early if _ahead(at, self.next) <= 0), None)
            if at is None:
                return
            segment = self.early.pop(at)
            new = segment.data[-_ahead(at, self.next) :]
            if new:
                self.next = self.next + len(new) & 0xFFFF_FFFF
                yield self._chunk(time, segment, new, 0)

    def _chunk(self, time: int, segment: _Segment, data: bytes, gap: int) -> Chunk:
        source, target = segment.source, segment.target
        return Chunk(
            time, self.number, str(ip_address(source[0])), str(ip_address(target[0])), source[1], target[1], data, gap
        )


def _ahead(sequence: int, expected: int) -> int:
    """How far a sequence number lies ahead of the expected one; below 0: behind. Numbers wrap at 2**32."""
    return (sequence - expected + 0x8000_0000 & 0xFFFF_FFFF) - 0x8000_0000

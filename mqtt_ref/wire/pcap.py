# SPDX-License-Identifier: MIT
"""Reads packet captures: the TCP streams of a pcap or pcapng file, with their bytes in order."""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct, error
from typing import Final

from mqtt_ref.wire.reassembly import Chunk, Reassembly, Segment

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
FIN, SYN, RST, ACK = 1, 2, 4, 16
EXTENSIONS: Final = frozenset({0, 43, 60})


class CaptureError(ValueError):
    """The file is not a capture that can be read. The text says why."""


def is_capture(data: bytes) -> bool:
    """True if `data` begins like a pcap or pcapng file."""
    return data[:4] in MAGIC or data[:4] == SECTION


def streams(data: bytes, marks: bool = False) -> Iterator[Chunk]:
    """Yield the bytes of all TCP streams in the order in which the receivers could read them.

    Records may be out of order, duplicated or missing. Sequence numbers give the order within a direction,
    acknowledgements the order between the two directions, and both show which bytes were not captured. With `marks`,
    chunks without bytes mark where a connection begins and ends and where bytes are missing; such a hole is yielded
    directly after the last byte before it.

    Raises:
        CaptureError: the file is not a capture, or its link layer is not known.
    """
    found = Reassembly()
    for time, link, frame, size in _captured(data):
        segment = _segment(link, frame, size)
        if segment is not None:
            found.add(time, segment)
    gaps: dict[tuple[int, str, int], int] = {}
    for chunk in found.chunks():
        if marks:
            yield chunk
        elif chunk.mark == "hole":
            key = chunk.connection, chunk.source, chunk.source_port
            gaps[key] = gaps.get(key, 0) + chunk.gap
        elif chunk.data:
            yield chunk._replace(gap=gaps.pop((chunk.connection, chunk.source, chunk.source_port), 0))


def frames(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield time (nanoseconds), link type and bytes of each captured frame. A last frame that is cut off is dropped.

    Raises:
        CaptureError: the file is not a capture.
    """
    for time, link, frame, _ in _captured(data):
        yield time, link, frame


def _captured(data: bytes) -> Iterator[tuple[int, int, bytes, int]]:
    """Yield the same, and the size of each frame on the wire. The captured bytes may be fewer."""
    if data[:4] == SECTION:
        yield from _blocks(data)
        return
    if data[:4] not in MAGIC:
        raise CaptureError("this is not a pcap or pcapng file")
    order, unit = MAGIC[data[:4]]
    mark = "<" if order == "little" else ">"
    if len(data) < 24:
        raise CaptureError("the header of the capture is cut off")
    link = Struct(mark + "I").unpack_from(data, 20)[0] & 0x0FFF_FFFF
    header = Struct(mark + "IIII")
    pos = 24
    while pos + 16 <= len(data):
        seconds, fraction, size, whole = header.unpack_from(data, pos)
        pos += 16
        if pos + size > len(data):
            return
        yield seconds * 1_000_000_000 + fraction * unit, link, data[pos : pos + size], whole
        pos += size


def _blocks(data: bytes) -> Iterator[tuple[int, int, bytes, int]]:
    """Yield the frames of a pcapng file: enhanced, simple and obsolete packet blocks."""
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
                where, high, low, size, whole = Struct(mark + "IIIII").unpack_from(body)
                link, per_second = links[where]
                yield (high << 32 | low) * 1_000_000_000 // per_second, link, body[20 : 20 + size], whole
            elif kind == 3:
                whole = Struct(mark + "I").unpack_from(body)[0]
                yield 0, links[0][0], body[4 : 4 + whole], whole
            elif kind == 2:
                where, _, high, low, size, whole = Struct(mark + "HHIIII").unpack_from(body)
                link, per_second = links[where]
                yield (high << 32 | low) * 1_000_000_000 // per_second, link, body[20 : 20 + size], whole
        except (error, IndexError):
            raise CaptureError("a block of the capture is damaged") from None


def _resolution(options: bytes, mark: str) -> int:
    """Return the time units per second of an interface: from option 9, else microseconds."""
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


def _segment(link: int, frame: bytes, size: int) -> Segment | None:
    """Return the TCP segment of a frame, or None if it holds something else. `size` is the frame's size on the wire."""
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
            f"link type {link} of the capture is not known; known are Ethernet, loopback, raw IP and Linux cooked"
        )
    if not packet:
        return None
    whole = max(len(packet), size - (len(frame) - len(packet)))
    if packet[0] >> 4 == 4 and len(packet) >= 20:
        return _ipv4(packet, whole)
    if packet[0] >> 4 == 6 and len(packet) >= 40:
        return _ipv6(packet, whole)
    return None


def _ipv4(packet: bytes, whole: int) -> Segment | None:
    head = (packet[0] & 15) * 4
    total = int.from_bytes(packet[2:4], "big") or whole  # 0: the network card cuts the packet into frames
    fragment = int.from_bytes(packet[6:8], "big") & 0x3FFF
    if packet[9] != TCP or fragment or head < 20:
        return None
    return _tcp(packet[12:16], packet[16:20], packet[head:total], total - head)


def _ipv6(packet: bytes, whole: int) -> Segment | None:
    size = int.from_bytes(packet[4:6], "big")
    end = 40 + size if size else whole
    kind, pos = packet[6], 40
    while kind in EXTENSIONS and pos + 2 <= len(packet):
        kind, pos = packet[pos], pos + 8 + packet[pos + 1] * 8
    return _tcp(packet[8:24], packet[24:40], packet[pos:end], end - pos) if kind == TCP else None


def _tcp(source: bytes, target: bytes, segment: bytes, size: int) -> Segment | None:
    if len(segment) < 20:
        return None
    head = (segment[12] >> 4) * 4
    if head < 20:
        return None
    flags = segment[13]
    return Segment(
        (source, int.from_bytes(segment[:2], "big")),
        (target, int.from_bytes(segment[2:4], "big")),
        int.from_bytes(segment[4:8], "big"),
        int.from_bytes(segment[8:12], "big") if flags & ACK else -1,
        bool(flags & SYN),
        bool(flags & FIN),
        bool(flags & RST),
        max(0, size - head),
        segment[head:],
    )

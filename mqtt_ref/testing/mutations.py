# SPDX-License-Identifier: MIT
"""Hypothesis strategies that damage valid packets, and that split a stream into chunks."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from mqtt_ref.testing.strategies import packets
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.primitives import vbi

__all__ = [
    "NASTY",
    "chunkings",
    "encodings",
    "frame",
    "headers",
    "lying",
    "mutated",
    "split",
    "streams",
]

NASTY: Final = (
    b"\x00",
    b"\x7f",
    b"\x80",
    b"\xff",
    b"+",
    b"#",
    b"/",
    b"\x00\x00",
    b"\xff\xff",
    b"\x80\x00",
    b"\xff\xff\xff\x7f",
    b"\x80\x80\x80\x80\x01",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xef\xbb\xbf",
    b"\x00\x07$share/",
    b"\x26\x00\x00\x00\x00",
    b"\x1f\x00\x00",
    b"\x0b\x00",
    b"\x23\x00\x00",
)
"""Bytes with a meaning somewhere in a packet, to insert where they do not belong."""


def frame(first: int, body: bytes) -> bytes:
    """Return a packet with this first byte and body, and the correct Remaining Length."""
    return bytes((first,)) + vbi(len(body)) + body


def split(packet: bytes) -> tuple[int, bytes]:
    """Return the first byte and the body of a complete packet."""
    pos = 1
    while packet[pos] > 127:
        pos += 1
    return packet[0], packet[pos + 1 :]


def headers(version: int, sender: int) -> SearchStrategy[int]:
    """First bytes of packets: most are those that `sender` may send, some are random."""
    known = packets(version, sender).map(lambda packet: encode(version, packet)[0])
    return known | st.integers(0, 255)


def encodings(version: int, sender: int) -> SearchStrategy[bytes]:
    """Valid packets, encoded."""
    return packets(version, sender).map(lambda packet: encode(version, packet))


@st.composite
def mutated(draw: DrawFn, version: int, sender: int) -> bytes:
    """A valid packet, changed in a few places. Its Remaining Length is correct."""
    first, raw = split(draw(encodings(version, sender)))
    body = bytearray(raw)
    for _ in range(draw(st.integers(1, 3))):
        how = draw(st.sampled_from(["flip", "set", "cut", "extend", "insert", "delete", "splice", "repeat", "nasty"]))
        at = draw(st.integers(0, max(len(body) - 1, 0)))
        end = draw(st.integers(at, min(len(body), at + 12)))
        if how == "flip" and body:
            body[at] ^= 1 << draw(st.integers(0, 7))
        elif how == "set" and body:
            body[at] = draw(st.integers(0, 255))
        elif how == "cut":
            del body[at:]
        elif how == "extend":
            body += draw(st.binary(min_size=1, max_size=6))
        elif how == "insert":
            body[at:at] = draw(st.binary(min_size=1, max_size=4))
        elif how == "delete":
            del body[at:end]
        elif how == "splice":
            _, other = split(draw(encodings(version, sender)))
            body[at:end] = other[draw(st.integers(0, max(len(other) - 1, 0))) :]
        elif how == "repeat":
            body[at:at] = body[at:end]
        else:
            body[at:end] = draw(st.sampled_from(NASTY))
    if draw(st.integers(0, 19)) == 0:
        first = draw(st.integers(0, 255))
    return frame(first, bytes(body))


@st.composite
def lying(draw: DrawFn, version: int, sender: int) -> bytes:
    """A packet with a Remaining Length that may be too large or too small, or encoded in too many bytes."""
    first, body = split(draw(encodings(version, sender)))
    size = draw(st.sampled_from([0, max(len(body) - 1, 0), len(body), len(body) + 1, 2 * len(body), 268_435_455]))
    length = vbi(size)
    more = draw(st.integers(0, 4))
    if more:
        length = bytes(b | 128 for b in length) + b"\x80" * (more - 1) + draw(st.sampled_from([b"\x00", b"\x01"]))
    return bytes((first,)) + length + body


def streams(version: int, sender: int) -> SearchStrategy[bytes]:
    """Several packets in a row. Some of them are damaged."""
    one = encodings(version, sender) | encodings(version, sender) | mutated(version, sender) | lying(version, sender)
    return st.lists(one, min_size=1, max_size=6).map(b"".join)


@st.composite
def chunkings(draw: DrawFn, data: bytes) -> list[bytes]:
    """The same bytes in chunks. Some chunks are empty."""
    places: Any = st.lists(st.integers(0, len(data)), max_size=8)
    cuts = sorted(draw(places))
    if draw(st.booleans()) and len(data) < 64:
        cuts = list(range(len(data) + 1))
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]

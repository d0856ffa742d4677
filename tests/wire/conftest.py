# SPDX-License-Identifier: MIT
"""Both codecs behind one face: bytes in, packets and at most one violation out."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mqtt_ref.wire import reference
from mqtt_ref.wire.framing import Decoder
from mqtt_ref.wire.packets import Connect, Packet
from mqtt_ref.wire.violation import Violation

Found = list[Packet | Violation]
Codec = Callable[[int, int, bytes], Found]


def by_fast(version: int, sender: int, data: bytes) -> Found:
    """What the framer and the fast codec make of a stream."""
    return Decoder(version, sender).feed(data)


def size_of_first(data: bytes) -> int:
    """Bytes of the first packet of a stream; 0 where its Remaining Length is none, or not there yet."""
    size = 0
    for at in range(4):
        if 1 + at >= len(data):
            return 0
        size |= (data[1 + at] & 127) << 7 * at
        if data[1 + at] < 128:
            return 2 + at + size
    return 0


def by_reference(version: int, sender: int, data: bytes) -> Found:
    """The same by the reference codec, which knows whole packets only, and a framer of a few lines."""
    out: Found = []
    while data:
        size = size_of_first(data)
        whole = 0 < size <= len(data)
        found = reference.decode(version, sender, data[:size] if whole else data)
        if not whole:
            # What breaks in the fixed header is known already; for all else the rest is waited for, and a CONNECT has
            # to say its version before its Remaining Length is too long for it.
            if isinstance(found, Violation) and found.field in ("fixed_header", "remaining_length"):
                endless = len(data) > 4 and min(data[1:5]) > 127
                if found.field == "fixed_header" or endless or (size and data[0] >> 4 != Connect.TYPE):
                    out.append(found)
            return out
        out.append(found)
        if isinstance(found, Violation):
            return out
        if isinstance(found, Connect):
            version = found.protocol_version
        data = data[size:]
    return out


@pytest.fixture(scope="session", params=["fast", "reference"])
def codec(request: pytest.FixtureRequest) -> Codec:
    """Each codec in turn."""
    return by_fast if request.param == "fast" else by_reference


@pytest.fixture(scope="session")
def both() -> tuple[Codec, Codec]:
    """The fast codec and the reference."""
    return by_fast, by_reference

# SPDX-License-Identifier: MIT
"""Counts the parts of a packet before it is decoded: Topic Filters and User Properties.

Each part becomes an object, and a packet of some megabytes can have millions of them.
"""

from __future__ import annotations

from typing import Final

from mqtt_ref.wire.generated.codes import (
    AUTH,
    CONNECT,
    DISCONNECT,
    PROPERTY_SIZES,
    PUBACK,
    PUBCOMP,
    PUBLISH,
    PUBREC,
    PUBREL,
    SUBSCRIBE,
    UNSUBSCRIBE,
)
from mqtt_ref.wire.primitives import V5, read_vbi

__all__ = ["SMALLEST", "too_many"]

SMALLEST: Final = 3
"""Bytes of the smallest part: a Topic Filter of one character in an UNSUBSCRIBE."""
LEVELS: Final = 10
"""Levels that the filters of a packet may have on average, if it has as many filters as it may."""
USER_PROPERTY: Final = 0x26
WILL: Final = 0x04
"""Connect flag."""


def too_many(version: int, data: bytes, kind: int, qos: int, pos: int, end: int, most: int) -> bool:
    """Return True if a packet from a client has more than `most` parts of one kind.

    Its variable header begins at `pos`, and it ends at `end`. A malformed packet has as many as can be read. Filters
    with very many levels are too many, too, since each level is work.
    """
    if kind == CONNECT:
        pos += 2 + _length(data, pos, end)
        if pos + 4 > end or data[pos] != V5:
            return False
        flags = data[pos + 1]
        stop = _properties_end(data, pos + 4, end)
        if _user_properties(data, pos + 4, stop, most) > most:
            return True
        if not flags & WILL:
            return False
        pos = stop + 2 + _length(data, stop, end)
        return _user_properties(data, pos, _properties_end(data, pos, end), most) > most
    if kind in (SUBSCRIBE, UNSUBSCRIBE):
        pos += 2
        if version == V5:
            stop = _properties_end(data, pos, end)
            if _user_properties(data, pos, stop, most) > most:
                return True
            pos = stop
        if data.count(b"/", pos, end) > most * LEVELS:
            return True
        count = 0
        options = 1 if kind == SUBSCRIBE else 0
        while pos < end and count <= most:
            pos += 2 + _length(data, pos, end) + options
            count += 1
        return count > most
    if version != V5:
        return False
    if kind == PUBLISH:
        pos += 2 + _length(data, pos, end) + (2 if qos else 0)
    elif kind in (PUBACK, PUBREC, PUBREL, PUBCOMP):
        pos += 3
    elif kind in (DISCONNECT, AUTH):
        pos += 1
    else:
        return False
    return _user_properties(data, pos, _properties_end(data, pos, end), most) > most


def _length(data: bytes, pos: int, end: int) -> int:
    """Return the length of a string or of Binary Data."""
    return data[pos] << 8 | data[pos + 1] if pos + 2 <= end else 0


def _properties_end(data: bytes, pos: int, end: int) -> int:
    """Return where the properties end whose Property Length is at `pos`."""
    packed = read_vbi(data, pos, end, False) if pos < end else -1
    return end if packed < 0 else min(end, pos + (packed & 7) + (packed >> 3))


def _user_properties(data: bytes, pos: int, end: int, most: int) -> int:
    """Count the User Properties between the Property Length at `pos` and `end`, up to one more than `most`."""
    packed = read_vbi(data, pos, end, False) if pos < end else -1
    if packed < 0:
        return 0
    pos += packed & 7
    count = 0
    while pos < end and count <= most:
        identifier = data[pos]
        size = PROPERTY_SIZES.get(identifier, end)  # unknown: the decoder says so
        pos += 1
        if size > 0:
            pos += size
        elif identifier == USER_PROPERTY:
            count += 1
            pos += 2 + _length(data, pos, end)
            pos += 2 + _length(data, pos, end)
        elif size == 0:
            pos += 2 + _length(data, pos, end)
        else:
            packed = read_vbi(data, pos, end, False)
            if packed < 0:
                break
            pos += packed & 7
    return count

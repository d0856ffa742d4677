# SPDX-License-Identifier: MIT
"""The wire types: reads variable byte integers, strings, topic names and filters, and finds the byte that is wrong."""

from __future__ import annotations

from typing import Final

__all__ = [
    "CLIENT",
    "MAXIMUM_PACKET_SIZE",
    "NAMES",
    "SERVER",
    "V5",
    "V31",
    "V311",
    "check_filter",
    "check_name",
    "check_text",
    "filter_text",
    "ill_formed_at",
    "name_text",
    "read_vbi",
    "text",
    "vbi",
]

V31: Final = 3
V311: Final = 4
V5: Final = 5
CLIENT: Final = 0
SERVER: Final = 1
MAXIMUM_PACKET_SIZE: Final = 268_435_460
"""Size of the largest possible packet in bytes: 1 + 4 + 268,435,455."""

# The kinds of breach of a string. They index the `TextRules` that generated code passes to `broken_text`.
FINE: Final = 0
ILL_FORMED: Final = 1
NULL: Final = 2
EMPTY: Final = 3
WILDCARD: Final = 4
HASH: Final = 5
PLUS: Final = 6
SHARE_EMPTY: Final = 7
SHARE_FORM: Final = 8

NAMES: Final[dict[bytes, str]] = {}
"""Cache of recent Topic Names that are valid. `name_text` adds short ones only, so the memory is bounded."""

_KEPT: Final = 4096
_LONGEST: Final = 128
_SHARE: Final = b"$share/"
_SHORT: Final = tuple(bytes((value,)) for value in range(128))
"""Variable Byte Integers of one byte, by value."""
_LONGER: Final = tuple(bytes((value | 128,)) for value in range(128))
"""The same bytes with the continuation bit."""


def vbi(value: int) -> bytes:
    """Return a Variable Byte Integer with the fewest bytes.

    Raises:
        ValueError: the value is negative or above 268,435,455.

    Cites: MQTT5-1.5.5-1
    """
    if 0 <= value < 128:
        return _SHORT[value]
    if 0 <= value < 16_384:
        return _LONGER[value & 127] + _SHORT[value >> 7]
    if 0 <= value < 2_097_152:
        return bytes((value & 127 | 128, value >> 7 & 127 | 128, value >> 14))
    if 0 <= value < 268_435_456:
        return bytes((value & 127 | 128, value >> 7 & 127 | 128, value >> 14 & 127 | 128, value >> 21))
    raise ValueError(f"a variable byte integer is 0 to 268,435,455, not {value}")


def read_vbi(data: bytes, pos: int, end: int, minimal: bool) -> int:
    """Read the Variable Byte Integer at `pos`. Returns its value times 8 plus its size in bytes (1 to 4).

    A negative result is an error: -1 it is cut off by `end`, -2 its fourth byte has a continuation bit, -3 it has
    more bytes than needed (only if `minimal` is set).
    """
    value = 0
    size = 0
    while True:
        if pos + size >= end:
            return -1
        byte = data[pos + size]
        value |= (byte & 127) << (7 * size)
        size += 1
        if byte < 128:
            if byte == 0 and size > 1 and minimal:
                return -3
            return value << 3 | size
        if size == 4:
            return -2


def text(data: bytes, start: int, end: int) -> str | None:
    """Return the UTF-8 string in `data[start:end]`, or None if it is ill-formed or holds U+0000.

    It may have any length. U+FEFF is an ordinary character, at the beginning too.

    Cites: X5-utf8-string-any-length, X311-string-any-length, MQTT5-1.5.4-3, MQTT311-1.5.3-3
    """
    try:
        value = data[start:end].decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in value else value


def name_text(data: bytes, start: int, end: int) -> str | None:
    """Return the Topic Name in `data[start:end]`, or None if it is invalid. The caller must refuse an empty one.

    A short name is added to `NAMES`; fast code looks there first.
    """
    raw = data[start:end]
    try:
        value = raw.decode()
    except UnicodeDecodeError:
        return None
    if "\0" in value or "+" in value or "#" in value:
        return None
    if end - start <= _LONGEST:
        if len(NAMES) >= _KEPT:
            NAMES.clear()
        NAMES[raw] = value
    return value


def filter_text(data: bytes, start: int, end: int, shared: bool) -> str | None:
    """Return the Topic Filter in `data[start:end]`, or None if it is invalid. `shared`: `$share/` has a meaning."""
    return None if check_filter(data, start, end, shared) else data[start:end].decode()


def ill_formed_at(data: bytes, start: int, end: int) -> int:
    """Return the offset of the first byte in `data[start:end]` that is invalid in UTF-8, or -1.

    A lead byte that needs more bytes than the string has left is itself invalid.
    """
    raw = data[start:end]
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        lead = raw[error.start]
        need = 4 if lead >= 0xF0 else 3 if lead >= 0xE0 else 2
        if lead < 0xC2 or lead > 0xF4 or error.start + need > len(raw):
            return start + error.start
        return start + error.end
    return -1


def check_text(data: bytes, start: int, end: int) -> int:
    """Find the first breach of a UTF-8 string: its offset times 16 plus its kind, or 0."""
    best = -1
    kind = FINE
    at = ill_formed_at(data, start, end)
    if at >= 0:
        best, kind = at, ILL_FORMED
    at = data.find(0, start, end)
    if at >= 0 and (best < 0 or at < best):
        best, kind = at, NULL
    return 0 if kind == FINE else best << 4 | kind


def check_name(data: bytes, start: int, end: int) -> int:
    """Find the first breach of a Topic Name: its offset times 16 plus its kind, or 0.

    Cites: MQTT5-4.7.3-1, MQTT5-4.7.0-1, MQTT5-4.7.3-2, MQTT311-4.7.3-2, X31-topic-nul
    """
    if start == end:
        return start - 1 << 4 | EMPTY
    found = check_text(data, start, end)
    limit = found >> 4 if found else end
    at = data.find(b"+", start, limit)
    if at >= 0:
        limit = at
        found = at << 4 | WILDCARD
    at = data.find(b"#", start, limit)
    return at << 4 | WILDCARD if at >= 0 else found


def check_filter(data: bytes, start: int, end: int, shared: bool) -> int:
    """Find the first breach of a Topic Filter: its offset times 16 plus its kind, or 0.

    Cites: MQTT5-4.7.3-1, MQTT5-4.7.1-1, MQTT5-4.7.1-2, MQTT5-4.8.2-1, MQTT5-4.7.3-2, MQTT311-4.7.3-2, X31-topic-nul
    """
    if start == end:
        return start - 1 << 4 | EMPTY
    found = check_text(data, start, end)
    limit = found >> 4 if found else end
    first = start
    if shared and data.startswith(_SHARE, start, end):
        first = start + 7
        slash = data.find(b"/", first, end)
        name_end = end if slash < 0 else slash
        at = name_end
        for wildcard in (b"+", b"#"):
            where = data.find(wildcard, first, at)
            if where >= 0:
                at = where
        if at < name_end:
            broken = at << 4 | SHARE_FORM
        elif first == name_end:
            broken = (first if slash >= 0 else end - 1) << 4 | SHARE_EMPTY
        elif slash < 0 or slash == end - 1:
            broken = end - 1 << 4 | SHARE_FORM
        else:
            broken = 0
            first = slash + 1
        if broken:
            return broken if not found or broken >> 4 < limit else found
    at = data.find(b"#", first, end)
    if at >= 0 and (at != end - 1 or (at > first and data[at - 1] != 47)) and at < limit:
        limit = at
        found = at << 4 | HASH
    at = data.find(b"+", first, limit)
    while at >= 0:
        if at > first and data[at - 1] != 47:
            return at << 4 | PLUS
        if at + 1 < end and data[at + 1] != 47:
            # The byte after the wildcard breaks the rule, unless an earlier breach was found at or before it.
            return at + 1 << 4 | PLUS if at + 1 < limit else found
        at = data.find(b"+", at + 1, limit)
    return found

# SPDX-License-Identifier: MIT
"""Finds the first byte of a string that breaks a rule: UTF-8, topic names, topic filters, shared subscriptions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

__all__ = ["SCANS"]

LEADS: Final = ((2, 0xC2, 0xDF), (3, 0xE0, 0xEF), (4, 0xF0, 0xF4))
"""Sizes of UTF-8 sequences by their lead byte (Unicode table 3-7)."""
SECONDS: Final = {0xE0: (0xA0, 0xBF), 0xED: (0x80, 0x9F), 0xF0: (0x90, 0xBF), 0xF4: (0x80, 0x8F)}
"""Limits of the second byte after these lead bytes: no overlong forms, no surrogates, nothing above U+10FFFF."""
SHARE: Final = b"$share/"


def _ill_formed(data: bytes, shared: bool) -> int | None:
    """Find the first invalid byte. A lead byte that needs more bytes than there are is itself invalid."""
    try:
        data.decode()
    except UnicodeDecodeError as error:
        at = error.start
        size = next((n for n, first, last in LEADS if first <= data[at] <= last), 0)
        if size == 0 or at + size > len(data):
            return at
        while True:  # the lead byte is valid, so one of the bytes after it is the first that is invalid
            at += 1
            lead = data[error.start]
            low, high = SECONDS.get(lead, (0x80, 0xBF)) if at == error.start + 1 else (0x80, 0xBF)
            if not low <= data[at] <= high:
                return at
    return None


def _first(data: bytes, *wanted: bytes) -> int | None:
    return min((at for at in map(data.find, wanted) if at >= 0), default=None)


def _share(data: bytes) -> tuple[int, int] | None:
    """Return the offsets of ShareName and filter of a shared subscription (after the end if there is no filter)."""
    if not data.startswith(SHARE):
        return None
    slash = data.find(b"/", len(SHARE))
    return len(SHARE), slash + 1 if slash >= 0 else len(data) + 1


def _filter_start(data: bytes, shared: bool) -> int:
    share = _share(data) if shared else None
    return min(share[1], len(data)) if share else 0


def _hash(data: bytes, shared: bool) -> int | None:
    first = _filter_start(data, shared)
    at = data.find(b"#", first)
    if at < 0 or (at == len(data) - 1 and (at == first or data[at - 1 : at] == b"/")):
        return None
    return at


def _plus(data: bytes, shared: bool) -> int | None:
    at = _filter_start(data, shared)
    if b"+" not in data:
        return None
    for level in data[at:].split(b"/"):
        plus = level.find(b"+")
        if plus > 0:
            return at + plus
        if plus == 0 and len(level) > 1:
            return at + 1
        at += len(level) + 1
    return None


def _share_name_empty(data: bytes, shared: bool) -> int | None:
    share = _share(data)
    if share is None or share[1] - share[0] != 1:
        return None
    return min(share[0], len(data) - 1)


def _share_name_form(data: bytes, shared: bool) -> int | None:
    share = _share(data)
    if share is None:
        return None
    at = _first(data[share[0] : share[1] - 1], b"+", b"#")
    if at is not None:
        return share[0] + at
    return len(data) - 1 if share[1] >= len(data) else None


def _null(data: bytes, shared: bool) -> int | None:
    return _first(data, b"\0")


def _wildcard(data: bytes, shared: bool) -> int | None:
    return _first(data, b"+", b"#")


def _empty(data: bytes, shared: bool) -> int | None:
    return None if data else -1  # the low byte of the length


SCANS: Final[dict[str, Callable[[bytes, bool], int | None]]] = {
    "utf8_ill_formed": _ill_formed,
    "utf8_null": _null,
    "topic_empty": _empty,
    "topic_wildcard": _wildcard,
    "filter_hash": _hash,
    "filter_plus": _plus,
    "share_name_empty": _share_name_empty,
    "share_name_form": _share_name_form,
}
"""By rule of `spec/types.toml`: finds the first byte that breaks it, as an offset from the first character, or None."""

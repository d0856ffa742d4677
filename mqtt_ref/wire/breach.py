# SPDX-License-Identifier: MIT
"""Makes the `Violation` of a packet that breaks a rule: the slow path of the fast codec."""

from __future__ import annotations

from typing import Final

from mqtt_ref.wire.violation import Violation

__all__ = [
    "V31_NAME",
    "Cites",
    "TextRules",
    "broken",
    "broken_protocol",
    "broken_text",
    "cut_string",
    "cut_vbi",
    "may_name_v31",
    "protocol",
]

Cites = tuple[str, str, str, str, str, str]
"""Statements by protocol level. Level 0 (not known yet) has those of 5.0."""

TextRules = tuple[tuple[int, Cites], ...]
"""Reason Code and statements of each kind of breach of a string, indexed by the numbers in `primitives`."""


V31_NAME: Final = b"\x00\x06MQIsdp"
"""The protocol name of 3.1, with its length."""


def broken(
    cites: Cites, reason: int, packet: int, offset: int, version: int, sender: int, field: str, level: str = "must"
) -> Violation:
    """Return the violation of the rule that `cites` names for `version`."""
    return Violation(cites[version], reason, packet, offset, version, sender, field, level)


def broken_text(
    found: int, rules: TextRules, packet: int, start: int, version: int, sender: int, field: str
) -> Violation:
    """Return the violation for the result of a string check: `found` is the absolute offset times 16 plus the kind."""
    reason, cites = rules[found & 15]
    return Violation(cites[version], reason, packet, (found >> 4) - start, version, sender, field)


def cut_string(data: bytes, pos: int, end: int) -> int:
    """Return the offset of the first byte that shows that a string at `pos` does not fit before `end`."""
    if end - pos < 2:
        return pos
    return pos if data[pos] << 8 > end - pos - 2 else pos + 1


def cut_vbi(pos: int, end: int) -> int:
    """Return the offset that shows that a Variable Byte Integer at `pos` is cut off by `end`."""
    return end - 1 if end > pos else pos


def protocol(data: bytes, pos: int, end: int) -> int:
    """Return the size of the protocol name field at `pos` (6: MQTT, 8: MQIsdp), or -1: see `broken_protocol`."""
    if data.startswith(b"\x00\x04MQTT", pos, end):
        return 6
    if data.startswith(V31_NAME, pos, end):
        return 8
    return -1


def may_name_v31(version: int, sender: int, first: int, data: bytes, pos: int, length: int) -> bool:
    """True if a first byte that is illegal in 5.0 begins a CONNECT that names 3.1, or still may: it may have flags.

    Of its `length` bytes after the fixed header, those that have arrived begin at `pos`.

    Cites: X31-flags-unused
    """
    # Level 0: the version is not known. Sender 0: the client. Type 1: CONNECT. After the name comes the level.
    return not version and not sender and first >> 4 == 1 and length > 8 and V31_NAME.startswith(data[pos : pos + 8])


def broken_protocol(
    truncated: tuple[int, Cites], name: tuple[int, Cites], data: bytes, start: int, pos: int, end: int, version: int,
    sender: int,
) -> Violation:  # fmt: skip
    """Return the violation of an invalid protocol name: it is cut off, or a byte differs from every known name."""
    field = "protocol_version"
    size = data[pos] << 8 | data[pos + 1] if end - pos >= 2 else 65_535
    if pos + 2 + size > end:
        offset = cut_string(data, pos, end)
        if offset == pos or not data[pos]:
            return broken(truncated[1], truncated[0], 1, offset - start, version, sender, field)
        # No known name is that long. The high byte of the length shows this before the low byte shows the cut.
        return broken(name[1], name[0], 1, pos - start, version, sender, field)
    known = V31_NAME if size == 6 else b"\x00\x04MQTT"
    at = 0
    while at < len(known) and data[pos + at] == known[at]:
        at += 1
    return broken(name[1], name[0], 1, pos + at - start, version, sender, field)

# SPDX-License-Identifier: MIT
"""Map a breach that the codec finds in one packet to all statements that it breaks."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Final

from mqtt_ref.wire.codes import NO_MATCHING_SUBSCRIBERS, PUBLISH, SUBSCRIBE, SUCCESS, UNSUBSCRIBE
from mqtt_ref.wire.generated.catalogue import REASONS
from mqtt_ref.wire.generated.vectors import Vector, vectors
from mqtt_ref.wire.primitives import CLIENT, V5, V31, V311
from mqtt_ref.wire.statements import STATEMENTS
from mqtt_ref.wire.violation import Violation

__all__ = ["also", "broken_by", "decided", "is_private"]

SAME: Final = {
    "MQTT5-3.3.1-2": "MQTT5-4.3.1-1",
    "MQTT311-3.3.1-2": "MQTT311-4.3.1-1",
    "MQTT311-3.1.2-13": "MQTT311-3.1.2-11",
    "MQTT311-3.1.2-15": "MQTT311-3.1.2-11",
}
"""A statement -> another one that says the same, or includes it."""
IN_TOPICS: Final = {
    "MQTT5-1.5.4-2": "MQTT5-4.7.3-2",
    "MQTT311-1.5.3-2": "MQTT311-4.7.3-2",
    "X31-utf8-no-null": "X31-topic-nul",
}
"""The same for rules about all strings that are repeated for Topic Names and Topic Filters."""
BY_CODE: Final = {
    ("MQTT5-3.4.2-1", NO_MATCHING_SUBSCRIBERS): "X5-puback-no-subscribers-server",
    ("MQTT5-3.5.2-1", NO_MATCHING_SUBSCRIBERS): "X5-pubrec-no-subscribers-server",
    ("MQTT5-3.15.2-1", SUCCESS): "X5-auth-success-server",
    **{
        ("MQTT5-3.14.2-1", code): "X5-disconnect-server-codes"
        for code in (row.code for row in REASONS if ("DISCONNECT", "server") in row.places)
    },
}
"""The same for Reason Codes that only a server may send."""
TOPIC_PACKETS: Final = frozenset({PUBLISH, SUBSCRIBE, UNSUBSCRIBE})


def also(violation: Violation, data: bytes) -> tuple[str, ...]:
    """Return the further statements that a broken packet breaks."""
    statement, packet, field = violation.statement, violation.packet, violation.field
    told = _told().get((statement, packet, field), ())
    return told + _more(statement, packet, field, data[violation.offset : violation.offset + 1])


def _more(statement: str, packet: int, field: str, byte: bytes) -> tuple[str, ...]:
    if byte and (statement, byte[0]) in BY_CODE:
        return (BY_CODE[statement, byte[0]],)
    if statement in SAME:
        return (SAME[statement],)
    if statement in IN_TOPICS and packet in TOPIC_PACKETS and "topic" in field and "response" not in field:
        return (IN_TOPICS[statement],)
    return ()


def is_private(violation: Violation | Vector, data: bytes) -> bool:
    """True if it is the CONNECT of a bridge to another one: a known version with the highest bit set.

    This is not a version of the standard, so no rule of the standard applies to it.
    """
    byte = data[violation.offset : violation.offset + 1]
    return violation.field == "protocol_version" and bool(byte) and byte[0] - 0x80 in (V31, V311, V5)


def broken_by(vector: Vector) -> tuple[str, ...]:
    """Return all statements that a malformed packet breaks."""
    byte = vector.data[vector.offset : vector.offset + 1]
    return (vector.statement, *vector.also, *_more(vector.statement, vector.data[0] >> 4, vector.field, byte))


@cache
def _told() -> dict[tuple[str, int, str], tuple[str, ...]]:
    """From the vectors: (statement, packet type, field) -> the other statements that they break."""
    found: dict[tuple[str, int, str], tuple[str, ...]] = {}
    for vector in _broken():
        key = vector.statement, vector.data[0] >> 4, vector.field
        before = found.get(key)
        # Keep only statements that all packets with this key break.
        found[key] = vector.also if before is None else tuple(one for one in before if one in vector.also)
    return found


def decided() -> set[str]:
    """Return the statements that at least one malformed packet of a client breaks."""
    return {one for vector in _broken() for one in broken_by(vector)}


def _broken() -> Iterator[Vector]:
    for vector in vectors():
        if vector.sender == CLIENT and vector.statement and STATEMENTS[vector.statement].level != "may":
            yield vector

# SPDX-License-Identifier: MIT
"""Damage of the protocol name and level of a CONNECT."""

from __future__ import annotations

from collections.abc import Iterator

from codegen.model import V5, V311, Field, Spec
from codegen.vectors.book import NEW, Vector
from codegen.vectors.breaches import rule_breach
from codegen.vectors.draft import Draft, string

__all__ = ["protocol"]

FIELD = "protocol_version"
# length and name, and the offset of the byte that differs from every known name
NAMES = (
    (b"\x00\x00", 1),
    (b"\x00\x03MQT", 1),
    (b"\x00\x05MQTT5", 1),
    (b"\x00\x04MQTS", 5),
    (b"\x00\x04mqtt", 2),
    (b"\x00\x04MQIs", 4),
    (b"\x00\x04MQ\xff\xff", 4),
    (b"\x00\x04MQT\x00", 5),
    (b"\x00\x06MQIsdP", 7),
    (b"\x00\x06MQTTTT", 4),
    (b"\x00\x06mqisdp", 2),
    (b"\x00\x0aHTTP/1.1\r\n", 1),
)


def protocol(spec: Spec, plain: Draft) -> Iterator[Vector]:
    """Yield all kinds of damage of the protocol name and level."""
    for receiver in (plain.version, NEW):
        yield from _names(spec, plain, receiver)
    yield from _levels(spec, plain)


def _names(spec: Spec, plain: Draft, receiver: int) -> Iterator[Vector]:
    index = plain.find(FIELD, "name")
    where = f"{plain.packet.name}/name"
    for data, offset in NAMES:
        found = rule_breach(spec, "protocol_name", receiver, plain.at(index) + offset, FIELD)
        label = data[2:].hex() or "empty"
        yield Vector("protocol-name", f"{where}-{label}", plain.put(index, data), found, receiver)
    # The high byte of the length differs from every known name. So the name is wrong even if the length does not fit.
    long = plain.put(plain.find("client_id"), string(b"c" * 300))
    found = rule_breach(spec, "protocol_name", receiver, long.at(index), FIELD)
    for data, label in ((b"\x01\x04", "0104"), (b"\x01\x00", "0100"), (b"\x01\xff", "beyond")):
        yield Vector("protocol-name", f"{where}-length-{label}", long.put(index, data + b"MQTT"), found, receiver)


def _levels(spec: Spec, plain: Draft) -> Iterator[Vector]:
    index = plain.find(FIELD, "level")
    field = plain.atoms[index].source
    assert isinstance(field, Field)
    own, levels = next((name, levels) for name, levels in field.names.items() if plain.version in levels)
    for value in (0, 1, 2, 3, 4, 5, 6, 7, 0x80 | plain.version, 0x7F, 0xFF):
        if value in levels:
            continue
        judged = plain.version if own == "MQIsdp" else V311 if value & 0x7F <= V311 else V5
        found = rule_breach(spec, "protocol_level", judged, plain.at(index), FIELD)
        for receiver in (plain.version, NEW):
            where = f"{plain.packet.name}/{own}-level-{value}"
            yield Vector("protocol-level", where, plain.put(index, bytes([value])), found, receiver)

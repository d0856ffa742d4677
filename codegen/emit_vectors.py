# SPDX-License-Identifier: MIT
"""Emits malformed-input vectors: packets that break each row of the tables in every way, with the expected violation.

Nothing here decodes. A sample packet is laid out field by field, and one place in it is damaged. Since the damage is
known, the broken statement and the byte that shows it are known too (docs/design/offsets.md). `codegen.vectors` does
the damage. This module decides what is tried, in which order, and writes the module with the result.
"""

from __future__ import annotations

from collections.abc import Iterator

from codegen.model import CLIENT, SERVER, V5, V31, V311, Packet, Spec
from codegen.text import HEADER, all_list
from codegen.vectors.book import NEW, Book, Vector
from codegen.vectors.cross_fields import cross_fields
from codegen.vectors.fixed_header import first_bytes
from codegen.vectors.flags import bit_fields, optional_strings
from codegen.vectors.integers import packet_ids
from codegen.vectors.lengths import maximum_size, remaining_lengths, string_lengths, trailing
from codegen.vectors.order import two_breaches
from codegen.vectors.properties import properties
from codegen.vectors.protocol import protocol
from codegen.vectors.reason_codes import reason_codes
from codegen.vectors.samples import draft, every_field
from codegen.vectors.strings import odd_strings, strings
from codegen.vectors.truncation import truncation

__all__ = ["emit"]


def emit(spec: Spec) -> dict[str, str]:
    """Return the files of this emitter, by path."""
    book = Book(spec)
    for version in (NEW, V5, V311, V31):
        for sender in (CLIENT, SERVER):
            book.note(first_bytes(spec, version, sender))
    for packet in spec.packets:
        for version in (V5, V311, V31):
            for sender in (CLIENT, SERVER):
                if sender in packet.senders.get(version, frozenset()):
                    book.note(_packet(spec, packet, version, sender))
    text = "".join(f"{line}\n" for line in book.lines)
    assert not set('"\\') & set(text)
    head = HEADER.format(
        doc="Malformed packets, each with the statement that it breaks and the byte; and legal packets at the limits."
    )
    return {"mqtt_ref/wire/generated/vectors.py": head + MODULE.replace("{text}", text)}


def _packet(spec: Spec, packet: Packet, version: int, sender: str) -> Iterator[Vector]:
    """Yield one packet as `sender` sends it in `version`: intact, and damaged in every way."""
    full = draft(spec, packet, version, sender, full=True)
    plain = draft(spec, packet, version, sender)
    yield Vector("legal", f"{packet.name}/full", full)
    yield Vector("legal", f"{packet.name}/plain", plain)
    yield from remaining_lengths(spec, plain)
    yield from maximum_size(spec, full)
    if packet.name == "CONNECT":
        yield from protocol(spec, plain)
    for sample, label in ((full, "full"), (plain, "plain")):
        yield from truncation(spec, sample, label)
        yield from trailing(spec, sample, label)
    yield from string_lengths(spec, full)
    yield from bit_fields(spec, plain)
    yield from packet_ids(spec, full)
    yield from reason_codes(spec, plain)
    named = every_field(spec, packet, version, sender)
    yield from strings(spec, named)
    yield from odd_strings(spec, named)
    if packet.name == "CONNECT":
        yield from optional_strings(spec, plain)
    for field in packet.fields:
        if field.set and version in field.versions:
            yield from properties(spec, packet, field, sender)
    yield from cross_fields(spec, packet, version, sender)
    yield from two_breaches(spec, full)


MODULE = f'''
from __future__ import annotations

from functools import cache
from typing import Final, NamedTuple

{all_list(["TEXT", "Vector", "vectors"])}

class Vector(NamedTuple):
    """One packet, and the violation that a receiver must find.

    `kind` groups vectors by the damage. A `legal` vector breaks nothing and has no statement. `version` is the protocol
    level that the connection has for the receiver (0: not known yet). `judged` is the level that judges the packet,
    which a CONNECT may change. `also` are statements with the same meaning. `maximum` is the Maximum Packet Size of
    the receiver, 0 for none.
    """

    id: str
    kind: str
    version: int
    sender: int
    data: bytes
    statement: str
    reason: int
    offset: int
    field: str
    also: tuple[str, ...] = ()
    judged: int = 0
    level: str = "must"
    maximum: int = 0


@cache
def vectors() -> tuple[Vector, ...]:
    """Return all vectors, in the order of packet types."""
    return tuple(_vector(line) for line in TEXT.splitlines())


_VERSIONS: Final = {{"v5": 5, "v311": 4, "v31": 3, "new": 0}}
_SENDERS: Final = {{"client": 0, "server": 1}}


def _bytes(text: str) -> bytes:
    if "*" not in text:
        return bytes.fromhex(text)
    out = bytearray()
    for word in text.split():
        unit, _, times = word.partition("*")
        out += bytes.fromhex(unit) * int(times or 1)
    return bytes(out)


def _vector(line: str) -> Vector:
    name, kind, data, *expected = line.split(" | ")
    version_name, sender_name, _ = name.split("/", 2)
    version, sender = _VERSIONS[version_name], _SENDERS[sender_name]
    if kind == "legal":
        maximum = int(expected[0]) if expected else 0
        return Vector(name, kind, version, sender, _bytes(data), "", -1, -1, "", (), version, "", maximum)
    reason, offset, field = (expected[1].split(" ") + [""])[:3]
    more = dict(word.split("=") for word in expected[2].split(" ")) if len(expected) > 2 else {{}}
    also = tuple(more["also"].split(",")) if "also" in more else ()
    return Vector(
        name,
        kind,
        version,
        sender,
        _bytes(data),
        expected[0],
        int(reason, 16),
        int(offset),
        field,
        also,
        int(more.get("judged", version)),
        more.get("level", "must"),
        int(more.get("maximum", 0)),
    )


# id | kind | the packet in hex, spaced by field | statement | Reason Code, offset, field | further expected values
TEXT: Final = """\\
{{text}}"""
'''

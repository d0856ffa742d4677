# SPDX-License-Identifier: MIT
"""Damage of property lists: properties that are misplaced, duplicated, unknown, missing, or have an illegal value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from codegen.model import V5, Field, Packet, Property, Spec
from codegen.vectors.book import Vector
from codegen.vectors.breaches import (
    breach,
    needs_breach,
    required_breach,
    rule_breach,
    unknown_property_breach,
)
from codegen.vectors.draft import Atom, Draft, string, vbi
from codegen.vectors.integers import vbi_cut, vbi_long, vbi_minimal
from codegen.vectors.lengths import property_lengths
from codegen.vectors.samples import Entry, draft, entries, entry, required_properties
from codegen.vectors.strings import property_strings

__all__ = ["properties"]

UNKNOWN = (0, 4, 0x0A, 0x0C, 0x14, 0x1B, 0x20, 0x2B, 0x7F)
"""Identifiers that no property has. Those that the tables use are skipped."""
CONTINUED = (0x80, 0x81, 0xA6, 0xFF)
"""First bytes of identifiers with a continuation bit. No property has such an identifier."""
VBI_MAXIMUM = 268_435_455


def properties(spec: Spec, packet: Packet, field: Field, sender: str) -> Iterator[Vector]:
    """Yield all kinds of damage of the property list `field`, and legal lists at the limits."""
    yield from _List(spec, packet, field, sender).vectors()


class _List:
    """One property list of a packet, and the properties that it may have."""

    def __init__(self, spec: Spec, packet: Packet, field: Field, sender: str) -> None:
        self.spec, self.packet, self.field, self.sender = spec, packet, field, sender
        self.path = f"{packet.name}/{field.name}"
        self.allowed = spec.property_set(field.set, sender)
        self.required = entries(spec, required_properties(spec, field.set, sender))
        self.users = entries(spec, (p for p in self.allowed if p.name == "user_property"))

    def draft(self, chosen: Iterable[Entry]) -> Draft:
        """Return a packet with these properties in the list."""
        bits = {"connect_flags": 0b0000_0110} if self.field.set == "WILL" else {}
        return draft(self.spec, self.packet, V5, self.sender, sets={self.field.set: list(chosen)}, bits=bits)

    def vectors(self) -> Iterator[Vector]:
        for prop in self.spec.properties:
            if prop in self.allowed:
                yield from self._property(prop)
            else:
                yield self._misplaced(prop)
        yield from self._unknown()
        shortest = self.draft(self.required)
        yield from property_lengths(self.spec, shortest, self._length(shortest), self.path)
        yield Vector("legal", f"{self.path}/reversed", self.draft(reversed(entries(self.spec, self.allowed))))
        for prop, _ in self.required:
            for more in ([], self.users):
                wrong = self.draft(more)
                found = required_breach(self.spec, prop, self.field, wrong.last_byte(self._length(wrong)))
                yield Vector("property-required", f"{self.path}.{prop.name}/absent", wrong, found)

    def _length(self, sample: Draft) -> int:
        """Return the number of the atom of the Property Length."""
        return sample.find(self.field.name, "proplen")

    def _property(self, prop: Property) -> Iterator[Vector]:
        """Yield a property that is allowed here: once, twice, and with special values."""
        where = f"{self.path}.{prop.name}"
        own = entry(self.spec, prop)
        others = [e for e in self.required if e[0] is not prop]
        if prop.needs and self.field.set in prop.needs_in:
            for more in ([], self.users):
                wrong = self.draft([*others, own, *more])
                found = needs_breach(self.spec, prop, self.field, wrong.last_byte(self._length(wrong)))
                yield Vector("property-needs", f"{where}/without-{prop.needs}", wrong, found)
            others += entries(self.spec, (p for p in self.allowed if p.name == prop.needs))
        one = self.draft([*others, own])
        yield Vector("legal", where, one)
        yield Vector("legal", f"{where}/first", self.draft([own, *others]))
        twice = self.draft([*others, own, own])
        if prop.repeatable(self.field.set):
            yield Vector("legal", f"{where}/twice", twice)
        else:
            yield self._twice(prop, "twice", twice)
            yield self._twice(prop, "twice-apart", self.draft([*others, own, *self.users, own]))
        yield from _values(self.spec, prop, one, where)
        yield from property_strings(self.spec, one, prop, where)

    def _twice(self, prop: Property, label: str, wrong: Draft) -> Vector:
        at = wrong.at(max(i for i, a in wrong.indexed("id") if a.source is prop))
        cites = {V5: f"X5-{prop.name}-once"}
        found = breach(self.spec, cites, prop.repeat, V5, at, f"{self.field.name}.{prop.name}")
        return Vector("property-twice", f"{self.path}.{prop.name}/{label}", wrong, found)

    def _misplaced(self, prop: Property) -> Vector:
        """Yield a property that is not allowed here, after the required ones."""
        wrong = self.draft([*self.required, entry(self.spec, prop)])
        at = wrong.at(max(i for i, _ in wrong.indexed("id")))
        cites, reason = f"X5-{prop.name}-placement", self.spec.unknown_property.reason
        for other in prop.elsewhere:
            if other.packet == self.field.set and other.sender == self.sender:
                cites, reason = other.cites, other.breach
        found = breach(self.spec, {V5: cites}, reason, V5, at, f"{self.field.name}.{prop.name}")
        return Vector("property-placement", f"{self.path}.{prop.name}/misplaced", wrong, found)

    def _unknown(self) -> Iterator[Vector]:
        known = {p.id for p in self.spec.properties}
        sample = self.draft(self.required)
        name = self.field.name
        last = max((i for i, a in enumerate(sample.atoms) if a.section == name), default=self._length(sample))
        for code in (*(c for c in UNKNOWN if c not in known), *CONTINUED):
            for tail in (b"", b"\x00", b"\x01\x00\x01"):
                odd = Atom(name, "odd", bytes([code]) + tail, self.field, name)
                wrong = sample.replaced(last, sample.atoms[last], odd)
                at = wrong.at(last + 1)
                kind, found = "property-unknown", unknown_property_breach(self.spec, at, name)
                if code > 127 and not tail:
                    # It is a Variable Byte Integer: cut off and unknown at the same byte. The kind length comes first.
                    kind, found = "vbi-cut", rule_breach(self.spec, "truncated", V5, at, name)
                yield Vector(kind, f"{self.path}/unknown-{code:02x}-{tail.hex()}".rstrip("-"), wrong, found)


def _values(spec: Spec, prop: Property, sample: Draft, where: str) -> Iterator[Vector]:
    """Yield values out of range, damage of a single wire type, and legal values at the limits."""
    index = max(i for i, a in enumerate(sample.atoms) if a.source is prop and a.role != "id")
    wire = spec.wire_of(prop.type)
    good: list[bytes] = []
    if wire in ("u8", "u16", "u32", "vbi") and prop.limits:
        yield from _out_of_range(spec, prop, sample, index, where)
        top = VBI_MAXIMUM if wire == "vbi" else 256 ** spec.wires[wire].bytes - 1
        good += [_number(spec, prop, value) for value in prop.limits.allowed or (prop.limits.minimum, top)]
    elif wire in ("u8", "u16", "u32"):
        good += [b"\0" * spec.wires[wire].bytes, b"\xff" * spec.wires[wire].bytes]
    elif wire in ("utf8", "binary", "utf8_pair") and "topic_empty" not in spec.type_rules(prop.type):
        good.append(string(""))
    if wire == "vbi":
        good += [vbi(v) for v in (127, 128, 16_383, 16_384, 2_097_151, 2_097_152)]
        beyond = (b"\xff\xff\xff\xff\x7f", b"\x80\x80\x80\x80\x01", b"\xff\xff\xff\xff")
        yield from vbi_long(spec, sample, index, beyond, f"{where}/")
        for value in (0, 1, 127):
            yield from vbi_minimal(spec, sample, index, vbi(value), f"{where}/{value}-")
        yield from vbi_cut(spec, sample, index, f"{where}/")
    for data in good:
        yield Vector("legal", f"{where}/{data.hex()}", sample.put(index, data))


def _out_of_range(spec: Spec, prop: Property, sample: Draft, index: int, where: str) -> Iterator[Vector]:
    limits = prop.limits
    assert limits is not None
    cites = {V5: limits.cites or f"X5-{prop.name}-range"}
    bad: Sequence[int] = range(limits.minimum)
    if limits.allowed:
        bad = [v for v in (0, 1, 2, 3, 0x7F, 0x80, 0xFF) if v not in limits.allowed]
    for value in bad:
        wrong = sample.put(index, _number(spec, prop, value))
        found = breach(spec, cites, limits.breach, V5, wrong.at(index + 1) - 1, wrong.atoms[index].field)
        yield Vector("range", f"{where}/{value}", wrong, found)


def _number(spec: Spec, prop: Property, value: int) -> bytes:
    """Return the bytes of a number in the wire type of the property."""
    wire = spec.wire_of(prop.type)
    return vbi(value) if wire == "vbi" else value.to_bytes(spec.wires[wire].bytes, "big")

# SPDX-License-Identifier: MIT
"""Makes legal packets with a plain value for every field and property. They are then damaged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from codegen.model import V5, Bit, Field, Packet, Property, Spec
from codegen.vectors.draft import Atom, Draft, string, vbi

__all__ = [
    "FILTERS",
    "Entry",
    "bit_names",
    "codes",
    "draft",
    "entries",
    "entry",
    "every_field",
    "required_properties",
]

TEXTS = {"client_id": "c1", "will_topic": "w/t", "username": "user", "topic": "a/b"}
FILTERS = ("a/b", "c/+")
ROLES = {"vbi": "vbi", "utf8": "utf8", "utf8_pair": "utf8", "binary": "binary"}

Entry = tuple[Property, tuple[bytes, ...]]
"""A property and the pieces of its value: one piece, or two for a pair."""


def entry(spec: Spec, prop: Property) -> Entry:
    """Return a property with a legal value."""
    wire = spec.wire_of(prop.type)
    if wire in ("u8", "u16", "u32"):
        value = 1 if prop.limits else 10
        return prop, (value.to_bytes(spec.wires[wire].bytes, "big"),)
    if wire == "vbi":
        return prop, (vbi(300),)
    if wire == "binary":
        return prop, (string(b"\x01\x02"),)
    if wire == "utf8_pair":
        return prop, (string("k"), string("v"))
    return prop, (string("r/t" if "topic_wildcard" in spec.type_rules(prop.type) else "text"),)


def entries(spec: Spec, properties: Iterable[Property]) -> list[Entry]:
    """Return each property with a legal value."""
    return [entry(spec, p) for p in properties]


def required_properties(spec: Spec, name: str, sender: str) -> list[Property]:
    """Return the required properties of a property set."""
    return [p for p in spec.property_set(name, sender) if (place := p.place(name)) is not None and place.required]


def codes(spec: Spec, packet: Packet, field: Field, version: int, sender: str) -> list[int]:
    """Return the legal codes of a field of Reason Codes or return codes."""
    if version in field.codes:
        return sorted(field.codes[version])
    return sorted({r.code for r in spec.reasons_for(packet.name, sender)})


def bit_names(bits: Iterable[Bit], value: int, version: int) -> dict[str, Any]:
    """Return the names that an expression can use for a byte of bits, with their values."""
    out: dict[str, Any] = {"value": value}
    for bit in bits:
        out[bit.name] = value >> bit.at & (1 << bit.width) - 1 if version in bit.versions else 0
    return out


def draft(
    spec: Spec,
    packet: Packet,
    version: int,
    sender: str,
    *,
    full: bool = False,
    sets: Mapping[str, Sequence[Entry]] | None = None,
    bits: Mapping[str, int] | None = None,
    flags: int | None = None,
) -> Draft:
    """Return a legal packet: `full` with every field and property, otherwise only with required ones.

    `sets` are the properties to use, by property set. `bits` are the values of bytes of bits, by field.
    """
    if flags is None:
        flags = (0b0011 if full else 0) if packet.header_bits else packet.flags
    layout = _Layout(spec, packet, version, sender, full, sets or {}, bits or {})
    return Draft(packet, version, sender, flags, layout.atoms(flags))


def every_field(spec: Spec, packet: Packet, version: int, sender: str) -> Draft:
    """Return a legal packet with every field, and only the required properties."""
    sets = {f.set: entries(spec, required_properties(spec, f.set, sender)) for f in packet.fields if f.set}
    return draft(spec, packet, version, sender, full=True, sets=sets)


class _Layout:
    """State of laying out the fields of one packet. `names` are the values that expressions can use."""

    def __init__(
        self,
        spec: Spec,
        packet: Packet,
        version: int,
        sender: str,
        full: bool,
        sets: Mapping[str, Sequence[Entry]],
        bits: Mapping[str, int],
    ) -> None:
        self.spec, self.packet, self.version, self.sender, self.full = spec, packet, version, sender, full
        self.sets, self.bits = sets, bits
        self.names: dict[str, Any] = {}

    def atoms(self, flags: int) -> tuple[Atom, ...]:
        self.names = {b.name: flags >> b.at & (1 << b.width) - 1 for b in self.packet.header_bits}
        out: list[Atom] = []
        for field in self.packet.fields:
            if self.version in field.versions and (not field.when or eval(field.when, {}, self.names)):
                out += self._field(field, last=self.version in field.optional)
        return tuple(out)

    def _field(self, field: Field, last: bool) -> list[Atom]:
        match kind := field.types[self.version]:
            case "protocol":
                name = next(n for n, levels in field.names.items() if self.version in levels)
                level = bytes([self.version])
                return [Atom(field.name, "name", string(name), field), Atom(field.name, "level", level, field)]
            case "bits":
                atom, names = self._byte(field, field.name, self.full)
                self.names |= names
                return [atom]
            case "properties":
                return [Atom(field.name, "proplen", b"", field, last=last), *self._section(field)]
            case "reason":
                return [Atom(field.name, "code", bytes(self._codes(field)[:1]), field, last=last)]
            case "reasons":
                ends = [*self._codes(field)[:1], *(self._codes(field)[-1:] if self.full else ())]
                return [
                    Atom(field.name, "code", bytes([code]), field, last=number > 0, head=number == 0)
                    for number, code in enumerate(ends)
                ]
            case "list":
                return self._list(field)
            case "rest":
                return [Atom(field.name, "rest", b"hello", field, last=True)] if self.full else []
        wire = self.spec.wire_of(kind)
        if wire == "u16":
            value = 60 if field.name == "keep_alive" else 7
            return [Atom(field.name, "int", value.to_bytes(2, "big"), field, last=last)]
        text = string(TEXTS.get(field.name, "data"))
        return [Atom(field.name, "binary" if wire == "binary" else "utf8", text, field, last=last)]

    def _codes(self, field: Field) -> list[int]:
        return codes(self.spec, self.packet, field, self.version, self.sender)

    def _byte(self, field: Field, name: str, full: bool) -> tuple[Atom, dict[str, Any]]:
        """Return a byte of bits, and the names that an expression can use for it."""
        value = 0
        if field.name in self.bits:
            value = self.bits[field.name]
        elif field.name == "connect_flags":
            value = 0b1110_1110 if full else 0b0000_0010
        elif field.name == "options" and full:
            value = 0b0010_1110 if self.version == V5 else 2
        return Atom(name, "bits", bytes([value]), field), bit_names(field.bits, value, self.version)

    def _section(self, field: Field) -> list[Atom]:
        """Return identifiers and values. Repeatable properties occur twice in a full packet."""
        chosen = self.sets.get(field.set)
        if chosen is None and self.full:
            props = self.spec.property_set(field.set, self.sender)
            chosen = entries(self.spec, [*props, *(p for p in props if p.repeatable(field.set))])
        elif chosen is None:
            chosen = entries(self.spec, required_properties(self.spec, field.set, self.sender))
        out = []
        for prop, values in chosen:
            name = f"{field.name}.{prop.name}"
            out.append(Atom(name, "id", bytes([prop.id]), prop, field.name, last=True))
            role = ROLES.get(self.spec.wire_of(prop.type), "int")
            out += [Atom(name, role, value, prop, field.name) for value in values]
        return out

    def _list(self, field: Field) -> list[Atom]:
        out = []
        for number, text in enumerate(FILTERS if self.full else FILTERS[:1]):
            for place, item in enumerate(field.items):
                name = f"{field.name}.{item.name}"
                if item.types[self.version] == "bits":
                    out.append(self._byte(item, name, self.full and number > 0)[0])
                else:
                    first = place == 0
                    atom = Atom(name, "utf8", string(text), item, last=first and number > 0, head=first and number == 0)
                    out.append(atom)
        return out

# SPDX-License-Identifier: MIT
"""Emits the catalogue for look-ups: packets, properties and reason codes with their titles and places."""

from __future__ import annotations

from codegen.model import BOTH, Packet, Spec
from codegen.shapes import packet_shapes, property_shapes
from codegen.text import HEADER

__all__ = ["emit"]

TYPES = '''
class PacketRow(NamedTuple):
    """A Control Packet: who may send it and its fields, by protocol level."""

    code: int
    name: str
    section: str
    flags: str
    senders: dict[int, str]
    fields: dict[int, tuple[str, ...]]


class PropertyRow(NamedTuple):
    """A property. `places` are packet, sender, section, and true if it may occur there more than once."""

    identifier: int
    name: str
    title: str
    type: str
    values: str
    places: tuple[tuple[str, str, str, bool], ...]


class ReasonRow(NamedTuple):
    """A Reason Code with one of its names. `places` are packet and sender. `v3` is the return code of 3.x or -1."""

    code: int
    name: str
    title: str
    places: tuple[tuple[str, str], ...]
    v3: int
'''


def emit(spec: Spec) -> dict[str, str]:
    """Return the files of this emitter, by path."""
    out = [
        HEADER.format(doc="The catalogue for look-ups: packets, properties and Reason Codes with titles and places."),
        "from __future__ import annotations\n",
        "from typing import Final, NamedTuple\n",
        "__all__ = [",
        '    "ATTRIBUTES",\n    "PACKETS",\n    "PROPERTIES",\n    "REASONS",\n    "RETURN_CODES",',
        '    "PacketRow",\n    "PropertyRow",\n    "ReasonRow",\n]\n',
        TYPES,
        "",
        "PACKETS: Final = (",
    ]
    for packet in spec.packets:
        senders = {v: _side(packet.senders[v]) for v in sorted(packet.senders)}
        out += [
            "    PacketRow(",
            f"        {packet.code}, {_text(packet.name)}, {_text(packet.section)}, {_text(_flags(packet))},",
            f"        {_dict({v: _text(s) for v, s in senders.items()})},",
            "        {",
        ]
        for version in sorted(packet.senders):
            fields = [_text(f.name + (" (may be absent)" if version in f.optional or f.when else ""))
                      for f in packet.fields if version in f.versions]  # fmt: skip
            out.append(f"            {version}: {_tuple(fields)},")
        out += ["        },", "    ),"]
    out += [")", "", "PROPERTIES: Final = ("]
    for prop in spec.properties:
        values = ""
        if prop.limits:
            values = " or ".join(map(str, prop.limits.allowed)) or f"{prop.limits.minimum} or more"
        places = [f"({_text(p.packet)}, {_text(_side(p.senders))}, {_text(p.section)}, {p.many})" for p in prop.places]
        out += [
            "    PropertyRow(",
            f"        0x{prop.id:02X}, {_text(prop.name)}, {_text(prop.title)}, {_text(prop.type)}, {_text(values)},",
            f"        {_tuple(places)},",
            "    ),",
        ]
    out += [")", "", "REASONS: Final = ("]
    for reason in spec.reasons:
        places = [
            f"({_text(packet)}, {_text(_side(who))})" for packet, who, tolerated in reason.places if not tolerated
        ]
        v3 = -1 if reason.v3 is None else reason.v3
        out += [
            f"    ReasonRow(0x{reason.code:02X}, {_text(reason.name)}, {_text(reason.title)},",
            f"        {_tuple(places)}, {v3}),",
        ]
    out += [")", "", "RETURN_CODES: Final = ("]
    out += [f"    ({r.code}, {_text(r.name)}, {_text(r.title)})," for r in spec.return_codes]
    out += [")", '"""The return codes of a CONNACK in 3.1.1 and 3.1: code, name, title."""', ""]
    out.append("ATTRIBUTES: Final[dict[str, dict[str, str]]] = {")
    for shape in (*property_shapes(spec), *packet_shapes(spec)):
        kinds = [f'        "{a.name}": "{a.type.removesuffix(" | None")}",' for a in shape.attributes]
        out += [f'    "{shape.name}": {{', *kinds, "    },"] if kinds else [f'    "{shape.name}": {{}},']
    out += ["}", '"""The type of each attribute of the packet and property classes, without `| None`."""', ""]
    return {"mqtt_ref/wire/generated/catalogue.py": "\n".join(out)}


def _flags(packet: Packet) -> str:
    if packet.header_bits:
        return " ".join(b.name for b in packet.header_bits)
    return f"{packet.flags:04b}"


def _side(senders: frozenset[str]) -> str:
    return "both" if senders == BOTH else next(iter(senders))


def _text(value: str) -> str:
    return f'"{value}"'


def _tuple(items: list[str]) -> str:
    return "(" + ", ".join(items) + ("," if len(items) == 1 else "") + ")"


def _dict(items: dict[int, str]) -> str:
    return "{" + ", ".join(f"{k}: {v}" for k, v in items.items()) + "}"

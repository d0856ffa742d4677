# SPDX-License-Identifier: MIT
"""Derives the class of each packet from its fields: the attributes, their types and their defaults."""

from __future__ import annotations

from dataclasses import dataclass

from codegen.model import Field, Packet, Spec

__all__ = ["Attribute", "Shape", "class_name", "packet_shapes", "property_shapes", "property_type"]

FIRST = ("client_id", "topic", "topic_filter", "payload", "packet_id", "reason_code", "qos", "retain", "dup")
"""Attributes that come first, in this order, since a reader expects that. The others follow in wire order."""


@dataclass(frozen=True)
class Attribute:
    """One attribute of a generated class. An empty default means that it is required."""

    name: str
    type: str
    default: str

    @property
    def fresh(self) -> bool:
        """True if each instance needs its own default object."""
        return self.default == "[]"


@dataclass(frozen=True)
class Shape:
    """One generated class."""

    name: str
    doc: str
    code: int
    attributes: tuple[Attribute, ...]


def class_name(packet: str) -> str:
    """Return the class name of the property set of a packet: `PublishProperties` for `PUBLISH`."""
    return f"{packet.capitalize()}Properties"


def property_type(spec: Spec, name: str, packet: str) -> str:
    """Return the Python type of the value of a property."""
    prop = next(p for p in spec.properties if p.name == name)
    return spec.wires[spec.wire_of(prop.type)].python


def property_shapes(spec: Spec) -> list[Shape]:
    """Return one class per property set, including WILL."""
    out = []
    for packet in spec.property_sets():
        attributes = []
        for prop in spec.property_set(packet):
            kind = property_type(spec, prop.name, packet)
            if prop.repeatable(packet):
                attributes.append(Attribute(prop.name, f"list[{kind}]", "[]"))
            else:
                attributes.append(Attribute(prop.name, f"{kind} | None", "None"))
        where = "the Will Properties of CONNECT" if packet == "WILL" else packet
        out.append(Shape(class_name(packet), f"The properties of {where}.", 0, tuple(attributes)))
    return out


def packet_shapes(spec: Spec) -> list[Shape]:
    """Return the packet classes, and the classes of their parts (Will, Subscription)."""
    out = []
    for packet in spec.packets:
        attributes: list[Attribute] = []
        will: list[Attribute] = []
        for bit in packet.header_bits:
            attributes.append(Attribute(bit.name, _bit_type(bit.width), _bit_default(bit.width)))
        for field in packet.fields:
            for attribute in _attributes(spec, packet, field):
                if attribute.name.startswith("will_") and attribute.name != "will_flag":
                    will.append(Attribute(attribute.name.removeprefix("will_"), attribute.type, attribute.default))
                else:
                    attributes.append(attribute)
            if field.item_class:
                items: list[Attribute] = []
                for item in field.items:
                    items.extend(_attributes(spec, packet, item))
                doc = f"One entry of {packet.name}."
                out.append(Shape(field.item_class, doc, 0, _ordered(items)))
        if will:
            attributes.append(Attribute("will", "Will | None", "None"))
            will = [Attribute(a.name, a.type, "" if a.name == "topic" else a.default) for a in will]
            will = [Attribute(a.name, a.type, 'b""' if a.name == "payload" else a.default) for a in will]
            out.append(Shape("Will", "The Will Message that a CONNECT leaves with the server.", 0, _ordered(will)))
        doc = f"{packet.name} (section {packet.section})."
        out.append(Shape(packet.class_name, doc, packet.code, _ordered(attributes)))
    return out


def _ordered(attributes: list[Attribute]) -> tuple[Attribute, ...]:
    def key(attribute: Attribute) -> tuple[bool, int]:
        place = FIRST.index(attribute.name) if attribute.name in FIRST else len(FIRST)
        if attribute.name == "packet_id" and attribute.default != "":
            place = len(FIRST)
        if attribute.name == "properties":
            place = len(FIRST) + 1
        return attribute.default != "", place

    return tuple(sorted(attributes, key=key))


def _bit_type(width: int) -> str:
    return "bool" if width == 1 else "int"


def _bit_default(width: int) -> str:
    return "False" if width == 1 else "0"


def _attributes(spec: Spec, packet: Packet, field: Field) -> list[Attribute]:
    kind = field.type
    if kind == "bits":
        return [
            Attribute(b.name, _bit_type(b.width), "True" if b.name == "clean_start" else _bit_default(b.width))
            for b in reversed(field.bits)
            if b.name != "reserved" and not b.name.endswith("_flag")
        ]
    if kind == "protocol":
        return [Attribute(field.name, "int", "5")]
    if kind == "properties":
        return [Attribute(field.name, f"{class_name(field.set)} | None", "None")]
    if kind == "reason":
        return [Attribute(field.name, "int", "0")]
    if kind == "reasons":
        return [Attribute(field.name, "list[int]", "" if len(field.versions) == 3 else "[]")]
    if kind == "rest":
        return [Attribute(field.name, "bytes", 'b""')]
    if kind == "list":
        item = field.item_class or spec.wires[spec.wire_of(field.items[0].type)].python
        return [Attribute(field.name, f"list[{item}]", "")]
    python = spec.wires[spec.wire_of(kind)].python
    if field.name.startswith("will_"):
        return [Attribute(field.name, python, "")]
    if field.when and kind == "packet_id":
        return [Attribute(field.name, python, "0")]
    if field.when:
        return [Attribute(field.name, f"{python} | None", "None")]
    return [Attribute(field.name, python, "0" if field.name == "keep_alive" else "")]

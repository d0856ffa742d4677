# SPDX-License-Identifier: MIT
"""A whole packet: its format, the lists inside it, its object from parsed fields, and its raw fields from an object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from construct import Container, IfThenElse

from mqtt_ref.wire.constructs.bits import Bits
from mqtt_ref.wire.constructs.part import OMITTED, MayEnd, Part, Source
from mqtt_ref.wire.constructs.rules import Breach, Rule
from mqtt_ref.wire.generated.packets import Will
from mqtt_ref.wire.raw import Raw, RawGroup

__all__ = ["ListOf", "PacketFormat", "assemble", "raw_fields"]


class PacketFormat(NamedTuple):
    """One packet in one version: its class, and its fields after the fixed header."""

    name: str
    make: Any
    body: Any


class ListOf(Part):
    """Items up to the end of the packet. With the rule `empty`, at least one. `make` is the class of an item."""

    def __init__(self, item: Any, make: Any = None, **rules: Rule) -> None:
        super().__init__(**rules)
        self.item = item
        self.make = make

    def read(self, source: Source, context: Any, path: str) -> Any:
        if source.tell() >= source.limit and "empty" in self.rules:
            raise Breach(self.rules["empty"], source.tell(), path)
        out: list[Any] = []
        while source.tell() < source.limit:
            number = 0
            if source.trace is not None and self.make is not None:
                number = source.trace.open(self.make.__name__.lower(), None, source.tell())
            value = self.item._parsereport(source, context, path)
            out.append(value if self.make is None else assemble(self.make, value))
            if source.trace is not None and self.make is not None:
                source.trace.close(number, source.tell())
        return out

    def raw(self, name: str, value: Any) -> Raw:
        if self.make is None:
            return RawGroup(name, [self.item.subcon.raw(self.item.name, item) for item in value])
        return RawGroup(name, [self._raw_item(item) for item in value])

    def _raw_item(self, item: Any) -> Raw:
        values = {name: getattr(item, name) for name in item.__match_args__}
        return RawGroup(self.make.__name__.lower(), raw_fields(self.item, values))


def assemble(make: Any, values: Mapping[str, Any]) -> Any:
    """Make an object of a packet class from parsed fields. Bits are fields of their own; `will_*` become the Will."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat.update(value)
        else:
            flat[name] = value
    if flat.get("will_flag"):
        will = {n.removeprefix("will_"): v for n, v in flat.items() if n.startswith("will_") and n != "will_flag"}
        flat["will"] = Will(**will)
    return make(**{name: flat[name] for name in make.__match_args__ if flat.get(name) is not None})


def raw_fields(struct: Any, values: Mapping[str, Any], header: Mapping[str, Any] | None = None) -> list[Raw]:
    """Return the raw fields of a Struct for these values, in wire order. Absent fields are left out."""
    context: Any = Container(values)
    context._ = Container(header or {})
    out: list[Raw] = []
    for renamed in struct.subcons:
        name: str = renamed.name
        part: Any = renamed.subcon
        if isinstance(part, IfThenElse):
            condition: Any = part.condfunc
            if not condition(context):
                continue
            part = part.thensubcon
        value = values if isinstance(part, Bits) else values.get(name)
        if isinstance(part, MayEnd):
            part = part.part
        if value is not OMITTED:
            out.append(part.raw(name, value))
    return out

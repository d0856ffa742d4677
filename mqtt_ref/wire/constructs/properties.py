# SPDX-License-Identifier: MIT
"""Property lists: a Property Length, and properties in any order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from mqtt_ref.wire.constructs.integers import VariableByteInteger
from mqtt_ref.wire.constructs.part import Part, Source
from mqtt_ref.wire.constructs.rules import Breach, Check, Limits, Rule, judge
from mqtt_ref.wire.fields import FieldNode
from mqtt_ref.wire.raw import Raw, RawProperties, RawProperty, RawVbi

__all__ = ["Property", "PropertyList", "PropertySet", "has"]


class Property(NamedTuple):
    """One of the 27 properties: its identifier, its type, and the rules about duplicates and places."""

    identifier: int
    name: str
    part: Part
    placement: Rule
    once: Rule | None = None
    limits: Limits | None = None


class PropertySet(NamedTuple):
    """The properties that may occur in one list, by sender, and their rules.

    `elsewhere` has the rules of properties that may not occur here and break another rule than their own `placement`.
    `required` has the properties that must occur, `needs` those that may occur only together with another.
    """

    make: Any
    client: tuple[Property, ...] = ()
    server: tuple[Property, ...] = ()
    many: tuple[Property, ...] = ()
    elsewhere: Mapping[tuple[int, int], Rule] = {}
    required: tuple[tuple[str, Rule], ...] = ()
    needs: tuple[tuple[str, str, Rule], ...] = ()


class PropertyList(Part):
    """A Property Length and properties in any order (section 2.2.2)."""

    def __init__(
        self,
        set: PropertySet,  # noqa: A002
        known: Mapping[int, Property],
        length: VariableByteInteger,
        unknown: Rule,
        checks: Sequence[Check] = (),
        **rules: Rule,
    ) -> None:
        super().__init__(**rules)
        self.set = set
        self.known = known
        self.explained = {identifier: _PropertyValue(prop) for identifier, prop in known.items()}
        self.length = length
        self.unknown = unknown
        self.checks = checks

    def read(self, source: Source, context: Any, path: str) -> Any:
        length = self.length.read(source, context, path)
        first = source.tell()
        if length > source.limit - first:
            raise Breach(self.length.rules["truncated"], first - 1, path)
        outer, source.limit = source.limit, first + length
        if source.trace is not None:
            number = source.trace.open("length", self.length, first - len(RawVbi("", length).encode()))
            source.trace.close(number, first)
        value = None
        seen: set[int] = set()
        while source.tell() < source.limit:
            if value is None:
                value = self.set.make()
            self._read_one(source, context, path, value, seen)
        source.limit = outer
        context[path.rpartition(" -> ")[2]] = value
        self._judge_all(source, context, path, value)
        return value

    def _read_one(self, source: Source, context: Any, path: str, value: Any, seen: set[int]) -> None:
        at = source.tell()
        identifier = source.read(1)[0]
        # An identifier is a Variable Byte Integer, but all known ones have one byte. With a continuation bit it is
        # unknown, or cut off if this is the last byte.
        if identifier > 127 and source.tell() == source.limit:
            raise Breach(self.length.rules["truncated"], at, path)
        prop = self.known.get(identifier)
        if prop is None:
            raise Breach(self.unknown, at, path)
        path = f"{path} -> {prop.name}"
        number = source.trace.open(prop.name, self.explained[identifier], at) if source.trace is not None else 0
        if prop not in (self.set.server if source.sender else self.set.client):
            raise Breach(self.set.elsewhere.get((identifier, source.sender), prop.placement), at, path)
        many = prop in self.set.many
        if identifier in seen and prop.once is not None and not many:
            raise Breach(prop.once, at, path)
        seen.add(identifier)
        item = prop.part.read(source, context, path)
        if prop.limits is not None and prop.limits.broken(item):
            raise Breach(prop.limits.rule, source.tell() - 1, path)
        if many:
            getattr(value, prop.name).append(item)
        else:
            setattr(value, prop.name, item)
        if source.trace is not None:
            source.trace.close(number, source.tell())

    def absent(self, source: Source, context: Any, path: str) -> Any:
        context[path.rpartition(" -> ")[2]] = None
        self._judge_all(source, context, path, None)
        return None

    def _judge_all(self, source: Source, context: Any, path: str, value: Any) -> None:
        """Check the rules between properties, and between properties and other fields, at the last byte of the list."""
        at = source.tell() - 1
        for name, rule in self.set.required:
            if getattr(value, name, None) is None:
                raise Breach(rule, at, path)
        for name, other, rule in self.set.needs:
            if getattr(value, name, None) is not None and getattr(value, other, None) is None:
                raise Breach(rule, at, path)
        judge(self.checks, context, at, path)

    def raw(self, name: str, value: Any) -> Raw:
        out: list[Raw] = []
        for prop in self.known.values():
            item = getattr(value, prop.name, None)
            if item is not None:
                for one in item if prop in self.set.many else (item,):
                    out.append(RawProperty(prop.name, prop.identifier, prop.part.raw("value", one)))
        return RawProperties(name, out)


class _PropertyValue(Part):
    """Explains one property as two fields: identifier and value."""

    def __init__(self, prop: Property) -> None:
        super().__init__()
        self.prop = prop

    def explain(self, data: bytes, start: int, end: int) -> tuple[Any, str, tuple[FieldNode, ...]]:
        identifier = FieldNode("identifier", start, start + 1, data[start], f"0x{data[start]:02X}")
        value = FieldNode("value", start + 1, end, *self.prop.part.explain(data, start + 1, end))
        return value.value, value.text, (identifier, value)


def has(properties: Any, name: str) -> bool:
    """True if a property list, which may be None, has that property."""
    return getattr(properties, name, None) is not None

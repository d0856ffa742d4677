# SPDX-License-Identifier: MIT
"""The wire types as `construct` classes which know the rules of a field, and the byte at which one is broken.

`construct` itself loses the offset of an error, and `GreedyRange` swallows a cut-off item, so the types of MQTT are
classes of our own. The declarations made of them are in `mqtt_ref.wire.generated.reference`.
"""

from __future__ import annotations

import copy
import io
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from sys import intern
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from construct import Construct, ConstructError, Container, IfThenElse

from mqtt_ref.wire.fields import FieldNode
from mqtt_ref.wire.generated.packets import Will
from mqtt_ref.wire.raw import Raw, RawBits, RawBytes, RawGroup, RawInt, RawProperties, RawProperty, RawString, RawVbi

__all__ = [
    "OMITTED",
    "Binary",
    "Bits",
    "Breach",
    "Check",
    "FixedHeader",
    "Header",
    "Integer",
    "Limits",
    "ListOf",
    "MayEnd",
    "PacketFormat",
    "PacketId",
    "Part",
    "Property",
    "PropertyList",
    "PropertySet",
    "Protocol",
    "Reason",
    "Reasons",
    "RemainingLength",
    "Rest",
    "Rule",
    "Source",
    "StringPair",
    "Text",
    "Trace",
    "VariableByteInteger",
    "assemble",
    "has",
    "raw_fields",
]

if TYPE_CHECKING:
    Base = Construct[Any, Any]
else:
    Base = Construct

KINDS: Final = ("length", "type", "utf8", "value", "packet", "cross_field")
"""Which rule a byte breaks when it breaks several: the first of these (see docs/design/offsets.md)."""
OMITTED: Final = object()
"""Stands for a field before which the packet ends."""

Condition = Callable[[Any], Any]


class Rule(NamedTuple):
    """A rule of a field: the statement that is broken, how it is ordered, and its Reason Code."""

    statement: str
    kind: str
    reason: int
    level: str = "must"


class Check(NamedTuple):
    """A rule that is broken when `breaks` holds for the fields read so far."""

    breaks: Condition
    rule: Rule


class Limits(NamedTuple):
    """The values that a property may take: one of `allowed`, or `minimum` and more."""

    rule: Rule
    minimum: int = 0
    allowed: tuple[int, ...] = ()

    def broken(self, value: int) -> bool:
        """Whether the value is none of these."""
        return value not in self.allowed if self.allowed else value < self.minimum


class Breach(ConstructError):
    """A rule is broken at `offset`. Internal: what leaves this package is a `Violation`."""

    def __init__(self, rule: Rule, offset: int, path: str, version: int | None = None) -> None:
        super().__init__(rule.statement, path)
        self.rule = rule
        self.offset = offset
        self.field = ".".join(path.split(" -> ")[1:])
        self.version = version


class Trace:
    """Which construct read which bytes, in wire order: compact, since a packet may have as many fields as bytes."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.parts: list[Part | None] = []
        self.depths = array("B")
        self.starts = array("l")
        self.ends = array("l")
        self.depth = 0

    def open(self, name: str, part: Part | None, start: int) -> int:
        """A field begins; gives its number."""
        self.names.append(intern(name))
        self.parts.append(part)
        self.depths.append(self.depth)
        self.starts.append(start)
        self.ends.append(-1)
        self.depth += 1
        return len(self.names) - 1

    def close(self, number: int, end: int) -> None:
        """The field of that number ends here; those never closed are the ones that broke."""
        self.ends[number] = end
        self.depth = self.depths[number]

    def forget(self, number: int) -> None:
        """Drop the field of that number and all after it."""
        self.depth = self.depths[number]
        for column in (self.names, self.parts, self.depths, self.starts, self.ends):
            del column[number:]

    def nodes(self, data: bytes, reached: int) -> tuple[FieldNode, ...]:
        """The fields as a tree; a field that broke ends at `reached`."""
        return tuple(self._level(data, reached, iter(range(len(self.names) + 1)), 0)[0])

    def _level(
        self, data: bytes, reached: int, numbers: Iterator[int], depth: int, first: int | None = None
    ) -> tuple[list[FieldNode], int]:
        out: list[FieldNode] = []
        number = next(numbers) if first is None else first
        while number < len(self.names) and self.depths[number] == depth:
            this = number
            below, number = self._level(data, reached, numbers, depth + 1, next(numbers))
            start, end, part = self.starts[this], self.ends[this], self.parts[this]
            children = tuple(below)
            if end < 0:
                out.append(FieldNode(self.names[this], start, max(start, min(reached, len(data))), children=children))
                continue
            if part is None:
                out.append(FieldNode(self.names[this], start, end, children=children))
                continue
            value, text, own = part.explain(data, start, end)
            out.append(FieldNode(self.names[this], start, end, value, text, own + children))
        return out, number


class Source(io.BytesIO):
    """The bytes of one packet while they are parsed, and who sent them.

    `limit` is the end of what encloses the field being read: the packet, or a property list.
    """

    def __init__(self, data: bytes, sender: int, trace: Trace | None = None) -> None:
        super().__init__(data)
        self.limit = len(data)
        self.sender = sender
        self.trace = trace


class Part(Base):
    """A wire type, with the rules that hold for one field of it.

    Every part has the rule `truncated`; with the rule `missing` a packet that ends before the field breaks that one.
    """

    def __init__(self, **rules: Rule | None) -> None:
        super().__init__()
        self.rules: dict[str, Rule] = {name: rule for name, rule in rules.items() if rule is not None}

    def citing(self, **rules: Rule) -> Self:
        """The same type, citing other statements for some of its rules."""
        other = copy.copy(self)
        other.rules = {**self.rules, **rules}
        return other

    def read(self, source: Source, context: Any, path: str) -> Any:
        """Parse the field at the source's position."""
        raise NotImplementedError

    def absent(self, source: Source, context: Any, path: str) -> Any:
        """The value when the packet ends before this field, where it may."""
        return None

    def raw(self, name: str, value: Any) -> Raw:
        """The raw field of a value."""
        raise NotImplementedError

    def explain(self, data: bytes, start: int, end: int) -> tuple[Any, str, tuple[FieldNode, ...]]:
        """Value, text and inner fields of a field that was read from `data[start:end]`."""
        return None, "", ()

    def _parse(self, stream: Any, context: Any, path: str) -> Any:
        source: Source = stream
        start = source.tell()
        number = 0
        if source.trace is not None:
            number = source.trace.open(path.rpartition(" -> ")[2], self, start)
        if start >= source.limit and "missing" in self.rules:
            raise Breach(self.rules["missing"], start, path)
        value = self.read(source, context, path)
        if source.trace is not None:
            source.trace.close(number, source.tell())
        return value

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        stream.write(self.raw(path.rpartition(" -> ")[2], obj).encode())
        return obj

    def _judge(self, checks: Sequence[Check], context: Any, offset: int, path: str) -> None:
        """Break the first rule whose condition holds; the tables' order within a kind is kept by the sort."""
        for check in sorted(checks, key=lambda c: KINDS.index(c.rule.kind)):
            if check.breaks(context):
                raise Breach(check.rule, offset, path)


class Integer(Part):
    """An unsigned integer of `size` bytes, high byte first (section 1.5.1 to 1.5.3)."""

    def __init__(self, size: int, **rules: Rule | None) -> None:
        super().__init__(**rules)
        self.size = size

    def read(self, source: Source, context: Any, path: str) -> Any:
        start = source.tell()
        if source.limit - start < self.size:
            raise Breach(self.rules["truncated"], start, path)
        return int.from_bytes(source.read(self.size), "big")

    def raw(self, name: str, value: Any) -> Raw:
        return RawInt(name, int(value), self.size)

    def explain(self, data: bytes, start: int, end: int) -> tuple[Any, str, tuple[FieldNode, ...]]:
        value = int.from_bytes(data[start:end], "big")
        return value, f"{value:,}" if self.size == 4 else str(value), ()


class PacketId(Integer):
    """A Packet Identifier; which statement forbids 0 depends on the sender (section 2.2.1)."""

    def __init__(self, zero: Mapping[int, Rule], **rules: Rule | None) -> None:
        super().__init__(2, **rules)
        self.zero = zero

    def read(self, source: Source, context: Any, path: str) -> Any:
        value = super().read(source, context, path)
        if value == 0 and source.sender in self.zero:
            raise Breach(self.zero[source.sender], source.tell() - 1, path)
        return value


class VariableByteInteger(Part):
    """1 to 4 bytes of 7 bits each, low bits first (section 1.5.5)."""

    def read(self, source: Source, context: Any, path: str) -> Any:
        value = 0
        for size in range(1, 5):
            at = source.tell()
            if at >= source.limit:
                raise Breach(self.rules["truncated"], at if size == 1 else at - 1, path)
            byte = source.read(1)[0]
            value |= (byte & 127) << 7 * (size - 1)
            if byte < 128:
                if byte == 0 and size > 1 and "vbi_minimal" in self.rules:
                    raise Breach(self.rules["vbi_minimal"], at, path)
                return value
        raise Breach(self.rules["vbi_long"], source.tell() - 1, path)

    def raw(self, name: str, value: Any) -> Raw:
        return RawVbi(name, value)

    def explain(self, data: bytes, start: int, end: int) -> tuple[Any, str, tuple[FieldNode, ...]]:
        value = sum((byte & 127) << 7 * n for n, byte in enumerate(data[start:end]))
        return value, str(value), ()


class RemainingLength(VariableByteInteger):
    """The Remaining Length (section 2.1.4).

    Only 5.0 asks for the fewest bytes, and of a CONNECT the version is not known yet: `fewest` in the context says
    whether to ask.
    """

    def read(self, source: Source, context: Any, path: str) -> Any:
        length = self if context._.fewest else self.lenient()
        return VariableByteInteger.read(length, source, context, path)

    def lenient(self) -> Self:
        """The same without the rule of fewest bytes."""
        other = copy.copy(self)
        other.rules = {name: rule for name, rule in self.rules.items() if name != "vbi_minimal"}
        return other


class Binary(Part):
    """Bytes behind a two-byte length (section 1.5.6)."""

    def read(self, source: Source, context: Any, path: str) -> Any:
        start = source.tell()
        left = source.limit - start - 2
        if left < 0:
            raise Breach(self.rules["truncated"], start, path)
        length = int.from_bytes(source.read(2), "big")
        if length > left:
            high_byte_is_enough = length & 0xFF00 > left
            raise Breach(self.rules["truncated"], start if high_byte_is_enough else start + 1, path)
        return source.read(length)

    def raw(self, name: str, value: Any) -> Raw:
        return RawString(name, bytes(value))

    def explain(self, data: bytes, start: int, end: int) -> tuple[Any, str, tuple[FieldNode, ...]]:
        value = data[start + 2 : end]
        length = FieldNode("length", start, start + 2, len(value), str(len(value)))
        return value, _bytes_text(value), (length,)


class Text(Binary):
    """A UTF-8 Encoded String, and the topic names and filters made of one (sections 1.5.4 and 4.7).

    The rules are those of the type, in the order of the tables; the leftmost byte decides which one is broken.
    """

    def read(self, source: Source, context: Any, path: str) -> Any:
        data = super().read(source, context, path)
        first = source.tell() - len(data)
        found: list[tuple[int, int, int]] = []
        shared = "share_name_form" in self.rules
        names = list(self.rules)
        for order, name in enumerate(names):
            at = SCANS[name](data, shared) if name in SCANS else None
            if at is not None:
                found.append((at, KINDS.index(self.rules[name].kind), order))
        if found:
            at, _, order = min(found)
            raise Breach(self.rules[names[order]], first + at, path)
        return data.decode()

    def raw(self, name: str, value: Any) -> Raw:
        return RawString(name, value.encode())

    def explain(self, data: bytes, start: int, end: int) -> tuple[Any, str, tuple[FieldNode, ...]]:
        _, _, inside = super().explain(data, start, end)
        value = data[start + 2 : end].decode()
        return value, repr(value), inside


class StringPair(Part):
    """A UTF-8 String Pair: a name and a value (section 1.5.7)."""

    def __init__(self, truncated: Rule, pair_ill_formed: Rule | None = None, pair_null: Rule | None = None) -> None:
        super().__init__(truncated=truncated)
        self.string = Text(truncated=truncated, utf8_ill_formed=pair_ill_formed, utf8_null=pair_null)

    def read(self, source: Source, context: Any, path: str) -> Any:
        return self.string.read(source, context, path), self.string.read(source, context, path)

    def raw(self, name: str, value: Any) -> Raw:
        return RawGroup(name, (self.string.raw("name", value[0]), self.string.raw("value", value[1])))

    def explain(self, data: bytes, start: int, end: int) -> tuple[Any, str, tuple[FieldNode, ...]]:
        middle = start + 2 + int.from_bytes(data[start : start + 2], "big")
        name = FieldNode("name", start, middle, *self.string.explain(data, start, middle))
        value = FieldNode("value", middle, end, *self.string.explain(data, middle, end))
        return (name.value, value.value), f"{name.text}: {value.text}", (name, value)


class Rest(Part):
    """All bytes up to the packet's end."""

    def read(self, source: Source, context: Any, path: str) -> Any:
        return source.read(source.limit - source.tell())

    def raw(self, name: str, value: Any) -> Raw:
        return RawBytes(name, bytes(value))

    def explain(self, data: bytes, start: int, end: int) -> tuple[Any, str, tuple[FieldNode, ...]]:
        return data[start:end], _bytes_text(data[start:end]), ()


class Bits(Part):
    """A byte of named bits. Its checks see each of them, and the whole byte as `value`.

    The bits are put into the context, so that conditions of later fields see them by name.
    """

    def __init__(self, layout: Mapping[str, tuple[int, int]], checks: Sequence[Check] = (), **rules: Rule) -> None:
        super().__init__(**rules)
        self.layout = layout
        self.checks = checks

    def read(self, source: Source, context: Any, path: str) -> Any:
        start = source.tell()
        if start >= source.limit:
            raise Breach(self.rules["truncated"], start, path)
        byte = source.read(1)[0]
        bits = self.split(byte)
        context.update({**bits, "value": byte})
        self._judge(self.checks, context, start, path)
        return bits

    def split(self, byte: int) -> dict[str, int | bool]:
        """The bits of a byte by name, single ones as bool."""
        return {
            name: bool(byte >> at & 1) if width == 1 else byte >> at & (1 << width) - 1
            for name, (at, width) in self.layout.items()
        }

    def raw(self, name: str, value: Any) -> Raw:
        field = RawBits(name, 0, self.layout)
        for bit in self.layout:
            field.put(bit, int(value.get(bit, 0)))
        return field

    def explain(self, data: bytes, start: int, end: int) -> tuple[Any, str, tuple[FieldNode, ...]]:
        bits = self.split(data[start])
        nodes = tuple(FieldNode(name, start, end, value, str(int(value))) for name, value in bits.items())
        return data[start], f"{data[start]:08b}", nodes


class Protocol(Part):
    """The protocol name and level of a CONNECT, which decide how the rest of it is read (sections 3.1.2.1, 3.1.2.2).

    `names` are the known names with their levels; a level that its name does not have breaks the rule of the nearest.
    Bridges add 0x80 to theirs, and go on without it once they are refused in the form of the version that they speak.
    `own` is the name that this version writes.
    """

    def __init__(
        self, names: Mapping[bytes, tuple[int, ...]], own: bytes, name: Rule, level: Mapping[int, Rule], **rules: Rule
    ) -> None:
        super().__init__(**rules)
        self.names = names
        self.own = own
        self.name_rule = name
        self.level_rules = level

    def read(self, source: Source, context: Any, path: str) -> Any:
        start = source.tell()
        left = source.limit - start
        seen = source.read(min(left, 2 + max(map(len, self.names))))
        known = {len(name).to_bytes(2, "big") + name: levels for name, levels in self.names.items()}
        differs = 0
        while differs < len(seen) and any(k.startswith(seen[: differs + 1]) for k in known):
            differs += 1
        found = next((k for k in known if seen.startswith(k)), None)
        cut = None
        if left < 2:
            cut = 0
        elif int.from_bytes(seen[:2], "big") > left - 2:
            cut = 0 if seen[0] << 8 > left - 2 else 1
        if cut is not None and (found is not None or cut <= differs):
            raise Breach(self.rules["truncated"], start + cut, path)
        if found is None:
            raise Breach(self.name_rule, start + differs, path)
        if left <= len(found):
            raise Breach(self.rules["truncated"], start + len(found), path)
        source.seek(start + len(found))
        level = source.read(1)[0]
        levels = known[found]
        if level not in levels:
            nearest = min(levels) if level & 0x7F <= min(levels) else max(levels)
            raise Breach(self.level_rules[nearest], source.tell() - 1, path, nearest)
        return level

    def raw(self, name: str, value: Any) -> Raw:
        return RawGroup(name, (RawString("name", self.own), RawInt("level", value, 1)))

    def explain(self, data: bytes, start: int, end: int) -> tuple[Any, str, tuple[FieldNode, ...]]:
        name, level = data[start + 2 : end - 1], data[end - 1]
        length = FieldNode("length", start, start + 2, len(name), str(len(name)))
        node = FieldNode("name", start, end - 1, name.decode(), repr(name.decode()), (length,))
        title = {3: "MQTT 3.1", 4: "MQTT 3.1.1", 5: "MQTT 5.0"}.get(level, "")
        return level, title, (node, FieldNode("level", end - 1, end, level, str(level)))


class Reason(Integer):
    """A Reason Code, or a return code of 3.x: one that the packet has, from this sender."""

    def __init__(
        self,
        codes: Mapping[int, tuple[int, ...]],
        titles: Mapping[int, str],
        code: Rule,
        checks: Sequence[Check] = (),
        **rules: Rule,
    ) -> None:
        super().__init__(1, **rules)
        self.codes = codes
        self.titles = titles
        self.rules["code"] = code
        self.checks = checks

    def read(self, source: Source, context: Any, path: str) -> Any:
        value = super().read(source, context, path)
        at = source.tell() - 1
        if value not in self.codes.get(source.sender, ()):
            raise Breach(self.rules["code"], at, path)
        context[path.rpartition(" -> ")[2]] = value
        self._judge(self.checks, context, at, path)
        return value

    def absent(self, source: Source, context: Any, path: str) -> Any:
        return 0

    def explain(self, data: bytes, start: int, end: int) -> tuple[Any, str, tuple[FieldNode, ...]]:
        return data[start], self.title(data[start]), ()

    def title(self, code: int) -> str:
        """The code, and what it is called in this packet and version."""
        return f"0x{code:02X} {self.titles.get(code, 'unknown')}"


class Reasons(Reason):
    """Reason Codes up to the packet's end, at least one if the rule `empty` is given."""

    def read(self, source: Source, context: Any, path: str) -> Any:
        if source.tell() >= source.limit and "empty" in self.rules:
            raise Breach(self.rules["empty"], source.tell(), path)
        out: list[int] = []
        while source.tell() < source.limit:
            number = source.trace.open("reason_code", self, source.tell()) if source.trace is not None else 0
            out.append(super().read(source, context, path))
            if source.trace is not None:
                source.trace.close(number, source.tell())
        return out

    def raw(self, name: str, value: Any) -> Raw:
        return RawGroup(name, [RawInt("reason_code", code, 1) for code in value])

    def explain(self, data: bytes, start: int, end: int) -> tuple[Any, str, tuple[FieldNode, ...]]:
        return (data[start], self.title(data[start]), ()) if end - start == 1 else (None, "", ())


class ListOf(Part):
    """Items up to the packet's end, at least one if the rule `empty` is given; `make` is the class of an item."""

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


class Property(NamedTuple):
    """One of the 27 properties: its identifier, type, and the rules of standing twice or where it may not stand."""

    identifier: int
    name: str
    part: Part
    placement: Rule
    once: Rule | None = None
    limits: Limits | None = None


class PropertySet(NamedTuple):
    """The properties that may stand in one list, by sender, and what they need.

    `elsewhere` has the rules of properties that break another than their own by standing here, `required` those whose
    absence breaks one, `needs` those that may stand here only together with another.
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
        # The first byte of an identifier with a continuation bit is enough to know that it is none of the known ones,
        # unless it is the last byte there is.
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
        """The rules between properties, and between them and other fields, known at the list's last byte."""
        at = source.tell() - 1
        for name, rule in self.set.required:
            if getattr(value, name, None) is None:
                raise Breach(rule, at, path)
        for name, other, rule in self.set.needs:
            if getattr(value, name, None) is not None and getattr(value, other, None) is None:
                raise Breach(rule, at, path)
        self._judge(self.checks, context, at, path)

    def raw(self, name: str, value: Any) -> Raw:
        out: list[Raw] = []
        for prop in self.known.values():
            item = getattr(value, prop.name, None)
            if item is not None:
                for one in item if prop in self.set.many else (item,):
                    out.append(RawProperty(prop.name, prop.identifier, prop.part.raw("value", one)))
        return RawProperties(name, out)


class _PropertyValue(Part):
    """Explains one property: identifier and value."""

    def __init__(self, prop: Property) -> None:
        super().__init__()
        self.prop = prop

    def explain(self, data: bytes, start: int, end: int) -> tuple[Any, str, tuple[FieldNode, ...]]:
        identifier = FieldNode("identifier", start, start + 1, data[start], f"0x{data[start]:02X}")
        value = FieldNode("value", start + 1, end, *self.prop.part.explain(data, start + 1, end))
        return value.value, value.text, (identifier, value)


class MayEnd(Base):
    """A field before which the packet may end."""

    def __init__(self, part: Part) -> None:
        super().__init__()
        self.part = part

    def _parse(self, stream: Any, context: Any, path: str) -> Any:
        if stream.tell() >= stream.limit:
            return self.part.absent(stream, context, path)
        return self.part._parse(stream, context, path)

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        return obj if obj is OMITTED else self.part._build(obj, stream, context, path)


class Header(NamedTuple):
    """The first byte of one packet type: who may send it, and its flags, fixed or with a meaning."""

    senders: tuple[int, ...]
    flags: int = 0
    flags_rule: Rule | None = None
    bits: Mapping[str, tuple[int, int]] = {}
    checks: tuple[Check, ...] = ()


class FixedHeader(Part):
    """The first byte: packet type and flags (section 2.1)."""

    def __init__(self, types: Mapping[int, Header], reserved_type: Rule, wrong_sender: Rule, **rules: Rule) -> None:
        super().__init__(**rules)
        self.types = types
        self.rules["reserved_type"] = reserved_type
        self.rules["wrong_sender"] = wrong_sender

    def read(self, source: Source, context: Any, path: str) -> Any:
        if source.tell() >= source.limit:
            raise Breach(self.rules["truncated"], source.tell(), path)
        byte = source.read(1)[0]
        header = self.types.get(byte >> 4)
        if header is None:
            raise Breach(self.rules["reserved_type"], 0, path)
        if source.sender not in header.senders:
            raise Breach(self.rules["wrong_sender"], 0, path)
        if header.flags_rule is not None and byte & 15 != header.flags:
            raise Breach(header.flags_rule, 0, path)
        bits = Bits(header.bits).split(byte)
        self._judge(header.checks, Container({**bits, "value": byte}), 0, path)
        return bits

    def explain(self, data: bytes, start: int, end: int) -> tuple[Any, str, tuple[FieldNode, ...]]:
        header = self.types[data[start] >> 4]
        flags = Bits(header.bits).split(data[start]) if header.bits else {"flags": data[start] & 15}
        nodes = [FieldNode("type", start, end, data[start] >> 4, str(data[start] >> 4))]
        nodes += [FieldNode(name, start, end, value, str(int(value))) for name, value in flags.items()]
        return data[start], f"0x{data[start]:02X}", tuple(nodes)


class PacketFormat(NamedTuple):
    """One packet in one version: its class, and its fields behind the fixed header."""

    name: str
    make: Any
    body: Any


def has(properties: Any, name: str) -> bool:
    """Whether a property list, which may be None, holds that property."""
    return getattr(properties, name, None) is not None


def assemble(make: Any, values: Mapping[str, Any]) -> Any:
    """An object of a packet class from parsed fields; bits count as fields of their own, `will_*` make the Will."""
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
    """The raw fields of a Struct for these values: those that are there, in wire order."""
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


def _ill_formed(data: bytes, shared: bool) -> int | None:
    """The first byte that cannot stand there; a lead byte that promises too much is that byte itself."""
    try:
        data.decode()
    except UnicodeDecodeError as error:
        at = error.start
        size = next((n for n, first, last in LEADS if first <= data[at] <= last), 0)
        if size == 0 or at + size > len(data):
            return at
        while True:  # the lead byte is fine alone, and all bytes together are not: one between is the first that breaks
            at += 1
            lead = data[error.start]
            low, high = SECONDS.get(lead, (0x80, 0xBF)) if at == error.start + 1 else (0x80, 0xBF)
            if not low <= data[at] <= high:
                return at
    return None


LEADS: Final = ((2, 0xC2, 0xDF), (3, 0xE0, 0xEF), (4, 0xF0, 0xF4))
"""Sizes of UTF-8 sequences by their lead byte (Unicode table 3-7)."""
SECONDS: Final = {0xE0: (0xA0, 0xBF), 0xED: (0x80, 0x9F), 0xF0: (0x90, 0xBF), 0xF4: (0x80, 0x8F)}
"""The lead bytes whose second byte has limits of its own: no overlong forms, no surrogates, nothing above U+10FFFF."""
SHARE: Final = b"$share/"


def _first(data: bytes, *wanted: bytes) -> int | None:
    return min((at for at in map(data.find, wanted) if at >= 0), default=None)


def _share(data: bytes) -> tuple[int, int] | None:
    """Where the ShareName of a shared subscription begins, and where its filter does (beyond the end if nowhere)."""
    if not data.startswith(SHARE):
        return None
    slash = data.find(b"/", len(SHARE))
    return len(SHARE), slash + 1 if slash >= 0 else len(data) + 1


def _filter_start(data: bytes, shared: bool) -> int:
    share = _share(data) if shared else None
    return min(share[1], len(data)) if share else 0


def _hash(data: bytes, shared: bool) -> int | None:
    first = _filter_start(data, shared)
    at = data.find(b"#", first)
    if at < 0 or (at == len(data) - 1 and (at == first or data[at - 1 : at] == b"/")):
        return None
    return at


def _plus(data: bytes, shared: bool) -> int | None:
    at = _filter_start(data, shared)
    if b"+" not in data:
        return None
    for level in data[at:].split(b"/"):
        plus = level.find(b"+")
        if plus > 0:
            return at + plus
        if plus == 0 and len(level) > 1:
            return at + 1
        at += len(level) + 1
    return None


def _share_name_empty(data: bytes, shared: bool) -> int | None:
    share = _share(data)
    if share is None or share[1] - share[0] != 1:
        return None
    return min(share[0], len(data) - 1)


def _share_name_form(data: bytes, shared: bool) -> int | None:
    share = _share(data)
    if share is None:
        return None
    at = _first(data[share[0] : share[1] - 1], b"+", b"#")
    if at is not None:
        return share[0] + at
    return len(data) - 1 if share[1] >= len(data) else None


def _null(data: bytes, shared: bool) -> int | None:
    return _first(data, b"\0")


def _wildcard(data: bytes, shared: bool) -> int | None:
    return _first(data, b"+", b"#")


def _empty(data: bytes, shared: bool) -> int | None:
    return None if data else -1  # the low byte of the length


SCANS: Final[dict[str, Callable[[bytes, bool], int | None]]] = {
    "utf8_ill_formed": _ill_formed,
    "utf8_null": _null,
    "topic_empty": _empty,
    "topic_wildcard": _wildcard,
    "filter_hash": _hash,
    "filter_plus": _plus,
    "share_name_empty": _share_name_empty,
    "share_name_form": _share_name_form,
}
"""Where a string breaks each rule of `spec/types.toml` first: an offset from its first character, or None."""


def _bytes_text(data: bytes) -> str:
    shown = data[:48]
    more = f" ... {len(data):,} bytes" if len(data) > len(shown) else ""
    try:
        text = shown.decode()
    except UnicodeDecodeError:
        return shown.hex(" ") + more
    return (repr(text) if text.isprintable() else shown.hex(" ")) + more

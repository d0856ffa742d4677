# SPDX-License-Identifier: MIT
"""The rows of the tables after reading: typed and frozen. They record which of their columns are used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

__all__ = [
    "BLOCK",
    "BOTH",
    "CLIENT",
    "KINDS",
    "SERVER",
    "V5",
    "V31",
    "V311",
    "VERSIONS",
    "Bit",
    "Check",
    "Cites",
    "Field",
    "Limits",
    "Packet",
    "Place",
    "Placement",
    "Property",
    "Reaction",
    "Reason",
    "ReturnCode",
    "Row",
    "Rule",
    "Semantic",
    "Spec",
    "Statement",
    "Wire",
]

V31, V311, V5 = 3, 4, 5
VERSIONS = {"v31": V31, "v311": V311, "v5": V5}
CLIENT, SERVER = "client", "server"
BOTH = frozenset({CLIENT, SERVER})
BLOCK = "PUBLISH"
"""The packet whose properties are kept as one block of bytes, since they are forwarded."""
KINDS = ("length", "type", "utf8", "value", "packet", "cross_field")

Cites = Mapping[int, str]
"""The statement that is broken, by protocol level (3, 4, 5)."""


class Row:
    """A table row. Reading an attribute marks its column as used, so that `--check` can find unused ones."""

    _used: ClassVar[set[tuple[str, str]]] = set()
    _seen: ClassVar[set[int]] = set()
    _counting: ClassVar[bool] = False

    def __getattribute__(self, name: str) -> Any:
        if Row._counting and not name.startswith("_"):
            Row._used.add((type(self).__name__, name))
            Row._seen.add(id(self))
        return object.__getattribute__(self, name)

    @staticmethod
    def start_counting() -> None:
        """Clear the marks, and mark rows and columns that are read from now on."""
        Row._used.clear()
        Row._seen.clear()
        Row._counting = True

    @staticmethod
    def stop_counting() -> None:
        """Stop marking."""
        Row._counting = False


@dataclass(frozen=True, eq=False)
class Rule(Row):
    """A rule that many fields share: its kind (which orders breaches at one byte), its Reason Code, its statements."""

    name: str
    kind: str
    reason: str
    cites: Cites
    server: Cites
    section: str
    binds: str
    level: str
    meaning: str


@dataclass(frozen=True, eq=False)
class Wire(Row):
    """A wire type. `bytes` is its size, 0 if it depends on the value."""

    name: str
    python: str
    bytes: int
    rules: tuple[str, ...]
    section: str


@dataclass(frozen=True, eq=False)
class Semantic(Row):
    """A semantic type: a wire type with additional rules."""

    name: str
    wire: str
    rules: tuple[str, ...]
    section: str


@dataclass(frozen=True, eq=False)
class Bit(Row):
    """One named group of bits of a byte."""

    name: str
    at: int
    width: int
    versions: frozenset[int]


@dataclass(frozen=True, eq=False)
class Check(Row):
    """A condition that must be false, as an expression over the names read so far."""

    expression: str
    kind: str
    reason: str
    cites: Cites
    section: str
    binds: str
    meaning: str


@dataclass(frozen=True, eq=False)
class Field(Row):
    """One field of a packet, in wire order."""

    name: str
    types: Mapping[int, str]
    versions: frozenset[int]
    when: str
    optional: frozenset[int]
    missing: Cites
    also: Cites
    absent: Cites
    rules: Mapping[str, Cites]
    bits: tuple[Bit, ...]
    checks: tuple[Check, ...]
    codes: Mapping[int, tuple[int, ...]]
    cites: Cites
    zero: Mapping[str, Cites]
    empty: Cites
    items: tuple[Field, ...]
    item_class: str
    set: str
    names: Mapping[str, tuple[int, ...]]
    reason: str
    section: str
    binds: str
    meaning: str

    @property
    def type(self) -> str:
        """The type in 5.0, or in the last version that has the field."""
        return self.types[max(self.versions)]


@dataclass(frozen=True, eq=False)
class Packet(Row):
    """One Control Packet."""

    code: int
    name: str
    class_name: str
    section: str
    senders: Mapping[int, frozenset[str]]
    flags: int
    flag_cites: Cites
    header_bits: tuple[Bit, ...]
    header_checks: tuple[Check, ...]
    fields: tuple[Field, ...]

    def every_field(self) -> Iterator[Field]:
        """Yield its fields. The items of a list follow it."""
        for one in self.fields:
            yield one
            yield from one.items


@dataclass(frozen=True, eq=False)
class Place(Row):
    """A place where a property may occur: the property set of a packet (or WILL), and the sides that may send it there.

    `belongs` (`message`, `connection` or `subscriber`), `counts_down` and `says_utf8` say what a server does with the
    property when it forwards the message. Only rows for `BLOCK` have them.
    """

    packet: str
    senders: frozenset[str]
    section: str
    many: bool
    required: str
    belongs: str
    counts_down: bool
    says_utf8: bool


@dataclass(frozen=True, eq=False)
class Limits(Row):
    """The legal values of a property, and the breach of others."""

    minimum: int
    allowed: tuple[int, ...]
    breach: str
    cites: str


@dataclass(frozen=True, eq=False)
class Placement(Row):
    """A place where a property may not occur, with a breach other than the general one."""

    packet: str
    sender: str
    breach: str
    cites: str


@dataclass(frozen=True, eq=False)
class Property(Row):
    """One property."""

    id: int
    name: str
    title: str
    type: str
    places: tuple[Place, ...]
    repeat: str
    limits: Limits | None
    needs: str
    needs_in: tuple[str, ...]
    needs_breach: str
    elsewhere: tuple[Placement, ...]
    also: tuple[str, ...]
    cites: Mapping[str, str]

    def place(self, packet: str) -> Place | None:
        """Return the row that allows this property in `packet`, from any sender, or None."""
        return next((p for p in self.places if p.packet == packet), None)

    def in_block(self) -> Place:
        """Return the row that allows this property in `BLOCK`, which must exist."""
        return next(p for p in self.places if p.packet == BLOCK)

    def sent_in(self, packet: str, sender: str) -> bool:
        """True if `sender` may put this property into `packet`."""
        return any(p.packet == packet and sender in p.senders for p in self.places)

    def repeatable(self, packet: str) -> bool:
        """True if this property may occur more than once in `packet`."""
        place = self.place(packet)
        return place is not None and place.many


@dataclass(frozen=True, eq=False)
class Reason(Row):
    """One meaning of a Reason Code, and the packets that may carry it: (packet, senders, tolerated)."""

    code: int
    name: str
    title: str
    places: tuple[tuple[str, frozenset[str], bool], ...]
    v3: int | None


@dataclass(frozen=True, eq=False)
class ReturnCode(Row):
    """A return code of a 3.x CONNACK."""

    code: int
    name: str
    title: str


@dataclass(frozen=True, eq=False)
class Statement(Row):
    """One rule of a standard, numbered by it or minted here."""

    id: str
    version: int
    level: str
    binds: str
    section: str
    meaning: str
    source: str
    minted: bool
    confirmed: str


@dataclass(frozen=True, eq=False)
class Reaction(Row):
    """What a receiver must do when a rule is broken, and what else it may do."""

    rule: str
    versions: frozenset[int]
    state: str
    receiver: str
    action: str
    code: str
    allowed: tuple[str, ...]
    cites: str


@dataclass(frozen=True, eq=False)
class Spec:
    """All tables, read and checked against each other."""

    rules: Mapping[str, Rule]
    wires: Mapping[str, Wire]
    semantics: Mapping[str, Semantic]
    packets: tuple[Packet, ...]
    properties: tuple[Property, ...]
    unknown_property: Rule
    reasons: tuple[Reason, ...]
    return_codes: tuple[ReturnCode, ...]
    failures_from: int
    statements: Mapping[str, Statement]
    reactions: tuple[Reaction, ...]
    sources: Mapping[str, str] = field(default_factory=dict)

    def reason_code(self, name: str) -> int:
        """Return the number of a Reason Code."""
        return next(r.code for r in self.reasons if r.name == name)

    def packet(self, name: str) -> Packet:
        """Return the packet with that name."""
        return next(p for p in self.packets if p.name == name)

    def wire_of(self, type_name: str) -> str:
        """Return the wire type of a wire or semantic type."""
        return self.semantics[type_name].wire if type_name in self.semantics else type_name

    def type_rules(self, type_name: str) -> tuple[str, ...]:
        """Return the rules of a type: those of its wire type, then its own."""
        if type_name in self.semantics:
            semantic = self.semantics[type_name]
            return self.wires[semantic.wire].rules + semantic.rules
        return self.wires[type_name].rules

    def reasons_for(self, packet: str, sender: str, *, tolerated: bool = True) -> tuple[Reason, ...]:
        """Return the Reason Codes that `sender` may put into `packet`, in code order."""
        return tuple(
            r
            for r in sorted(self.reasons, key=lambda r: r.code)
            if any(p == packet and sender in who and (tolerated or not slip) for p, who, slip in r.places)
        )

    def property_sets(self) -> tuple[str, ...]:
        """Return the names of the property sets: the packets that have one, and WILL."""
        return tuple(dict.fromkeys(f.set for p in self.packets for f in p.fields if f.set))

    def property_set(self, packet: str, sender: str = "") -> tuple[Property, ...]:
        """Return the properties that `sender` may put into `packet`; without `sender`, those of both sides."""
        return tuple(p for p in self.properties if (p.sent_in(packet, sender) if sender else p.place(packet)))

    def block_set(self) -> tuple[tuple[int, Property, Place], ...]:
        """Return the properties of `BLOCK` with their rows, each with its bit in `Block.present`."""
        return tuple((1 << at, p, p.in_block()) for at, p in enumerate(self.property_set(BLOCK)))

    def will_set(self) -> tuple[Property, ...]:
        """Return the properties of a published will: those that both WILL and `BLOCK` have."""
        return tuple(p for p in self.property_set(BLOCK) if p.place("WILL"))

    def rows(self) -> Iterator[Row]:
        """Yield every row of every table, including nested rows."""
        todo: list[Any] = [
            *self.rules.values(), *self.wires.values(), *self.semantics.values(), *self.packets, *self.properties,
            *self.reasons, *self.return_codes, *self.statements.values(), *self.reactions,
        ]  # fmt: skip
        while todo:
            row = todo.pop()
            if isinstance(row, Row):
                yield row
                todo.extend(object.__getattribute__(row, f.name) for f in fields(row))  # type: ignore[arg-type]
            elif isinstance(row, tuple):
                todo.extend(row)

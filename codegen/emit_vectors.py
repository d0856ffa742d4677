# SPDX-License-Identifier: MIT
"""Emits malformed-input vectors: every way in which a packet can break a row of the tables, and what that breaks.

Nothing here decodes. A sample packet is laid out field by field, one spot of it is damaged, and since the damage is
known, so is the statement it breaks and the byte at which a reader notices (docs/design/offsets.md).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from codegen.model import (
    CLIENT,
    KINDS,
    SERVER,
    V5,
    V31,
    V311,
    Check,
    Cites,
    Field,
    Packet,
    Property,
    Spec,
)
from codegen.text import HEADER, all_list

__all__ = ["emit"]

LABELS = {V5: "v5", V311: "v311", V31: "v31", 0: "new"}
NEW = 0
TEXTS = {"client_id": "c1", "will_topic": "w/t", "username": "user", "topic": "a/b"}
FILTERS = ("a/b", "c/+")
VBI_MAXIMUM = 268_435_455

# kind, what stands between "a" and "b", the byte of it that cannot stand there
ILL_FORMED = (
    ("utf8-continuation", b"\x80", 0),
    ("utf8-continuation", b"\xbf", 0),
    ("utf8-overlong-2", b"\xc0\x80", 0),
    ("utf8-overlong-2", b"\xc1\xbf", 0),
    ("utf8-overlong-3", b"\xe0\x80\x80", 1),
    ("utf8-overlong-3", b"\xe0\x9f\xbf", 1),
    ("utf8-overlong-4", b"\xf0\x80\x80\x80", 1),
    ("utf8-overlong-4", b"\xf0\x8f\xbf\xbf", 1),
    ("utf8-surrogate", b"\xed\xa0\x80", 1),
    ("utf8-surrogate", b"\xed\xbf\xbf", 1),
    ("utf8-above", b"\xf4\x90\x80\x80", 1),
    ("utf8-lead", b"\xf5\x80\x80\x80", 0),
    ("utf8-lead", b"\xf8\x88\x80\x80\x80", 0),
    ("utf8-lead", b"\xfe", 0),
    ("utf8-lead", b"\xff", 0),
    ("utf8-broken", b"\xc3\x28", 1),
    ("utf8-broken", b"\xe2\x28\xa1", 1),
    ("utf8-broken", b"\xe2\x82\x28", 2),
    ("utf8-broken", b"\xf0\x28\x8c\xbc", 1),
    ("utf8-broken", b"\xf0\x9f\x28\xbc", 2),
    ("utf8-broken", b"\xf0\x9f\x92\x28", 3),
)
CUT_SHORT = (b"\xc3", b"\xe2", b"\xe2\x82", b"\xf0", b"\xf0\x9f", b"\xf0\x9f\x92", b"\xe0\x80")
WELL_FORMED = (
    "", "\x01", "\x7f", "\x9f", "\u07ff", "\u0800", "\ud7ff", "\ue000", "\ufeff", "\uffff", "\U00010000", "\U0010ffff",
)  # fmt: skip

# what a topic name holds, the rule it breaks, the byte
NAMES = (
    (b"+", "topic_wildcard", 0),
    (b"#", "topic_wildcard", 0),
    (b"a/+", "topic_wildcard", 2),
    (b"a/#", "topic_wildcard", 2),
    (b"a+b", "topic_wildcard", 1),
    (b"ab#+", "topic_wildcard", 2),
    (b"a#\xff", "topic_wildcard", 1),
    (b"+\x00", "topic_wildcard", 0),
    (b"\xc3+", "utf8_ill_formed", 1),
    (b"\xff#", "utf8_ill_formed", 0),
    (b"a\x00#", "utf8_null", 1),
)
PLAIN_FILTERS = (
    (b"a#", "filter_hash", 1),
    (b"#a", "filter_hash", 0),
    (b"#/a", "filter_hash", 0),
    (b"##", "filter_hash", 0),
    (b"a/b#", "filter_hash", 3),
    (b"a/#/b", "filter_hash", 2),
    (b"/#a", "filter_hash", 1),
    (b"+#", "filter_hash", 1),
    (b"#\x80", "filter_hash", 0),
    (b"#\x00", "filter_hash", 0),
    (b"a+", "filter_plus", 1),
    (b"+a", "filter_plus", 1),
    (b"++", "filter_plus", 1),
    (b"a/+b", "filter_plus", 3),
    (b"a/b+", "filter_plus", 3),
    (b"a/b+/c", "filter_plus", 3),
    (b"+/a+", "filter_plus", 3),
    (b"+/+/b+/#", "filter_plus", 5),
    (b"a+\x80", "filter_plus", 1),
    (b"+\xc3\x28", "filter_plus", 1),
    (b"a+/#/#", "filter_plus", 1),
    (b"+\x80", "utf8_ill_formed", 1),
    (b"\x80#", "utf8_ill_formed", 0),
    (b"+\x00", "utf8_null", 1),
    (b"\x00#a", "utf8_null", 0),
)
SHARED_FILTERS = (
    (b"$share/", "share_name_empty", 6),
    (b"$share//", "share_name_empty", 7),
    (b"$share//a", "share_name_empty", 7),
    (b"$share///a", "share_name_empty", 7),
    (b"$share/g", "share_name_form", 7),
    (b"$share/group", "share_name_form", 11),
    (b"$share/g/", "share_name_form", 8),
    (b"$share/+", "share_name_form", 7),
    (b"$share/+/a", "share_name_form", 7),
    (b"$share/#/a", "share_name_form", 7),
    (b"$share/g+/a", "share_name_form", 8),
    (b"$share/g#h/a", "share_name_form", 8),
    (b"$share/+\x80/a", "share_name_form", 7),
    (b"$share/\x80", "utf8_ill_formed", 7),
    (b"$share/\x80/a", "utf8_ill_formed", 7),
    (b"$share/g\x00/+a", "utf8_null", 8),
    (b"$share/g/a#", "filter_hash", 10),
    (b"$share/g/#/a", "filter_hash", 9),
    (b"$share/g/a+", "filter_plus", 10),
    (b"$share/g/+a", "filter_plus", 10),
    (b"$share/g/+/\x80", "utf8_ill_formed", 11),
)
GOOD_FILTERS = (
    "#", "+", "/", "//", "/#", "/+", "+/+", "+/#", "a//b", "a/#", "+/a/+", "$", "$SYS/#", "$share", "$sharea/b",
    "$Share//a", "$share/g/a", "$share/g/#", "$share/g/+", "$share/g//", "$share/g/+/a/#", "a/$share/+",
)  # fmt: skip


def emit(spec: Spec) -> dict[str, str]:
    """The files of this emitter, by path."""
    maker = _Maker(spec)
    maker.run()
    text = "".join(f"{line}\n" for line in maker.lines)
    assert not set('"\\') & set(text)
    head = HEADER.format(
        doc="Malformed packets, each with the statement it breaks and where; and legal ones at the edge."
    )
    return {"mqtt_ref/wire/generated/vectors.py": head + MODULE.replace("{text}", text)}


MODULE = f'''
from __future__ import annotations

from functools import cache
from typing import Final, NamedTuple

{all_list(["TEXT", "Vector", "vectors"])}

class Vector(NamedTuple):
    """One packet, and what a receiver of it has to find.

    `kind` groups vectors by what they damage; `legal` ones break nothing and have no statement. `version` is the
    protocol level that the receiver takes the connection to have (0: not known yet), `judged` the one by which the
    packet is judged, which a CONNECT may change. `also` are statements that say the same. `maximum` is the receiver's
    Maximum Packet Size, 0 for none.
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
    """All vectors, in the order of the packets' numbers."""
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


# id | kind | the packet in hex, spaced by field | statement | Reason Code, offset, field | what else there is to say
TEXT: Final = """\\
{{text}}"""
'''


def _vbi(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _padded(data: bytes, size: int) -> bytes:
    """The same Variable Byte Integer in `size` bytes, more than needed."""
    return bytes(b | 128 for b in data) + b"\x80" * (size - len(data) - 1) + b"\x00"


def _string(text: bytes | str) -> bytes:
    raw = text.encode() if isinstance(text, str) else text
    return len(raw).to_bytes(2, "big") + raw


@dataclass(frozen=True)
class Atom:
    """One piece of a packet that is read as a whole."""

    field: str
    role: str
    data: bytes
    source: Field | Property
    section: str = ""
    last: bool = False
    """The packet (or the section) may end before this piece."""
    head: bool = False
    """The first of a list: without it the list is empty."""


@dataclass(frozen=True)
class Found:
    """What a damaged packet breaks."""

    statement: str
    reason: int
    offset: int
    field: str
    also: tuple[str, ...] = ()
    judged: int | None = None
    level: str = "must"


@dataclass(frozen=True)
class Draft:
    """A packet laid out in atoms; the Remaining Length and Property Lengths are filled in."""

    packet: Packet
    version: int
    sender: str
    flags: int
    atoms: tuple[Atom, ...]
    length: bytes | None = None

    def filled(self) -> list[bytes]:
        out = []
        for atom in self.atoms:
            if atom.role == "proplen" and not atom.data:
                out.append(_vbi(sum(len(a.data) for a in self.atoms if a.section == atom.field)))
            else:
                out.append(atom.data)
        return out

    def head(self) -> list[bytes]:
        size = sum(len(d) for d in self.filled())
        return [bytes([self.packet.code << 4 | self.flags]), _vbi(size) if self.length is None else self.length]

    def pieces(self) -> list[bytes]:
        return [*self.head(), *self.filled()]

    def size(self) -> int:
        return sum(len(p) for p in self.pieces())

    def at(self, index: int) -> int:
        """Where an atom begins; one past the end for the number of atoms."""
        return sum(len(p) for p in [*self.head(), *self.filled()[:index]])

    def end_of(self, index: int) -> int:
        """Where ends what encloses an atom: its property section, or the packet."""
        section = self.atoms[index].section
        if not section:
            return self.size()
        return self.at(max(i for i, a in enumerate(self.atoms) if a.section == section) + 1)

    def find(self, field: str, role: str = "") -> int:
        return next(i for i, a in enumerate(self.atoms) if a.field == field and role in ("", a.role))

    def has(self, field: str) -> bool:
        return any(a.field == field for a in self.atoms)

    def put(self, index: int, data: bytes) -> Draft:
        return self.replaced(index, replace(self.atoms[index], data=data))

    def replaced(self, index: int, *atoms: Atom) -> Draft:
        return replace(self, atoms=(*self.atoms[:index], *atoms, *self.atoms[index + 1 :]))

    def indexed(self, *roles: str) -> Iterator[tuple[int, Atom]]:
        for i, atom in enumerate(self.atoms):
            if atom.role in roles:
                yield i, atom


Entry = tuple[Property, tuple[bytes, ...]]
"""A property and the pieces of its value: one, or two for a pair."""


class _Maker:
    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.lines: list[str] = []
        self.seen: dict[tuple[int, str, int, bytes], tuple[str, Found | None]] = {}
        self.ids: dict[str, int] = {}

    # ------------------------------------------------------------ rows

    def add(
        self,
        kind: str,
        where: str,
        version: int,
        draft: Draft | Sequence[bytes],
        found: Found | None,
        sender: str = "",
        maximum: int = 0,
        text: str = "",
    ) -> None:
        """Note a vector; the same bytes are noted once, and always with the same finding."""
        pieces = draft.pieces() if isinstance(draft, Draft) else draft
        who = draft.sender if isinstance(draft, Draft) else sender
        data = b"".join(pieces)
        key = (version, who, maximum, data)
        if not text and key in self.seen:
            name, before = self.seen[key]
            if before != found:
                raise AssertionError(f"{where}: {found} but {name}: {before}")
            return
        name = f"{LABELS[version]}/{who}/{where}"
        self.ids[name] = self.ids.get(name, 0) + 1
        if self.ids[name] > 1:
            name += f"-{self.ids[name]}"
        if not text:
            self.seen[key] = (name, found)
        words = [name, kind, text or " ".join(p.hex() for p in pieces if p)]
        if found is None:
            assert kind == "legal", name
            if maximum:
                words.append(str(maximum))
        else:
            assert found.statement in self.spec.statements, (name, found)
            more = []
            if found.also:
                more.append("also=" + ",".join(found.also))
            if found.judged is not None and found.judged != version:
                more.append(f"judged={found.judged}")
            if found.level != "must":
                more.append(f"level={found.level}")
            if maximum:
                more.append(f"maximum={maximum}")
            words += [found.statement, f"{found.reason:02x} {found.offset} {found.field}".rstrip()]
            if more:
                words.append(" ".join(more))
        self.lines.append(" | ".join(words))

    def found(
        self, cites: Cites, reason: str, version: int, offset: int, field: str, also: tuple[str, ...] = ()
    ) -> Found | None:
        """What breaks, or None where the version has no such rule."""
        statement = cites.get(version or V5)
        if statement is None:
            return None
        others = tuple(a for a in also if a != statement)
        level = self.spec.statements[statement].level
        return Found(statement, self.spec.reason_code(reason), offset, field, others, level=level)

    def rule(
        self, name: str, version: int, offset: int, field: str, source: Field | Property | None = None
    ) -> Found | None:
        """The breach of one of the general rules, as the field or property cites it."""
        if isinstance(source, Property) and self.spec.wire_of(source.type) == "utf8_pair":
            name = {"utf8_ill_formed": "pair_ill_formed", "utf8_null": "pair_null"}.get(name, name)
        rule = self.spec.rules[name]
        cites: Cites = dict(rule.cites)
        also: tuple[str, ...] = ()
        if isinstance(source, Field):
            cites = {**cites, **source.rules.get(name, {})}
            if rule.kind == "utf8" and (version or V5) in source.also:
                also = (source.also[version or V5],)
        elif isinstance(source, Property):
            if name in source.cites:
                cites = {V5: source.cites[name]}
            if rule.kind == "utf8":
                also = source.also
        return self.found(cites, rule.reason, version, offset, field, also)

    def must(self, found: Found | None) -> Found:
        assert found is not None
        return found

    # ------------------------------------------------------------ sample packets

    def entry(self, prop: Property) -> Entry:
        """A property with a legal value."""
        wire = self.spec.wire_of(prop.type)
        if wire in ("u8", "u16", "u32"):
            value = 1 if prop.limits else 10
            return prop, (value.to_bytes(self.spec.wires[wire].bytes, "big"),)
        if wire == "vbi":
            return prop, (_vbi(300),)
        if wire == "binary":
            return prop, (_string(b"\x01\x02"),)
        if wire == "utf8_pair":
            return prop, (_string("k"), _string("v"))
        return prop, (_string("r/t" if "topic_wildcard" in self.spec.type_rules(prop.type) else "text"),)

    def allowed(self, name: str, sender: str) -> list[Property]:
        """The properties that `sender` may put into a property set."""
        out = []
        for prop in self.spec.properties:
            place = prop.place(name)
            if place is not None and sender in place.senders:
                out.append(prop)
        return out

    def many(self, prop: Property, name: str) -> bool:
        place = prop.place(name)
        return place is not None and place.many

    def required(self, name: str, sender: str) -> list[Property]:
        out = []
        for prop in self.allowed(name, sender):
            place = prop.place(name)
            if place is not None and place.required:
                out.append(prop)
        return out

    def section(self, field: Field, entries: Iterable[Entry]) -> list[Atom]:
        """A property section: its length, then identifiers and values."""
        wires = {"vbi": "vbi", "utf8": "utf8", "utf8_pair": "utf8", "binary": "binary"}
        out = []
        for prop, values in entries:
            name = f"{field.name}.{prop.name}"
            out.append(Atom(name, "id", bytes([prop.id]), prop, field.name, last=True))
            role = wires.get(self.spec.wire_of(prop.type), "int")
            out += [Atom(name, role, value, prop, field.name) for value in values]
        return out

    def codes(self, packet: Packet, field: Field, version: int, sender: str) -> list[int]:
        """The codes that may stand in a reason field."""
        if version in field.codes:
            return sorted(field.codes[version])
        return sorted({r.code for r in self.spec.reasons_for(packet.name, sender)})

    def draft(
        self,
        packet: Packet,
        version: int,
        sender: str,
        *,
        full: bool = False,
        sets: Mapping[str, Sequence[Entry]] | None = None,
        bits: Mapping[str, int] | None = None,
        flags: int | None = None,
    ) -> Draft:
        """A legal packet: `full` with every field and property, otherwise with what has to be there."""
        bits = bits or {}
        sets = sets or {}
        if flags is None:
            flags = (0b0011 if full else 0) if packet.header_bits else packet.flags
        env: dict[str, Any] = {b.name: flags >> b.at & (1 << b.width) - 1 for b in packet.header_bits}
        atoms: list[Atom] = []
        for field in packet.fields:
            if version not in field.versions or (field.when and not eval(field.when, {}, env)):
                continue
            last = version in field.optional
            kind = field.types[version]
            if kind == "protocol":
                name = next(n for n, levels in field.names.items() if version in levels)
                atoms.append(Atom(field.name, "name", _string(name), field))
                atoms.append(Atom(field.name, "level", bytes([version]), field))
            elif kind == "bits":
                atoms += self.bit_atoms(field, version, bits, full, env)
            elif kind == "properties":
                entries = sets.get(field.set)
                if entries is None:
                    props = self.allowed(field.set, sender) if full else self.required(field.set, sender)
                    entries = [self.entry(p) for p in props]
                    entries += [self.entry(p) for p in props if full and self.many(p, field.set)]
                atoms.append(Atom(field.name, "proplen", b"", field, last=last))
                atoms += self.section(field, entries)
            elif kind == "reason":
                atoms.append(
                    Atom(field.name, "code", bytes(self.codes(packet, field, version, sender)[:1]), field, last=last)
                )
            elif kind == "reasons":
                codes = self.codes(packet, field, version, sender)
                for number, code in enumerate([codes[0], codes[-1]] if full else codes[:1]):
                    atoms.append(Atom(field.name, "code", bytes([code]), field, last=number > 0, head=number == 0))
            elif kind == "list":
                for number, text in enumerate(FILTERS if full else FILTERS[:1]):
                    for place, item in enumerate(field.items):
                        name = f"{field.name}.{item.name}"
                        if item.types[version] == "bits":
                            atoms += self.bit_atoms(item, version, bits, full and number > 0, dict(env), name)
                        else:
                            head, later = number == 0 and place == 0, number > 0 and place == 0
                            atoms.append(Atom(name, "utf8", _string(text), item, last=later, head=head))
            elif kind == "rest":
                if full:
                    atoms.append(Atom(field.name, "rest", b"hello", field, last=True))
            else:
                wire = self.spec.wire_of(kind)
                if wire == "u16":
                    value = 60 if field.name == "keep_alive" else 7
                    atoms.append(Atom(field.name, "int", value.to_bytes(2, "big"), field, last=last))
                else:
                    text = TEXTS.get(field.name, "data")
                    atoms.append(
                        Atom(field.name, "binary" if wire == "binary" else "utf8", _string(text), field, last=last)
                    )
        return Draft(packet, version, sender, flags, tuple(atoms))

    def bit_atoms(
        self, field: Field, version: int, bits: Mapping[str, int], full: bool, env: dict[str, Any], name: str = ""
    ) -> list[Atom]:
        if field.name in bits:
            value = bits[field.name]
        elif field.name == "connect_flags":
            value = 0b1110_1110 if full else 0b0000_0010
        elif field.name == "options":
            value = (0b0010_1110 if version == V5 else 2) if full else 0
        else:
            value = 0
        env |= self.bit_names(field.bits, value, version)
        return [Atom(name or field.name, "bits", bytes([value]), field)]

    def bit_names(self, bits: Iterable[Any], value: int, version: int) -> dict[str, Any]:
        """What an expression sees of a byte."""
        out: dict[str, Any] = {"value": value}
        for bit in bits:
            out[bit.name] = value >> bit.at & (1 << bit.width) - 1 if version in bit.versions else 0
        return out

    def broken_check(
        self, checks: Sequence[Check], version: int, env: dict[str, Any], offset: int, field: str
    ) -> tuple[Found | None, frozenset[int]]:
        """The first check that fails, by kind and then by order, and the numbers of all that fail."""
        failing = []
        for number, check in enumerate(checks):
            if version in check.cites and eval(check.expression, {}, env):
                failing.append((KINDS.index(check.kind), number))
        if not failing:
            return None, frozenset()
        check = checks[min(failing)[1]]
        return self.found(check.cites, check.reason, version, offset, field), frozenset(n for _, n in failing)

    # ------------------------------------------------------------ all of it

    def run(self) -> None:
        for version in (NEW, V5, V311, V31):
            for sender in (CLIENT, SERVER):
                self.header(version, sender)
        for packet in self.spec.packets:
            for version in (V5, V311, V31):
                for sender in (CLIENT, SERVER):
                    if sender in packet.senders.get(version, frozenset()):
                        self.all_of(packet, version, sender)

    def all_of(self, packet: Packet, version: int, sender: str) -> None:
        full = self.draft(packet, version, sender, full=True)
        plain = self.draft(packet, version, sender)
        self.add("legal", f"{packet.name}/full", version, full, None)
        self.add("legal", f"{packet.name}/plain", version, plain, None)
        self.lengths(packet, plain)
        self.maximum(packet, full)
        if packet.fields and packet.fields[0].types.get(version) == "protocol":
            self.protocol(packet, version, sender)
        for sample, label in ((full, "full"), (plain, "plain")):
            self.truncation(sample, label)
            self.trailing(sample, label)
        self.string_lengths(full)
        self.bit_fields(packet, version, sender)
        self.zeros(full)
        self.reason_codes(packet, plain)
        self.strings(self.bare(packet, version, sender))
        self.edges(self.bare(packet, version, sender))
        self.optional_strings(packet, version, sender)
        for field in packet.fields:
            if field.set and version in field.versions:
                self.properties(packet, field, sender)
        self.cross_fields(packet, version, sender)
        self.order(full)

    # ------------------------------------------------------------ the fixed header

    def header(self, version: int, sender: str) -> None:
        judged = version or V5
        types = {p.code: p for p in self.spec.packets if p.senders.get(judged)}
        reserved = self.must(self.rule("reserved_type", version, 0, "fixed_header"))
        for code in range(16):
            if code in types:
                continue
            for flags in (0, 2, 15):
                for body in (b"", b"\x00\x01"):
                    pieces = [bytes([code << 4 | flags]), _vbi(len(body)), body]
                    self.add(
                        "reserved-type",
                        f"{code}/flags-{flags:04b}-length-{len(body)}",
                        version,
                        pieces,
                        reserved,
                        sender,
                    )
        for packet in types.values():
            if sender not in packet.senders[judged]:
                other = next(iter(packet.senders[judged]))
                draft = replace(self.draft(packet, judged, other), sender=sender)
                found = self.rule("wrong_sender", version, 0, "fixed_header")
                self.add("wrong-sender", f"{packet.name}", version, draft, found)
                wrong = replace(draft, flags=draft.flags ^ 1)
                self.add("wrong-sender", f"{packet.name}/flags-too", version, wrong, found)
                continue
            draft = self.draft(packet, judged, sender)
            for flags in range(16):
                if packet.header_bits:
                    env = self.bit_names(packet.header_bits, flags, judged)
                    sample = self.draft(packet, judged, sender, flags=flags)
                    bad, _ = self.broken_check(packet.header_checks, judged, env, 0, "fixed_header")
                elif flags != packet.flags:
                    sample = replace(draft, flags=flags)
                    bad = self.found(packet.flag_cites, "MALFORMED_PACKET", version, 0, "fixed_header")
                else:
                    sample, bad = draft, None
                if version == NEW and not (bad or packet.name == "CONNECT"):
                    continue
                self.add("flags" if bad else "legal", f"{packet.name}/flags-{flags:04b}", version, sample, bad)

    def lengths(self, packet: Packet, plain: Draft) -> None:
        """Remaining Lengths that are none, or longer than needed."""
        versions = (plain.version, NEW) if packet.name == "CONNECT" else (plain.version,)
        first, shortest = plain.head()
        for version in versions:
            for long in (b"\xff\xff\xff\xff\x7f", b"\x80\x80\x80\x80\x00", b"\xff\xff\xff\xff"):
                found = self.rule("vbi_long", version, 4, "remaining_length")
                self.add(
                    "vbi-long",
                    f"{packet.name}/remaining_length-{long.hex()}",
                    version,
                    [first, long],
                    found,
                    plain.sender,
                )
            for size in range(len(shortest) + 1, 5):
                draft = replace(plain, length=_padded(shortest, size))
                bad = self.rule("vbi_minimal", plain.version, size, "remaining_length")
                if bad is not None and version != plain.version:
                    bad = replace(bad, judged=plain.version)
                self.add(
                    "vbi-minimal" if bad else "legal",
                    f"{packet.name}/remaining_length-{size}-bytes",
                    version,
                    draft,
                    bad,
                )

    def maximum(self, packet: Packet, full: Draft) -> None:
        """A packet of exactly the size that the receiver takes, and one that is a byte too large."""
        rule = self.spec.rules["packet_too_large"]
        size = full.size()
        cites = rule.server if full.sender == SERVER else rule.cites
        offset = len(full.head()[1])
        bad = self.found(cites, rule.reason, full.version, offset, "remaining_length")
        self.add("legal", f"{packet.name}/of-maximum-size", full.version, full, None, maximum=size)
        if size > 2:
            self.add("packet-too-large", f"{packet.name}/too-large", full.version, full, bad, maximum=size - 1)

    # ------------------------------------------------------------ protocol name and level

    def protocol(self, packet: Packet, version: int, sender: str) -> None:
        plain = self.draft(packet, version, sender)
        name, level = plain.find("protocol_version", "name"), plain.find("protocol_version", "level")
        at = plain.at(name)
        names = packet.fields[0].names
        for judged in (version, NEW):
            wrong: list[tuple[bytes, int]] = [
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
            ]
            for data, offset in wrong:
                found = self.rule("protocol_name", judged, at + offset, "protocol_version")
                self.add(
                    "protocol-name",
                    f"{packet.name}/name-{data[2:].hex() or 'empty'}",
                    judged,
                    plain.put(name, data),
                    found,
                )
            long = plain.put(plain.find("client_id"), _string(b"c" * 300))
            for data in (b"\x01\x04MQTT", b"\x01\x00MQTT"):
                # The high byte differs from every known name, whether or not the length fits.
                found = self.rule("protocol_name", judged, long.at(name), "protocol_version")
                self.add(
                    "protocol-name", f"{packet.name}/name-length-{data[:2].hex()}", judged, long.put(name, data), found
                )
            # Its low byte promises more than there is, but the high byte is wrong already.
            found = self.rule("protocol_name", judged, long.at(name), "protocol_version")
            wrong_length = long.put(name, b"\x01\xffMQTT")
            self.add("protocol-name", f"{packet.name}/name-length-beyond", judged, wrong_length, found)
        own = next(n for n, levels in names.items() if version in levels)
        for value in (0, 1, 2, 3, 4, 5, 6, 7, 0x80 | version, 0x7F, 0xFF):
            if value in names[own]:
                continue
            judged = version if own == "MQIsdp" else V311 if value & 0x7F <= V311 else V5
            for receiver in (version, NEW):
                found = self.must(self.rule("protocol_level", judged, plain.at(level), "protocol_version"))
                bad = replace(found, judged=judged)
                self.add(
                    "protocol-level",
                    f"{packet.name}/{own}-level-{value}",
                    receiver,
                    plain.put(level, bytes([value])),
                    bad,
                )

    # ------------------------------------------------------------ lengths

    def cut_at(self, atom: Atom, start: int, there: int) -> int:
        """Where it shows that a piece which begins at `start` has only `there` bytes."""
        if atom.role in ("utf8", "binary", "name") and there >= 2:
            return start if atom.data[0] << 8 > there - 2 else start + 1
        if atom.role in ("vbi", "proplen") and there:
            return start + there - 1
        return start

    def lacking(self, draft: Draft, kept: Sequence[Atom], offset: int) -> Found | None:
        """What a packet breaks that ends (or whose section ends) early, at a place where it may."""
        fields = {a.field for a in kept if a.role == "id"}
        names = {a.field for a in kept}
        for field in draft.packet.fields:
            if field.set and draft.version in field.versions and (not field.when or field.name in names):
                for prop in self.required(field.set, draft.sender):
                    if f"{field.name}.{prop.name}" not in fields:
                        return self.required_found(prop, field, offset)
                for prop in self.allowed(field.set, draft.sender):
                    if prop.needs and field.set in prop.needs_in and f"{field.name}.{prop.name}" in fields:
                        if f"{field.name}.{prop.needs}" not in fields:
                            return self.needs_found(prop, field, offset)
        return None

    def required_found(self, prop: Property, field: Field, offset: int) -> Found | None:
        place = prop.place(field.set)
        assert place is not None
        cites = {V5: f"X5-{field.set.lower()}-{prop.name}-required"}
        return self.found(cites, place.required, V5, offset, field.name)

    def needs_found(self, prop: Property, field: Field, offset: int) -> Found | None:
        return self.found({V5: f"X5-{prop.name}-needs"}, prop.needs_breach, V5, offset, field.name)

    def truncation(self, draft: Draft, label: str) -> None:
        """The packet ends early, its Remaining Length says so: at each byte."""
        name = draft.packet.name
        filled = draft.filled()
        sizes = [len(d) for d in filled]
        for size in range(sum(sizes)):
            head = 1 + len(_vbi(size))
            early = False
            at = 0
            kept: list[Atom] = []
            bad: Found | None = None
            kind = "truncation"
            where = ""
            skip = False
            for atom, data in zip(draft.atoms, filled, strict=True):
                there = size - at
                where = atom.field
                early = atom.role in ("name", "level")
                whole = there >= len(data)
                if whole and atom.role == "proplen":
                    length = sum(len(a.data) for a in draft.atoms if a.section == atom.field)
                    if there < len(data) + length:
                        if len(data) + 1 < there < len(data) + length - 1:
                            skip = True  # every cut within a section shows at the same byte
                        kind = "property-length"
                        bad = self.rule("truncated", draft.version, head + at + len(data) - 1, atom.field)
                        break
                if whole:
                    at += len(data)
                    kept.append(atom)
                    continue
                if there == 0 and (atom.last or atom.role == "rest"):
                    kind, bad = "property-required", self.lacking(draft, kept, head + at - 1)
                elif there == 0 and atom.head:
                    list_field = next(f for f in draft.packet.fields if f.name == atom.field.split(".")[0])
                    kind = "empty-list"
                    where = list_field.name
                    bad = self.found(list_field.empty, list_field.reason, draft.version, head + at, list_field.name)
                elif (
                    there == 0 and isinstance(atom.source, Field) and draft.version in atom.source.missing and not early
                ):
                    kind = "missing"
                    bad = self.found(atom.source.missing, "MALFORMED_PACKET", draft.version, head + at, atom.field)
                elif atom.role == "rest":
                    bad = None
                else:
                    bad = self.rule(
                        "truncated", draft.version, self.cut_at(replace(atom, data=data), head + at, there), atom.field
                    )
                break
            if skip:
                continue
            body = b"".join(filled)[:size]
            pieces = [draft.head()[0], _vbi(size), *self.split(body, sizes)]
            for version in (draft.version, NEW) if early else (draft.version,):
                found = bad
                if early and bad is not None:
                    found = self.rule("truncated", version, bad.offset, bad.field)
                if found is None:
                    self.add("legal", f"{name}/{label}-ends-before-{where}", version, pieces, None, draft.sender)
                else:
                    self.add(kind, f"{name}/{where}/{label}-cut-at-{size}", version, pieces, found, draft.sender)
        for i, atom in draft.indexed("proplen"):
            self.crossing(draft, i, atom, label)

    def split(self, body: bytes, sizes: Sequence[int]) -> list[bytes]:
        """The body in pieces, for people."""
        out = []
        at = 0
        for size in sizes:
            out.append(body[at : at + size])
            at += size
        return out

    def crossing(self, draft: Draft, index: int, length: Atom, label: str) -> None:
        """The property section ends early, its Property Length says so, and the packet goes on: at each byte."""
        field = length.source
        assert isinstance(field, Field)
        inner = [(i, a) for i, a in enumerate(draft.atoms) if a.section == length.field]
        total = sum(len(a.data) for _, a in inner)
        for size in range(1, total):
            at = 0
            within = iter(inner)
            i, atom = next(within)
            while at + len(atom.data) <= size:
                at += len(atom.data)
                i, atom = next(within)
            there = size - at
            kept = [a for j, a in enumerate(draft.atoms) if j < i]
            atoms = list(draft.atoms[:i])
            if there:
                atoms.append(replace(atom, data=atom.data[:there]))
            atoms += [a for j, a in enumerate(draft.atoms) if j > inner[-1][0]]
            cut = replace(draft, atoms=tuple(atoms))
            start = cut.at(i)
            where = f"{draft.packet.name}/{atom.field}"
            if there == 0 and atom.role == "id":
                bad = self.lacking(draft, kept, start - 1)
                if bad is None:
                    self.add(
                        "legal",
                        f"{draft.packet.name}/{label}-section-ends-before-{atom.field}",
                        draft.version,
                        cut,
                        None,
                    )
                    continue
                kind = "property-required" if bad.statement.endswith("required") else "property-needs"
                self.add(kind, f"{where}/{label}-section-ends-at-{size}", draft.version, cut, bad)
            else:
                bad = self.rule("truncated", draft.version, self.cut_at(atom, start, there), atom.field)
                self.add("property-crossing", f"{where}/{label}-section-cut-at-{size}", draft.version, cut, bad)

    def trailing(self, draft: Draft, label: str) -> None:
        """Bytes behind the last field."""
        field = next((f for f in reversed(draft.packet.fields) if draft.version in f.versions), None)
        if field is not None and field.types[draft.version] in ("rest", "list", "reasons"):
            return
        source = Atom("", "rest", b"", self.spec.packets[2].fields[0])
        for extra in (b"\x00", b"\xff\xff", b"\x00\x01a"):
            longer = replace(draft, atoms=(*draft.atoms, replace(source, data=extra)))
            found = self.rule("trailing", draft.version, longer.at(len(draft.atoms)), "")
            self.add("trailing", f"{draft.packet.name}/{label}-and-{extra.hex()}", draft.version, longer, found)

    def string_lengths(self, draft: Draft) -> None:
        """Strings and binary data that promise more than there is."""
        for i, atom in draft.indexed("utf8", "binary", "name"):
            start = draft.at(i)
            rest = draft.end_of(i) - start - 2
            for length, byte in ((rest + 1, 1), (0x0100, 0), (0xFFFF, 0)):
                if length == 0x0100 and rest > 255:
                    continue
                wrong = draft.put(i, length.to_bytes(2, "big") + atom.data[2:])
                where = f"{draft.packet.name}/{atom.field}/length-{length:04x}"
                for version in (draft.version, NEW) if atom.role == "name" else (draft.version,):
                    found = self.rule("truncated", version, start + byte, atom.field)
                    self.add("string-length", where, version, wrong, found)

    # ------------------------------------------------------------ values

    def bit_fields(self, packet: Packet, version: int, sender: str) -> None:
        """Each byte of bits takes all 256 values; the extremes of each set of failing checks are kept."""
        for field in packet.fields:
            if version not in field.versions:
                continue
            if field.types[version] == "bits":
                self.one_bit_field(packet, field, version, sender, field.name, {}, "")
            for item in field.items:
                if item.types[version] == "bits":
                    for text in (*FILTERS[:1], "$share/g/a"):
                        env = {"topic_filter": text}
                        self.one_bit_field(packet, item, version, sender, f"{field.name}.{item.name}", env, text)

    def one_bit_field(
        self, packet: Packet, field: Field, version: int, sender: str, name: str, env: dict[str, Any], text: str
    ) -> None:
        groups: dict[frozenset[int], list[int]] = {}
        founds: dict[frozenset[int], Found | None] = {}
        sample = self.draft(packet, version, sender)
        index = sample.find(name, "bits")
        if text:
            sample = sample.put(index - 1, _string(text))
        at = sample.at(index)
        for value in range(256):
            names = {**env, **self.bit_names(field.bits, value, version)}
            bad, failing = self.broken_check(field.checks, version, names, at, name)
            groups.setdefault(failing, []).append(value)
            founds[failing] = bad
        label = "/shared" if text.startswith("$") else ""
        for failing, values in groups.items():
            chosen = sorted({values[0], values[-1], *(v for v in values if v.bit_count() == 1)})
            for value in chosen:
                bad = founds[failing]
                if bad is None and field.name == "connect_flags":
                    draft = self.draft(packet, version, sender, bits={field.name: value})
                else:
                    draft = sample.put(index, bytes([value]))
                kind = "legal" if bad is None else "bits"
                if (
                    bad is not None
                    and any(field.checks[n].kind == "cross_field" for n in failing)
                    and len(failing) == 1
                ):
                    kind = "cross-field"
                self.add(kind, f"{packet.name}/{name}{label}/{value:08b}", version, draft, bad)

    def zeros(self, draft: Draft) -> None:
        """Packet identifiers of zero."""
        for i, atom in draft.indexed("int"):
            if isinstance(atom.source, Field) and atom.source.zero:
                cites = atom.source.zero.get(draft.sender) or atom.source.zero.get("both", {})
                found = self.found(cites, atom.source.reason, draft.version, draft.at(i) + 1, atom.field)
                kind = "packet-id-zero" if found else "legal"
                self.add(kind, f"{draft.packet.name}/{atom.field}/zero", draft.version, draft.put(i, b"\0\0"), found)
                self.add(
                    "legal", f"{draft.packet.name}/{atom.field}/largest", draft.version, draft.put(i, b"\xff\xff"), None
                )

    def reason_codes(self, packet: Packet, plain: Draft) -> None:
        """Codes that may not stand there: all that the standard knows, and the neighbours of those that may."""
        version = plain.version
        for i, atom in plain.indexed("code"):
            field = atom.source
            assert isinstance(field, Field)
            allowed = set(self.codes(packet, field, version, plain.sender))
            known = {r.code for r in self.spec.reasons} if version == V5 else set(range(8)) | {0x80, 0x82, 0x83}
            near = {c + d for c in allowed for d in (-1, 1)} | {0x7F, 0x81, 0xA3, 0xFE, 0xFF}
            for code in sorted(c for c in (known | near) - allowed if 0 <= c < 256):
                found = self.found(field.cites, field.reason, version, plain.at(i), atom.field)
                self.add(
                    "reason-code", f"{packet.name}/{atom.field}/{code:02x}", version, plain.put(i, bytes([code])), found
                )
            for code in sorted(allowed):
                self.add("legal", f"{packet.name}/{atom.field}/{code:02x}", version, plain.put(i, bytes([code])), None)
            if len(allowed) > 1 and field.types[version] == "reasons":
                bad = next(c for c in range(256) if c not in allowed)
                three = plain.put(i, bytes([max(allowed), bad, bad]))
                found = self.found(field.cites, field.reason, version, plain.at(i) + 1, atom.field)
                self.add("reason-code", f"{packet.name}/{atom.field}/second", version, three, found)

    # ------------------------------------------------------------ strings

    def type_of(self, atom: Atom, version: int) -> str:
        return atom.source.types[version] if isinstance(atom.source, Field) else atom.source.type

    def bare(self, packet: Packet, version: int, sender: str) -> Draft:
        """A packet with every field, and no property that need not be there."""
        sets = {f.set: [self.entry(p) for p in self.required(f.set, sender)] for f in packet.fields if f.set}
        return self.draft(packet, version, sender, full=True, sets=sets)

    def strings(self, draft: Draft) -> None:
        """Everything that can be wrong with the text of each field that is a string."""
        done = set()
        for i, atom in draft.indexed("utf8"):
            if atom.field not in done and not atom.section:
                done.add(atom.field)
                self.one_string(draft, i, atom, f"{draft.packet.name}/{atom.field}")

    def property_strings(self, draft: Draft, prop: Property, path: str) -> None:
        """Everything that can be wrong with the text of a property, of both halves of a pair."""
        parts = [(i, a) for i, a in draft.indexed("utf8") if a.source is prop]
        for (i, atom), part in zip(parts, ("/key", "/value") if len(parts) == 2 else ("",), strict=True):
            self.one_string(draft, i, atom, f"{path}.{prop.name}{part}")

    def one_string(self, draft: Draft, i: int, atom: Atom, where: str) -> None:
        version = draft.version
        rules = self.spec.type_rules(self.type_of(atom, version))

        def text(kind: str, data: bytes, rule: str, at: int) -> None:
            wrong = draft.put(i, _string(data))
            head = wrong.at(i) + 2
            found = self.rule(rule, version, head + at, atom.field, atom.source)
            label = f"{kind}-{data.hex()}" if kind.startswith("utf8") else data.decode("ascii", "backslashreplace")
            label = label.replace("\\", "%").replace("\0", "%x00")
            self.add(kind if found else "legal", f"{where}/{label}", version, wrong, found)

        for kind, data, at in ILL_FORMED:
            text(kind, b"a" + data + b"b", "utf8_ill_formed", 1 + at)
        for data in CUT_SHORT:
            text("utf8-truncated", b"a" + data, "utf8_ill_formed", 1)
        text("utf8-null", b"a\x00b", "utf8_null", 1)
        text("utf8-null", b"\x00", "utf8_null", 0)
        text("utf8-null", b"ab\x00\xff", "utf8_null", 2)
        text("utf8-surrogate", b"\xed\xa0\xbd\xed\xb8\x80", "utf8_ill_formed", 1)
        text("utf8-order", b"\xff\x00", "utf8_ill_formed", 0)
        if "topic_wildcard" in rules:
            for data, rule, at in NAMES:
                text(rule.replace("_", "-") if rule.startswith("topic") else "utf8-order", data, rule, at)
        if "filter_hash" in rules:
            for data, rule, at in PLAIN_FILTERS:
                text(rule.replace("_", "-") if rule.startswith("filter") else "utf8-order", data, rule, at)
            for data, rule, at in SHARED_FILTERS if version == V5 else ():
                text("utf8-order" if rule.startswith("utf8") else rule.replace("_", "-"), data, rule, at)
        if "topic_empty" in rules:
            wrong = draft.put(i, b"\0\0")
            found = self.rule("topic_empty", version, wrong.at(i) + 1, atom.field, atom.source)
            self.add("topic-empty", f"{where}/empty", version, wrong, found)

    def edges(self, draft: Draft) -> None:
        """Texts that look odd and are legal."""
        version = draft.version
        name = draft.packet.name
        done = set()
        for i, atom in draft.indexed("utf8"):
            if atom.field in done or atom.section:
                continue
            done.add(atom.field)
            rules = self.spec.type_rules(self.type_of(atom, version))
            for text in WELL_FORMED:
                if text or "topic_empty" not in rules:
                    if text or atom.field != "topic":
                        self.add(
                            "legal",
                            f"{name}/{atom.field}/{text.encode().hex() or 'empty'}",
                            version,
                            draft.put(i, _string(text)),
                            None,
                        )
            if "filter_hash" in rules:
                for text in GOOD_FILTERS:
                    options = b"\x00"
                    good = draft.put(i, _string(text))
                    if good.atoms[min(i + 1, len(good.atoms) - 1)].role == "bits":
                        good = good.put(i + 1, options)
                    self.add("legal", f"{name}/{atom.field}/{text}", version, good, None)
                if version != V5:
                    for data in (b"$share/", b"$share//a", b"$share/g", b"$share/+/a"):
                        self.add(
                            "legal", f"{name}/{atom.field}/{data.decode()}", version, draft.put(i, _string(data)), None
                        )
            if not atom.field.startswith("will"):
                self.longest(draft, i, atom)

    def longest(self, draft: Draft, index: int, atom: Atom) -> None:
        """A string of 65,535 bytes."""
        size = draft.size() - len(draft.head()[1]) - 1 - len(atom.data) + 65_537
        pieces = [draft.head()[0], _vbi(size), *draft.filled()]
        words = [p.hex() for p in pieces]
        words[2 + index] = "ffff 61*65535"
        where = f"{draft.packet.name}/{atom.field}/65535-bytes"
        self.add("legal", where, draft.version, draft, None, text=" ".join(w for w in words if w))

    def optional_strings(self, packet: Packet, version: int, sender: str) -> None:
        """A CONNECT whose flags ask for one field alone."""
        if packet.name != "CONNECT":
            return
        for flags, label in (
            (0x82, "username"),
            (0x42, "password"),
            (0x06, "will"),
            (0x26, "retained-will"),
            (0x16, "will-qos-2"),
        ):
            value = flags
            names = self.bit_names(packet.fields[1].bits, value, version)
            bad, _ = self.broken_check(packet.fields[1].checks, version, names, 0, "")
            if bad is not None:
                continue
            draft = self.draft(packet, version, sender, bits={"connect_flags": value})
            self.add("legal", f"{packet.name}/{label}-alone", version, draft, None)
            self.truncation(draft, f"{label}-alone")

    # ------------------------------------------------------------ properties

    def properties(self, packet: Packet, field: Field, sender: str) -> None:
        """Each property where it may not stand, twice, with each value it may not have; and Property Lengths."""
        bits = {"connect_flags": 0b0000_0110} if field.set == "WILL" else {}
        required = [self.entry(p) for p in self.required(field.set, sender)]
        path = f"{packet.name}/{field.name}"

        def build(entries: Sequence[Entry]) -> Draft:
            return self.draft(packet, V5, sender, sets={field.set: entries}, bits=bits)

        empty = build(required)
        index = empty.find(field.name, "proplen")
        allowed = self.allowed(field.set, sender)
        for prop in self.spec.properties:
            entry = self.entry(prop)
            if prop not in allowed:
                self.misplaced(packet, field, sender, prop, build([*required, entry]), path)
                continue
            others = [e for e in required if e[0] is not prop]
            if prop.needs and field.set in prop.needs_in:
                for more in ([], [self.entry(p) for p in allowed if p.name == "user_property"]):
                    draft = build([*others, entry, *more])
                    end = draft.at(index + 1) + sum(len(a.data) for a in draft.atoms if a.section == field.name) - 1
                    found = self.needs_found(prop, field, end)
                    self.add("property-needs", f"{path}.{prop.name}/without-{prop.needs}", V5, draft, found)
                others = [*others, self.entry(next(p for p in allowed if p.name == prop.needs))]
            one = build([*others, entry])
            self.add("legal", f"{path}.{prop.name}", V5, one, None)
            self.add("legal", f"{path}.{prop.name}/first", V5, build([entry, *others]), None)
            twice = build([*others, entry, entry])
            at = max(i for i, a in twice.indexed("id"))
            if self.many(prop, field.set):
                self.add("legal", f"{path}.{prop.name}/twice", V5, twice, None)
            else:
                found = self.found(
                    {V5: f"X5-{prop.name}-once"}, prop.repeat, V5, twice.at(at), f"{field.name}.{prop.name}"
                )
                self.add("property-twice", f"{path}.{prop.name}/twice", V5, twice, found)
                apart = build([*others, entry, *self.users(allowed), entry])
                at = max(i for i, a in apart.indexed("id") if a.source is prop)
                again = replace(self.must(found), offset=apart.at(at))
                self.add("property-twice", f"{path}.{prop.name}/twice-apart", V5, apart, again)
            self.values(prop, one, path)
            if any(a.role == "utf8" and a.source is prop for a in one.atoms):
                self.property_strings(one, prop, path)
        self.unknown(field, build, required, path)
        self.property_lengths(empty, index, field, path)
        everything = [self.entry(p) for p in allowed]
        self.add("legal", f"{path}/reversed", V5, build(everything[::-1]), None)
        for prop, _ in required:
            for more in ([], self.users(allowed)):
                draft = build(more)
                end = draft.at(index + 1) + sum(len(a.data) for a in draft.atoms if a.section == field.name) - 1
                self.add(
                    "property-required", f"{path}.{prop.name}/absent", V5, draft, self.required_found(prop, field, end)
                )

    def users(self, allowed: Iterable[Property]) -> list[Entry]:
        return [self.entry(p) for p in allowed if p.name == "user_property"]

    def misplaced(self, packet: Packet, field: Field, sender: str, prop: Property, draft: Draft, path: str) -> None:
        at = draft.at(max(i for i, a in draft.indexed("id")))
        cites, reason = f"X5-{prop.name}-placement", self.spec.unknown_property.reason
        for other in prop.elsewhere:
            if other.packet == field.set and other.sender == sender:
                cites, reason = other.cites, other.breach
        found = self.found({V5: cites}, reason, V5, at, f"{field.name}.{prop.name}")
        self.add("property-placement", f"{path}.{prop.name}/misplaced", V5, draft, found)

    def unknown(self, field: Field, build: Any, required: Sequence[Entry], path: str) -> None:
        """Identifiers that no property has; with a continuation bit there is none either."""
        ids = {p.id for p in self.spec.properties}
        rule = self.spec.unknown_property
        chosen = [c for c in (0, 4, 0x0A, 0x0C, 0x14, 0x1B, 0x20, 0x2B, 0x7F) if c not in ids]
        for code in [*chosen, 0x80, 0x81, 0xA6, 0xFF]:
            for tail in (b"", b"\x00", b"\x01\x00\x01"):
                draft = build(required)
                length = draft.find(field.name, "proplen")
                last = max((i for i, a in enumerate(draft.atoms) if a.section == field.name), default=length)
                odd = Atom(field.name, "odd", bytes([code]) + tail, field, field.name)
                wrong = draft.replaced(last, draft.atoms[last], odd)
                found = self.found(rule.cites, rule.reason, V5, wrong.at(last + 1), field.name)
                kind = "property-unknown"
                if code > 127 and not tail:
                    # It is a Variable Byte Integer: cut off and unknown at the same byte, and length comes first.
                    kind, found = "vbi-cut", self.rule("truncated", V5, wrong.at(last + 1), field.name)
                label = f"unknown-{code:02x}-{tail.hex()}".rstrip("-")
                self.add(kind, f"{path}/{label}", V5, wrong, found)

    def values(self, prop: Property, draft: Draft, path: str) -> None:
        """Values out of range, and what only one wire type can get wrong."""
        index = max(i for i, a in enumerate(draft.atoms) if a.source is prop and a.role != "id")
        atom = draft.atoms[index]
        wire = self.spec.wire_of(prop.type)
        where = f"{path}.{prop.name}"
        size = self.spec.wires[wire].bytes
        good: list[bytes] = []
        if wire in ("u8", "u16", "u32", "vbi") and prop.limits:
            limits = prop.limits
            cites = limits.cites or f"X5-{prop.name}-range"
            bad = (
                [v for v in (0, 1, 2, 3, 0x7F, 0x80, 0xFF) if v not in limits.allowed]
                if limits.allowed
                else range(limits.minimum)
            )
            for value in bad:
                data = _vbi(value) if wire == "vbi" else value.to_bytes(size, "big")
                wrong = draft.put(index, data)
                found = self.found({V5: cites}, limits.breach, V5, wrong.at(index) + len(data) - 1, atom.field)
                self.add("range", f"{where}/{value}", V5, wrong, found)
            top = VBI_MAXIMUM if wire == "vbi" else 256**size - 1
            for value in limits.allowed or (limits.minimum, top):
                good.append(_vbi(value) if wire == "vbi" else value.to_bytes(size, "big"))
        elif wire in ("u8", "u16", "u32"):
            good += [b"\0" * size, b"\xff" * size]
        elif wire in ("utf8", "binary", "utf8_pair"):
            good += [_string("")] if "topic_empty" not in self.spec.type_rules(prop.type) else []
        if wire == "vbi":
            good += [_vbi(v) for v in (127, 128, 16_383, 16_384, 2_097_151, 2_097_152)]
            for data in (b"\xff\xff\xff\xff\x7f", b"\x80\x80\x80\x80\x01", b"\xff\xff\xff\xff"):
                wrong = draft.put(index, data)
                found = self.rule("vbi_long", V5, wrong.at(index) + 3, atom.field)
                self.add("vbi-long", f"{where}/{data.hex()}", V5, wrong, found)
            for value, length in itertools.product((0, 1, 127), (2, 3, 4)):
                wrong = draft.put(index, _padded(_vbi(value), length))
                found = self.rule("vbi_minimal", V5, wrong.at(index) + length - 1, atom.field)
                self.add("vbi-minimal", f"{where}/{value}-in-{length}-bytes", V5, wrong, found)
            for length in (1, 2, 3):
                wrong = draft.put(index, b"\x80" * length)
                found = self.rule("truncated", V5, wrong.at(index) + length - 1, atom.field)
                self.add("vbi-cut", f"{where}/cut-after-{length}", V5, wrong, found)
        for data in good:
            self.add("legal", f"{where}/{data.hex()}", V5, draft.put(index, data), None)

    def property_lengths(self, draft: Draft, index: int, field: Field, path: str) -> None:
        content = sum(len(a.data) for a in draft.atoms if a.section == field.name)
        behind = sum(len(d) for d in draft.filled()[index + 1 :])
        shortest = _vbi(content)
        for data in (_vbi(behind + 1), b"\x7f", _vbi(behind + 128), b"\xff\xff\xff\x7f"):
            value = sum((b & 127) << 7 * n for n, b in enumerate(data))
            if value > behind:
                wrong = draft.put(index, data)
                found = self.rule("truncated", V5, wrong.at(index) + len(data) - 1, field.name)
                self.add("property-length", f"{path}/length-{value}", V5, wrong, found)
        for data in (b"\xff\xff\xff\xff", b"\x80\x80\x80\x80\x00"):
            wrong = draft.put(index, data)
            self.add(
                "vbi-long",
                f"{path}/length-{data.hex()}",
                V5,
                wrong,
                self.rule("vbi_long", V5, wrong.at(index) + 3, field.name),
            )
        for size in (2, 3, 4):
            wrong = draft.put(index, _padded(shortest, size))
            found = self.rule("vbi_minimal", V5, wrong.at(index) + size - 1, field.name)
            self.add("vbi-minimal", f"{path}/length-in-{size}-bytes", V5, wrong, found)
        for size in (1, 2, 3):
            wrong = replace(draft, atoms=draft.atoms[: index + 1]).put(index, b"\x80" * size)
            found = self.rule("truncated", V5, wrong.at(index) + size - 1, field.name)
            self.add("vbi-cut", f"{path}/length-cut-after-{size}", V5, wrong, found)

    # ------------------------------------------------------------ rules between fields

    def cross_fields(self, packet: Packet, version: int, sender: str) -> None:
        """Every check of a field against those before it, tried with what can make it fail."""
        for field in packet.fields:
            if version not in field.versions or field.types[version] == "bits":
                continue
            for check in field.checks:
                if version not in check.cites:
                    continue
                count = 0
                for label, draft, env in self.attempts(packet, version, sender):
                    if not eval(check.expression, {}, env):
                        continue
                    index = draft.find(field.name)
                    end = draft.at(index + 1) + sum(len(a.data) for a in draft.atoms if a.section == field.name) - 1
                    found = self.found(check.cites, check.reason, version, end, field.name)
                    self.add("cross-field", f"{packet.name}/{field.name}/{label}", version, draft, found)
                    count += 1
                assert count, (packet.name, check.expression)

    def attempts(self, packet: Packet, version: int, sender: str) -> Iterator[tuple[str, Draft, dict[str, Any]]]:
        """Packets whose fields take their special values together, with what an expression sees of them."""
        if packet.name == "CONNACK":
            codes = self.codes(packet, packet.fields[1], version, sender)
            for flags, code in itertools.product((0, 1), codes):
                draft = self.draft(packet, version, sender, bits={"acknowledge_flags": flags})
                draft = draft.put(draft.find("reason_code"), bytes([code]))
                yield f"{flags}-{code:02x}", draft, {"session_present": flags, "reason_code": code}
        elif packet.name == "PUBLISH":
            props = [p for p in self.allowed("PUBLISH", sender) if p.name != "topic_alias"] if version == V5 else []
            for qos in (0, 1, 2):
                for label, entries in (("bare", []), ("with-properties", [self.entry(p) for p in props])):
                    draft = self.draft(packet, version, sender, flags=qos << 1, sets={"PUBLISH": entries})
                    draft = draft.put(draft.find("topic"), b"\0\0")
                    yield f"empty-topic-{label}-qos-{qos}", draft, {"topic": "", "has_topic_alias": False}
        else:
            raise AssertionError(f"no attempts at the checks of {packet.name}")

    # ------------------------------------------------------------ two breaches

    def order(self, full: Draft) -> None:
        """Two breaches in one packet: the left one is found, wherever the other stands."""
        spots: list[tuple[int, bytes, Found]] = []
        version = full.version
        for i, atom in enumerate(full.atoms):
            at = full.at(i)
            found: Found | None = None
            data = b""
            if atom.role == "int" and isinstance(atom.source, Field) and atom.source.zero:
                cites = atom.source.zero.get(full.sender) or atom.source.zero.get("both", {})
                data, found = b"\0\0", self.found(cites, atom.source.reason, version, at + 1, atom.field)
            elif atom.role == "code" and isinstance(atom.source, Field):
                data, found = b"\x7f", self.found(atom.source.cites, atom.source.reason, version, at, atom.field)
            elif atom.role == "id":
                rule = self.spec.unknown_property
                data, found = b"\x7e", self.found(rule.cites, rule.reason, version, at, atom.section)
            elif atom.role == "utf8":
                data = atom.data[:-1] + b"\xff"
                found = self.rule("utf8_ill_formed", version, at + len(data) - 1, atom.field, atom.source)
            elif atom.role == "proplen":
                data, found = b"\xff\xff\xff\x7f", None
            if found is not None:
                spots.append((i, data, found))
        for (left, one, found), (right, two, _) in itertools.pairwise(spots):
            wrong = full.put(left, one).put(right, two)
            where = f"{full.packet.name}/{full.atoms[left].field}/before-{full.atoms[right].field}"
            self.add("order", where, version, wrong, found)
        if spots and full.packet.flag_cites.get(version):
            i, data, _ = spots[0]
            wrong = replace(full.put(i, data), flags=full.flags ^ 15)
            found = self.found(full.packet.flag_cites, "MALFORMED_PACKET", version, 0, "fixed_header")
            self.add("order", f"{full.packet.name}/flags/before-{full.atoms[i].field}", version, wrong, found)

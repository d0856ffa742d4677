# SPDX-License-Identifier: MIT
"""`packets.toml`: the 15 packets, field by field, with their flags and checks."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Set
from typing import Any

from codegen.model import KINDS, VERSIONS, Bit, Check, Field, Packet
from codegen.tables.reader import SENDERS, Reader, SpecError, TableFile, unique

__all__ = ["read_packets"]

SPECIAL = {"bits", "protocol", "properties", "reason", "reasons", "list", "rest"}
"""Types of fields that are none of a value."""


def read_packets(file: TableFile, types: Set[str], rules: Set[str]) -> tuple[Packet, ...]:
    """The packets in the order of the table; fields are of these types and may override these rules."""
    packets = tuple(_packet(row, types, rules) for row in file.rows("packet"))
    unique(packets, file.name)
    if sorted(p.code for p in packets) != list(range(1, 16)):
        raise SpecError(file.name, "packets", "code", "the codes 1 to 15 are needed, once each")
    return packets


def _packet(data: Mapping[str, Any], known: Set[str], rules: Set[str]) -> Packet:
    r = Reader("packets.toml", f"packet {data.get('name')}", data)
    code = r.take("code", int)
    senders = r.data.pop("from", None)
    if isinstance(senders, str):
        senders = dict.fromkeys(VERSIONS, senders)
    if not isinstance(senders, dict):
        raise r.error("from", "names who may send the packet: client, server, both, or a table by version")
    for version, who in senders.items():
        if version not in VERSIONS or who not in SENDERS:
            raise r.error("from", f"{version} = {who!r} is not a version and a sender")
    flags = r.take("flags", dict, {})
    f = r.sub("flags", "flags", flags)
    value = f.take("value", int, 0)
    flag_cites = f.cites("cites")
    f.done()
    h = r.sub("header", "header", r.take("header", dict, {}))
    header_bits = _bits(h)
    names = {"value"} | {b.name for b in header_bits}
    header_checks = _checks(h, names)
    h.done()
    fields = [_field(r.sub("field", f"field {d.get('name')}", d), known, rules, names) for d in r.subs("field")]
    packet = Packet(
        code=code,
        name=r.take("name", str),
        class_name=r.take("class", str),
        section=r.take("section", str),
        senders={VERSIONS[v]: SENDERS[who] for v, who in senders.items()},
        flags=value,
        flag_cites=flag_cites,
        header_bits=header_bits,
        header_checks=header_checks,
        fields=tuple(fields),
    )
    r.done()
    return packet


def _field(r: Reader, known: Set[str], rules: Set[str], names: set[str]) -> Field:
    name = r.take("name", str)
    kind = r.take("type", str)
    versions = r.versions("versions")
    types = dict.fromkeys(versions, kind)
    for version, other in r.take("types", dict, {}).items():
        if version not in VERSIONS:
            raise r.error("types", f"{version!r} is not a version")
        types[VERSIONS[version]] = other
    for value in types.values():
        if value not in known and value not in SPECIAL:
            raise r.error("type", f"there is no type {value!r}")
    when = r.take("when", str, "")
    if when:
        _expression(r, "when", when, names)
    bits = _bits(r)
    names |= {name, "value"} | {b.name for b in bits}
    items: list[Field] = []
    item_names = set(names)
    for data in r.subs("item"):
        sub = r.sub("item", f"item {data.get('name')}", data)
        items.append(_field(sub, known, rules, item_names))
    overrides = {}
    for rule, cites in r.take("rules", dict, {}).items():
        if rule not in rules:
            raise r.error("rules", f"there is no rule {rule!r}")
        overrides[rule] = r.sub("rules", f"rule {rule}", {"cites": cites}).cites("cites")
    zero = {}
    for sender, cites in r.take("zero", dict, {}).items():
        if sender not in SENDERS:
            raise r.error("zero", f"{sender!r} is not a sender")
        zero[sender] = r.sub("zero", sender, {"cites": cites}).cites("cites")
    codes = {}
    for version, values in r.take("codes", dict, {}).items():
        if version not in VERSIONS:
            raise r.error("codes", f"{version!r} is not a version")
        codes[VERSIONS[version]] = tuple(values)
    row = Field(
        name=name,
        types=types,
        versions=versions,
        when=when,
        optional=r.versions("optional") if "optional" in r.data else frozenset(),
        missing=r.cites("missing"),
        also=r.cites("also"),
        absent=r.cites("absent"),
        rules=overrides,
        bits=bits,
        checks=_checks(r, names),
        codes=codes,
        cites=r.cites("cites"),
        zero=zero,
        empty=r.cites("empty"),
        items=tuple(items),
        item_class=r.take("class", str, ""),
        set=r.take("set", str, ""),
        names={k: tuple(v) for k, v in r.take("names", dict, {}).items()},
        reason=r.take("reason", str, "PROTOCOL_ERROR"),
        section=r.take("section", str, ""),
        binds=r.one_of("binds", (*SENDERS, ""), ""),
        meaning=r.take("meaning", str, ""),
    )
    r.done()
    return row


def _bits(r: Reader) -> tuple[Bit, ...]:
    out = []
    used = 0
    for data in r.subs("bits"):
        b = r.sub("bits", f"bit {data.get('name')}", data)
        bit = Bit(
            name=b.take("name", str),
            at=b.take("at", int),
            width=b.take("width", int, 1),
            versions=b.versions("versions"),
        )
        b.done()
        mask = ((1 << bit.width) - 1) << bit.at
        if bit.width < 1 or bit.at < 0 or mask > 255 or mask & used:
            raise b.error("at", "bits overlap or leave the byte")
        used |= mask
        out.append(bit)
    return tuple(out)


def _checks(r: Reader, names: set[str]) -> tuple[Check, ...]:
    out = []
    for number, data in enumerate(r.subs("check"), 1):
        c = r.sub("check", f"check {number}", data)
        expression = c.take("if", str)
        _expression(c, "if", expression, names)
        check = Check(
            expression=expression,
            kind=c.one_of("kind", KINDS),
            reason=c.take("reason", str),
            cites=c.cites("cites"),
            section=c.take("section", str, ""),
            binds=c.one_of("binds", (*SENDERS, ""), ""),
            meaning=c.take("meaning", str, ""),
        )
        c.done()
        out.append(check)
    return tuple(out)


def _expression(r: Reader, column: str, text: str, names: set[str]) -> None:
    """Refuse an expression that is more than a condition over known names."""
    try:
        tree = ast.parse(text, mode="eval")
    except SyntaxError:
        raise r.error(column, f"{text!r} is not an expression") from None
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id not in names and not node.id.startswith("has_"):
            raise r.error(column, f"{node.id!r} is not read before; {', '.join(sorted(names))} are")
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] != "startswith":
            raise r.error(column, "only startswith may be called")

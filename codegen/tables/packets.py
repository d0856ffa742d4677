# SPDX-License-Identifier: MIT
"""Reads `packets.toml`: the 15 packets, field by field, with their flags and checks."""

from __future__ import annotations

import ast
from collections.abc import Set

from codegen.model import KINDS, VERSIONS, Bit, Check, Cites, Field, Packet
from codegen.tables.reader import SENDERS, Reader, SpecError, TableFile, unique

__all__ = ["read_packets"]

SPECIAL = {"bits", "protocol", "properties", "reason", "reasons", "list", "rest"}
CHECKED = ("bits", "properties", "reason", "reasons")
"""Types of fields that may have checks: both codecs carry them out."""
"""Types of fields that are not wire or semantic types."""


def read_packets(file: TableFile, types: Set[str], rules: Set[str]) -> tuple[Packet, ...]:
    """Read the packets, in the order of the table. `types` and `rules` are those that fields may name."""
    packets = tuple(_packet(row, types, rules) for row in file.rows("packet"))
    unique(packets, file.file)
    if sorted(p.code for p in packets) != list(range(1, 16)):
        raise SpecError(file.file, "packets", "code", "the codes 1 to 15 are needed, once each")
    return packets


def _packet(r: Reader, types: Set[str], rules: Set[str]) -> Packet:
    flags, header = r.table("flags"), r.table("header")
    bits = _bits(header)
    names = {"value"} | {b.name for b in bits}
    return Packet(
        code=r.take("code", int),
        name=r.take("name", str),
        class_name=r.take("class", str),
        section=r.take("section", str),
        senders=_senders(r),
        flags=flags.take("value", int, 0),
        flag_cites=flags.cites("cites"),
        header_bits=bits,
        header_checks=_checks(header, names),
        fields=tuple(_field(f, types, rules, names) for f in r.rows("field")),
    )


def _senders(r: Reader) -> dict[int, frozenset[str]]:
    """Read the senders of a packet by version: a string for all versions, or a table."""
    senders = r.data.pop("from", None)
    if isinstance(senders, str):
        senders = dict.fromkeys(VERSIONS, senders)
    if not isinstance(senders, dict):
        raise r.error("from", "must be client, server, both, or a table of these by version")
    for version, who in senders.items():
        if version not in VERSIONS or who not in SENDERS:
            raise r.error("from", f"{version} = {who!r} is not a version and a sender")
    return {VERSIONS[version]: SENDERS[who] for version, who in senders.items()}


def _field(r: Reader, known: Set[str], rules: Set[str], names: set[str]) -> Field:
    """Read one field. Its conditions may use `names`. Its own names are added to `names` for later fields."""
    name = r.take("name", str)
    versions = r.versions("versions")
    types = dict.fromkeys(versions, r.take("type", str)) | r.by_version("types")
    for value in types.values():
        if value not in known and value not in SPECIAL:
            raise r.error("type", f"there is no type {value!r}")
    when = r.take("when", str, "")
    if when:
        _expression(r, "when", when, names)
    bits = _bits(r)
    names |= {name, "value"} | {b.name for b in bits}
    item_names = set(names)
    checks = _checks(r, names)
    if checks:
        for value in types.values():
            if value not in CHECKED:
                raise r.error("check", f"a {value} field has no checks: put it on a later one of {', '.join(CHECKED)}")
    return Field(
        name=name,
        types=types,
        versions=versions,
        when=when,
        optional=r.versions("optional") if "optional" in r.data else frozenset(),
        missing=r.cites("missing"),
        also=r.cites("also"),
        absent=r.cites("absent"),
        rules=_cites_by(r, "rules", "rule", rules),
        bits=bits,
        checks=checks,
        codes={version: tuple(codes) for version, codes in r.by_version("codes").items()},
        cites=r.cites("cites"),
        zero=_cites_by(r, "zero", "sender", SENDERS.keys()),
        empty=r.cites("empty"),
        items=tuple(_field(item, known, rules, item_names) for item in r.rows("item")),
        item_class=r.take("class", str, ""),
        set=r.take("set", str, ""),
        names={k: tuple(v) for k, v in r.take("names", dict, {}).items()},
        reason=r.take("reason", str, "PROTOCOL_ERROR"),
        section=r.take("section", str, ""),
        binds=r.one_of("binds", (*SENDERS, ""), ""),
        meaning=r.take("meaning", str, ""),
    )


def _cites_by(r: Reader, column: str, noun: str, known: Set[str]) -> dict[str, Cites]:
    """Read tables of statements by version, by a name that must be `known`."""
    table = r.table(column)
    names = list(table.data)
    for name in names:
        if name not in known:
            raise r.error(column, f"there is no {noun} {name!r}")
    return {name: table.cites(name) for name in names}


def _bits(r: Reader) -> tuple[Bit, ...]:
    out = []
    used = 0
    for b in r.rows("bits", "bit"):
        bit = Bit(
            name=b.take("name", str),
            at=b.take("at", int),
            width=b.take("width", int, 1),
            versions=b.versions("versions"),
        )
        mask = ((1 << bit.width) - 1) << bit.at
        if bit.width < 1 or bit.at < 0 or mask > 255 or mask & used:
            raise b.error("at", "bits must not overlap or leave the byte")
        used |= mask
        out.append(bit)
    return tuple(out)


def _checks(r: Reader, names: Set[str]) -> tuple[Check, ...]:
    return tuple(_check(c, names) for c in r.rows("check"))


def _check(r: Reader, names: Set[str]) -> Check:
    expression = r.take("if", str)
    _expression(r, "if", expression, names)
    return Check(
        expression=expression,
        kind=r.one_of("kind", KINDS),
        reason=r.take("reason", str),
        cites=r.cites("cites"),
        section=r.take("section", str, ""),
        binds=r.one_of("binds", (*SENDERS, ""), ""),
        meaning=r.take("meaning", str, ""),
    )


def _expression(r: Reader, column: str, text: str, names: Set[str]) -> None:
    """Refuse an expression that is not a condition over known names."""
    try:
        tree = ast.parse(text, mode="eval")
    except SyntaxError:
        raise r.error(column, f"{text!r} is not an expression") from None
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id not in names and not node.id.startswith("has_"):
            raise r.error(column, f"{node.id!r} is not read before; known names are {', '.join(sorted(names))}")
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] != "startswith":
            raise r.error(column, "only startswith may be called")

# SPDX-License-Identifier: MIT
"""`types.toml`: wire types, the meanings over them, and the rules that many fields share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from codegen.model import KINDS, Rule, Semantic, Wire
from codegen.tables.reader import LEVELS, SENDERS, Reader, SpecError, TableFile, unique

__all__ = ["read_rules", "read_types"]


def read_rules(*files: TableFile) -> dict[str, Rule]:
    """The general rules, which `packets.toml` has too, by name."""
    return unique([_rule(file.name, row) for file in files for row in file.rows("rule")], files[0].name)


def read_types(file: TableFile, rules: Mapping[str, Rule]) -> tuple[dict[str, Wire], dict[str, Semantic]]:
    """Wire types and semantic types, by name."""
    wires: dict[str, Wire] = unique([_wire(row) for row in file.rows("wire")], file.name)
    semantics: dict[str, Semantic] = unique([_semantic(row) for row in file.rows("semantic")], file.name)
    for holder in (*wires.values(), *semantics.values()):
        for name in holder.rules:
            if name not in rules:
                raise SpecError(file.name, f"type {holder.name}", "rules", f"there is no rule {name!r}")
    for semantic in semantics.values():
        if semantic.wire not in wires:
            raise SpecError(file.name, f"type {semantic.name}", "wire", f"there is no wire type {semantic.wire!r}")
    return wires, semantics


def _rule(file: str, data: Mapping[str, Any]) -> Rule:
    r = Reader(file, f"rule {data.get('name')}", data)
    name = r.take("name", str)
    cites = r.cites("cites")
    rule = Rule(
        name=name,
        kind=r.one_of("kind", KINDS),
        reason=r.take("reason", str),
        cites=cites,
        server=r.cites("server") or cites,
        section=r.take("section", str, ""),
        binds=r.one_of("binds", (*SENDERS, ""), ""),
        level=r.one_of("level", LEVELS, "must"),
        meaning=r.take("meaning", str, ""),
    )
    r.done()
    return rule


def _wire(data: Mapping[str, Any]) -> Wire:
    r = Reader("types.toml", f"wire type {data.get('name')}", data)
    wire = Wire(
        name=r.take("name", str),
        python=r.take("python", str),
        bytes=r.take("bytes", int),
        rules=tuple(r.take("rules", list)),
        section=r.take("section", str),
    )
    r.done()
    return wire


def _semantic(data: Mapping[str, Any]) -> Semantic:
    r = Reader("types.toml", f"semantic type {data.get('name')}", data)
    semantic = Semantic(
        name=r.take("name", str),
        wire=r.take("wire", str),
        rules=tuple(r.take("rules", list)),
        section=r.take("section", str),
    )
    r.done()
    return semantic

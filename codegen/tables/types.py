# SPDX-License-Identifier: MIT
"""Reads `types.toml`: wire types, semantic types, and the rules that many fields share."""

from __future__ import annotations

from collections.abc import Mapping

from codegen.model import KINDS, Rule, Semantic, Wire
from codegen.tables.reader import LEVELS, SENDERS, Reader, SpecError, TableFile, unique

__all__ = ["read_rules", "read_types"]


def read_rules(*files: TableFile) -> dict[str, Rule]:
    """Read the general rules, by name. `packets.toml` has some too."""
    return unique([_rule(row) for file in files for row in file.rows("rule")], files[0].file)


def read_types(file: TableFile, rules: Mapping[str, Rule]) -> tuple[dict[str, Wire], dict[str, Semantic]]:
    """Read the wire types and the semantic types, by name."""
    wires: dict[str, Wire] = unique([_wire(row) for row in file.rows("wire", "wire type")], file.file)
    semantics: dict[str, Semantic] = unique(
        [_semantic(row) for row in file.rows("semantic", "semantic type")], file.file
    )
    for holder in (*wires.values(), *semantics.values()):
        for name in holder.rules:
            if name not in rules:
                raise SpecError(file.file, f"type {holder.name}", "rules", f"there is no rule {name!r}")
    for semantic in semantics.values():
        if semantic.wire not in wires:
            raise SpecError(file.file, f"type {semantic.name}", "wire", f"there is no wire type {semantic.wire!r}")
    return wires, semantics


def _rule(r: Reader) -> Rule:
    cites = r.cites("cites")
    return Rule(
        name=r.take("name", str),
        kind=r.one_of("kind", KINDS),
        reason=r.take("reason", str),
        cites=cites,
        server=r.cites("server") or cites,
        section=r.take("section", str, ""),
        binds=r.one_of("binds", (*SENDERS, ""), ""),
        level=r.one_of("level", LEVELS, "must"),
        meaning=r.take("meaning", str, ""),
    )


def _wire(r: Reader) -> Wire:
    return Wire(
        name=r.take("name", str),
        python=r.take("python", str),
        bytes=r.take("bytes", int),
        rules=tuple(r.take("rules", list)),
        section=r.take("section", str),
    )


def _semantic(r: Reader) -> Semantic:
    return Semantic(
        name=r.take("name", str),
        wire=r.take("wire", str),
        rules=tuple(r.take("rules", list)),
        section=r.take("section", str),
    )

# SPDX-License-Identifier: MIT
"""Reads `spec/` into the model. A wrong row is refused with its file, row and column.

Each file has a module in `codegen.tables`. This module reads them in order and checks them against each other.
"""

from __future__ import annotations

from pathlib import Path

from codegen.mint import mint
from codegen.model import Spec, Statement
from codegen.tables.crosschecks import check_block, check_citations, check_reasons
from codegen.tables.packets import read_packets
from codegen.tables.properties import read_properties
from codegen.tables.reactions import read_reactions
from codegen.tables.reader import SpecError, TableFile
from codegen.tables.reasons import read_reasons
from codegen.tables.statements import check_lock, read_statements
from codegen.tables.types import read_rules, read_types

__all__ = ["load"]

FILES = ("types.toml", "packets.toml", "reasons.toml", "properties.toml", "reactions.toml")


def load(root: Path) -> Spec:
    """Read and check all tables below `root` (the folder `spec`).

    Raises:
        SpecError: a row is wrong. The text names the file, row and column.
    """
    files = [TableFile(root / name) for name in FILES]
    sources = {file.file: file.source() for file in files}
    types, packets, reasons, properties, reactions = files
    rules = read_rules(types, packets)
    wires, semantics = read_types(types, rules)
    reason_rows, return_codes, failures_from = read_reasons(reasons)
    known = wires.keys() | semantics.keys()
    packet_rows = read_packets(packets, known, rules.keys())
    sets = {f.set for p in packet_rows for f in p.fields if f.set}
    unknown, property_rows = read_properties(properties, known, sets)
    reaction_rows = read_reactions(reactions, {r.name for r in reason_rows})
    statements, more_sources = read_statements(root / "statements")
    for file in files:
        file.done()
    spec = Spec(
        rules=rules,
        wires=wires,
        semantics=semantics,
        packets=packet_rows,
        properties=property_rows,
        unknown_property=unknown,
        reasons=reason_rows,
        return_codes=return_codes,
        failures_from=failures_from,
        statements=statements,
        reactions=reaction_rows,
        sources=sources | more_sources,
    )
    check_reasons(spec)
    check_block(spec)
    _add_minted(spec, statements)
    check_citations(spec)
    check_lock(root / "statements", statements)
    return spec


def _add_minted(spec: Spec, statements: dict[str, Statement]) -> None:
    """Add the statements that the tables imply. A statement with the same id in `spec/statements` takes precedence."""
    written = frozenset(statements)
    for statement, origin in mint(spec):
        if statement.id in written:
            continue
        if statement.id in statements and statements[statement.id].meaning != statement.meaning:
            raise SpecError(*origin, f"{statement.id} is minted twice, with different meanings; they must be equal")
        statements[statement.id] = statement

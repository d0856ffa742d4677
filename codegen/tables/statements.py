# SPDX-License-Identifier: MIT
"""Reads `statements/*.toml`: the rules that the standards number, and those that they state without a number."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from codegen.model import Statement
from codegen.tables.reader import LEVELS, SENDERS, Reader, SpecError, TableFile

__all__ = ["check_lock", "read_statements"]

PREFIXES = {5: ("MQTT5-", "X5-"), 4: ("MQTT311-", "X311-"), 3: ("X31-",)}


def read_statements(folder: Path) -> tuple[dict[str, Statement], dict[str, str]]:
    """Read the statements by id, and the document that each file was made from."""
    statements: dict[str, Statement] = {}
    sources = {}
    for path in sorted(folder.glob("*.toml")):
        file = TableFile(path, f"{folder.name}/{path.name}")
        version = file.take("version", int)
        source = sources[file.file] = file.source()
        for r in file.rows("statement", key="id"):
            row = _statement(r, version, source)
            if row.id in statements:
                raise r.error("id", "occurs twice; ids must be unique")
            statements[row.id] = row
        file.done()
    return statements, sources


def _statement(r: Reader, version: int, source: str) -> Statement:
    identifier = r.cite("id")
    row = Statement(
        id=identifier,
        version=version,
        level=r.one_of("level", LEVELS),
        binds=r.one_of("binds", SENDERS),
        section=r.take("section", str),
        meaning=r.take("meaning", str),
        source=source,
        minted=identifier.startswith("X"),
        confirmed=r.take("confirmed", str, ""),
    )
    if not identifier.startswith(PREFIXES[version]):
        raise r.error("id", f"must start with {' or '.join(PREFIXES[version])}, as all statements of this version")
    if not row.meaning.endswith("."):
        raise r.error("meaning", "must be one sentence that ends with a full stop")
    return row


def check_lock(folder: Path, statements: Mapping[str, Statement]) -> None:
    """Refuse statements that lack a published id of `ids.lock`: ids are never renumbered or removed."""
    path = folder / "ids.lock"
    if not path.exists():
        return
    for line in path.read_text().splitlines():
        if not line.startswith("#") and line not in statements:
            raise SpecError(f"{folder.name}/ids.lock", line, "id", "was published and must keep a row, but has none")

# SPDX-License-Identifier: MIT
"""`statements/*.toml`: the rules that the standards number, and those that they state without a number."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from codegen.model import Statement
from codegen.tables.reader import LEVELS, SENDERS, Reader, SpecError, TableFile

__all__ = ["check_lock", "read_statements"]

PREFIXES = {5: ("MQTT5-", "X5-"), 4: ("MQTT311-", "X311-"), 3: ("X31-",)}


def read_statements(folder: Path) -> tuple[dict[str, Statement], dict[str, str]]:
    """The statements by id, and the document that each file was taken from."""
    statements: dict[str, Statement] = {}
    sources = {}
    for path in sorted(folder.glob("*.toml")):
        file = TableFile(path, f"{folder.name}/{path.name}")
        version = file.take("version", int)
        source = sources[file.file] = file.source()
        for r in file.rows("statement", key="id"):
            row = _statement(r, version, source)
            if row.id in statements:
                raise r.error("id", "stands here twice")
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
        raise r.error("id", f"a statement of this file starts with {' or '.join(PREFIXES[version])}")
    if not row.meaning.endswith("."):
        raise r.error("meaning", "is one sentence, ended by a full stop")
    return row


def check_lock(folder: Path, statements: Mapping[str, Statement]) -> None:
    """Ids are never renumbered: one that was ever published, and so stands in `ids.lock`, stays."""
    path = folder / "ids.lock"
    if not path.exists():
        return
    for line in path.read_text().splitlines():
        if not line.startswith("#") and line not in statements:
            raise SpecError(f"{folder.name}/ids.lock", line, "id", "was published once and has no row any more")

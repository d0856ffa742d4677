# SPDX-License-Identifier: MIT
"""Emits the registry of statements, and the table of reactions to a broken statement."""

from __future__ import annotations

from codegen.model import Reaction, Spec, Statement
from codegen.text import HEADER, all_list

__all__ = ["emit", "statement_order"]

LOCK = "# Written by `python -m codegen`: every id that a statement ever had. Ids are never renumbered or removed."


def emit(spec: Spec) -> dict[str, str]:
    """Return the files of this emitter, by path."""
    return {
        # Loading refuses tables that lack an id of this file: a published id must never be removed.
        "spec/statements/ids.lock": "\n".join([LOCK, *sorted(spec.statements)]),
        "mqtt_ref/wire/generated/statements.py": _statements(spec),
        "mqtt_ref/wire/generated/reactions.py": _reactions(spec),
    }


def statement_order(row: Statement) -> tuple[object, ...]:
    """Sort key: newest version first; numbered statements in the order of the standard, then the minted ones."""
    label = row.id.partition("-")[2]
    numbers = tuple(int(n) for n in label.replace("-", ".").split(".")) if not row.minted else ()
    return -row.version, row.minted, numbers, row.id


def _statements(spec: Spec) -> str:
    sources = list(dict.fromkeys(s.source for s in sorted(spec.statements.values(), key=statement_order)))
    out = [
        HEADER.format(
            doc="Every statement of the standards, numbered or minted, with its section, its meaning and whom it binds."
        ),
        "from __future__ import annotations\n",
        "from typing import Final\n",
        all_list(["ROWS", "SOURCES", "TABLES"]),
        "SOURCES: Final = (",
        *(f'    "{s}",' for s in sources),
        ")",
        '"""The documents that the statements were taken from."""\n',
        "TABLES: Final[dict[str, str]] = {",
        *(f'    "{name}": "{source}",' for name, source in sorted(spec.sources.items())),
        "}",
        '"""The document that each table of `spec/` was taken from."""\n',
        "# id, protocol level, level, binds, section, index of the source, meaning, confirmation of a fact of 3.1",
        "ROWS: Final[tuple[tuple[str, int, str, str, str, int, str, str], ...]] = (",
    ]
    for row in sorted(spec.statements.values(), key=statement_order):
        out.append(
            f'    ("{row.id}", {row.version}, "{row.level}", "{row.binds}", "{row.section}",'
            f" {sources.index(row.source)}, {_quoted(row.meaning)}, {_quoted(row.confirmed)}),"
        )
    out.append(")\n")
    return "\n".join(out)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _reactions(spec: Spec) -> str:
    out = [
        HEADER.format(
            doc="What a receiver must do when a rule is broken, and what else it may do, by rule, version and state."
        ),
        "from __future__ import annotations\n",
        "from typing import Final\n",
        all_list(["ROWS"]),
        "# rule, levels (0: not known yet), state, receiver, action, Reason Code (-1: of the breach), allowed, cites",
        "ROWS: Final[tuple[tuple[str, tuple[int, ...], str, str, str, int, tuple[str, ...], str], ...]] = (",
    ]
    out += [f"    {_reaction(spec, row)}," for row in spec.reactions]
    out.append(")\n")
    return "\n".join(out)


def _reaction(spec: Spec, row: Reaction) -> str:
    code = -1 if row.code in ("", "breach") else spec.reason_code(row.code)
    allowed = []
    for outcome in row.allowed:
        action, _, reason = outcome.partition(":")
        allowed.append(f"{action}:{spec.reason_code(reason):02X}" if reason and reason != "*" else outcome)
    levels = "(" + ", ".join(str(v) for v in sorted(row.versions)) + ",)"
    names = "(" + "".join(f'"{a}", ' for a in allowed).rstrip() + ")"
    return f'("{row.rule}", {levels}, "{row.state}", "{row.receiver}", "{row.action}", {code}, {names}, "{row.cites}")'

# SPDX-License-Identifier: MIT
"""Reads `reactions.toml`: what a receiver does when a rule is broken, and what else it may do."""

from __future__ import annotations

from collections.abc import Set

from codegen.model import Reaction
from codegen.tables.reader import Reader, TableFile

__all__ = ["read_reactions"]

SERVER_ACTIONS = ("close", "connack", "disconnect", "ignore")
"""The actions that `mqtt_ref.engine.reacting` can carry out."""
ACTIONS = ("close", "connack", "disconnect", "puback", "pubrec", "pubcomp", "suback", "unsuback", "ignore")


def read_reactions(file: TableFile, reasons: Set[str]) -> tuple[Reaction, ...]:
    """Read the rows in their order: the first row that matches decides."""
    return tuple(_reaction(row, reasons) for row in file.rows("reaction"))


def _reaction(r: Reader, reasons: Set[str]) -> Reaction:
    code = r.take("code", str, "")
    if code and code != "breach" and code not in reasons:
        raise r.error("code", f"there is no Reason Code {code!r}")
    row = Reaction(
        rule=r.take("rule", str),
        versions=r.versions("versions") | ({0} if "unknown" in r.data and r.take("unknown", bool) else set()),
        state=r.one_of("state", ("new", "connecting", "connected", "any")),
        receiver=r.one_of("receiver", ("server", "client")),
        action=r.one_of("action", ACTIONS),
        code=code,
        allowed=tuple(r.take("allowed", list)),
        cites=r.cite("cites"),
    )
    if row.receiver == "server" and row.action not in SERVER_ACTIONS:
        carried = ", ".join(SERVER_ACTIONS)
        raise r.error("action", f"the server cannot carry out {row.action!r}; it must be one of {carried}")
    for outcome in row.allowed:
        if outcome.split(":")[0] not in ACTIONS:
            raise r.error("allowed", f"{outcome!r} is not an outcome; it must start with one of {', '.join(ACTIONS)}")
    return row

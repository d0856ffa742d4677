# SPDX-License-Identifier: MIT
"""Reads `reactions.toml`: what a receiver does when a rule is broken, and what else it may do."""

from __future__ import annotations

from collections.abc import Set

from codegen.model import Reaction
from codegen.tables.reader import Reader, TableFile

__all__ = ["read_reactions"]

SERVER_ACTIONS = ("close", "connack", "disconnect", "ignore")
"""The actions that `mqtt_ref.engine.reacting` can carry out."""
HERE = "codegen/tables/reactions.py"
BREACH = "breach:"
ACTIONS = ("close", "connack", "disconnect", "puback", "pubrec", "pubcomp", "suback", "unsuback", "ignore")


def read_reactions(file: TableFile, reasons: Set[str]) -> tuple[Reaction, ...]:
    """Read the rows in their order: the first row that matches decides."""
    return tuple(_reaction(row, reasons) for row in file.rows("reaction", key="rule"))


def _reaction(r: Reader, reasons: Set[str]) -> Reaction:
    code = r.take("code", str, "")
    if code and code != "breach" and code not in reasons:
        raise r.error("code", f"there is no Reason Code {code!r}")
    rule = r.take("rule", str)
    if rule.startswith(BREACH) and rule.removeprefix(BREACH) not in reasons:
        raise r.error("rule", f"there is no Reason Code {rule.removeprefix(BREACH)!r}")
    action = r.take("action", str)
    if action not in ACTIONS:
        known = ", ".join(ACTIONS)
        raise r.error("action", f"{action!r} is not one of {known}; a new action is added to ACTIONS in {HERE}")
    row = Reaction(
        rule=rule,
        versions=r.versions("versions") | ({0} if "unknown" in r.data and r.take("unknown", bool) else set()),
        state=r.one_of("state", ("new", "connecting", "connected", "any")),
        receiver=r.one_of("receiver", ("server", "client")),
        action=action,
        code=code,
        allowed=tuple(r.take("allowed", list)),
        cites=r.cite("cites"),
    )
    if row.receiver == "server" and row.action not in SERVER_ACTIONS:
        carried = ", ".join(SERVER_ACTIONS)
        text = f"the server cannot carry out {row.action!r}, only {carried}"
        raise r.error("action", f"{text}; once mqtt_ref/engine/reacting.py does, add it to SERVER_ACTIONS in {HERE}")
    for outcome in row.allowed:
        if outcome.split(":")[0] not in ACTIONS:
            raise r.error("allowed", f"{outcome!r} is not an outcome; it must start with one of {', '.join(ACTIONS)}")
    if row.allowed and not any(outcome.split(":")[0] == row.action for outcome in row.allowed):
        raise r.error("allowed", f"the row's own action {row.action!r} is not in it")
    return row

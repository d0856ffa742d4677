# SPDX-License-Identifier: MIT
"""What a receiver must do when a rule is broken, and what else it may do: one table for engine, suite and oracle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from mqtt_ref.wire.generated.reactions import ROWS

__all__ = ["REACTIONS", "Reaction", "reaction"]


class Reaction(NamedTuple):
    """One row: when it applies, what to do, and every outcome that the standards permit.

    `rule` is a statement id, `breach:XX` for all rules whose breach has Reason Code XX (hex), or `*`. `versions` are
    protocol levels, 0 if the version is not known yet. `state` is new (nothing accepted yet), connecting (a CONNECT is
    being answered), connected, or any. `action` is close, connack, disconnect, puback, pubrec, pubcomp, suback or
    ignore. `code` is its Reason Code, -1 for that of the breach. `allowed` holds `action`, `action:XX` (hex), or
    `action:*` for any code of 0x80 or more. `cites` is the statement that obliges the receiver.
    """

    rule: str
    versions: tuple[int, ...]
    state: str
    receiver: str
    action: str
    code: int
    allowed: tuple[str, ...]
    cites: str


REACTIONS: Final = tuple(Reaction(*row) for row in ROWS)


def reaction(
    statement: str,
    reason: int,
    version: int,
    state: str,
    receiver: str = "server",
    table: Sequence[Reaction] = REACTIONS,
) -> Reaction:
    """Return the row for a receiver that finds that `statement` was broken. A `code` of -1 is replaced by `reason`.

    `reason` is the Reason Code of the breach, `version` the protocol level (0 if unknown), `state` new, connecting or
    connected. `table` may be a changed copy, to make a broker with one wrong reaction.

    Raises:
        LookupError: the table has no row for this.
    """
    breach = f"breach:{reason:02X}"
    for row in table:
        if (
            row.receiver == receiver
            and version in row.versions
            and row.state in (state, "any")
            and row.rule in (statement, breach, "*")
        ):
            return row._replace(code=reason) if row.code < 0 else row
    raise LookupError(f"no reaction for {statement} (level {version}, {state}, {receiver})")

# SPDX-License-Identifier: MIT
"""How a broker took a packet that breaks a rule, against what the reaction table permits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mqtt_ref.wire.generated.reasons import RETURN_CODES
from mqtt_ref.wire.packets import Connack, Disconnect, Packet, Puback, Pubrec, Suback, Unsuback
from mqtt_ref.wire.primitives import V5
from mqtt_ref.wire.reactions import Reaction
from mqtt_ref.wire.violation import Violation

__all__ = ["permitted", "reacted"]

ANSWERS: Final = (Connack, Disconnect, Suback, Unsuback, Puback, Pubrec)
"""What may say how a broker took the packet."""


def reacted(inbox: Sequence[Packet | Violation], *, closed: bool) -> tuple[Packet | None, str, int]:
    """The packet that tells how the broker reacted, if any, the reaction as the table names it, and its code."""
    seen = next((p for p in reversed(inbox) if isinstance(p, ANSWERS)), None)
    outcome, code = ("close" if closed else "ignore"), 0
    if isinstance(seen, (Connack, Disconnect)) and closed:
        outcome, code = type(seen).__name__.lower(), seen.reason_code
        if isinstance(seen, Connack) and not code:
            outcome = "close"
    elif isinstance(seen, (Suback, Unsuback)) and not closed:
        outcome, code = type(seen).__name__.lower(), max(seen.reason_codes, default=0)
    elif isinstance(seen, (Puback, Pubrec)) and not closed:
        outcome, code = type(seen).__name__.lower(), seen.reason_code
    return seen, outcome, code


def permitted(row: Reaction, outcome: str, code: int, version: int) -> bool:
    """Whether the table permits the reaction."""
    for allowed in row.allowed:
        action, _, wanted = allowed.partition(":")
        if action != outcome:
            continue
        if not wanted or (wanted == "*" and code >= (1 if version != V5 and outcome == "connack" else 0x80)):
            return True
        if wanted != "*" and code in (int(wanted, 16), _return_code(int(wanted, 16), version)):
            return True
    return False


def _return_code(reason: int, version: int) -> int:
    return RETURN_CODES.get(reason, -1) if version != V5 else -1

# SPDX-License-Identifier: MIT
"""Compares a broker's reaction to a packet that breaks a rule with what the reaction table permits."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from mqtt_conformance.peer import ANSWER, GOODBYE, Peer, show
from mqtt_conformance.verdict import Failed, Inconclusive
from mqtt_ref.wire.generated.reasons import RETURN_CODES
from mqtt_ref.wire.packets import (
    Connack,
    Disconnect,
    Packet,
    Pingreq,
    Pingresp,
    Puback,
    Pubrec,
    Suback,
    Unsuback,
)
from mqtt_ref.wire.primitives import V5
from mqtt_ref.wire.reactions import Reaction, reaction
from mqtt_ref.wire.violation import Violation

__all__ = ["expect_reaction", "permitted", "reacted"]

ANSWERS: Final = (Connack, Disconnect, Suback, Unsuback, Puback, Pubrec)
"""The packets that can show how a broker reacted."""
SILENT: Final = "the connection stays open, and nothing is answered"
SLOW: Final = 1.0
"""The time, in seconds (times the factor), in which a broker has to close after a PINGRESP."""
ECHOED: Final = ("MQTT5-2.2.1-5", "MQTT5-2.2.1-6", "MQTT311-2.3.1-6", "MQTT311-2.3.1-7", "X31-message-id-zero")
"""The rules that a decoder names for an acknowledgement with the identifier 0. Here the client itself sent 0. A broker
that answers it has failed to refuse the packet, and that is the rule to name."""
UNAVAILABLE: Final = 3
"""The return code of 3.1 and 3.1.1 for an unavailable service."""
UNKNOWN_LEVEL: Final = {"MQTT311-3.1.2-2": "MQTT5-3.1.2-2"}
"""The rule of 5.0 for an unknown protocol level. As the level selects no version, a broker may follow either."""


async def expect_reaction(
    peer: Peer,
    statement: str,
    reason: int,
    state: str,
    *,
    within: float = ANSWER,
    meaningless: Collection[tuple[str, int]] = (),
    overlooked: bool = False,
) -> str:
    """Check that the broker reacts to a broken rule in a way that the reaction table permits. Return the reaction.

    `state` is new, connecting or connected. `reason` is the Reason Code of the breach. A PINGREQ follows the packet, or
    the CONNACK that accepts it, so that a broker that continues is detected at once. `ignore` in the table means that
    the broker may continue, whatever it answers to the packet. `meaningless` are reactions that show nothing about the
    rule, because the broker has another reason for them. With `overlooked` the broker may continue in any case.

    Raises:
        Failed: it does something else.
        Inconclusive: the reaction is meaningless, the broker says that it is unavailable, or it may continue but no
            longer
        answers.
    """
    row = reaction(statement, reason, peer.version, state)
    if overlooked and "ignore" not in row.allowed:
        row = row._replace(allowed=(*row.allowed, "ignore"))
    if state == "connected":
        await peer.send(Pingreq())
    else:
        await peer._wait(lambda: peer.closed or any(isinstance(p, Connack) for p in peer.inbox), within)
        if not peer.closed and any(isinstance(p, Connack) and not p.reason_code for p in peer.inbox):
            await peer.send(Pingreq())
    await peer._wait(lambda: peer.closed or any(isinstance(p, (Pingresp, Disconnect)) for p in peer.inbox), within)
    if not peer.closed and any(isinstance(p, Disconnect) for p in peer.inbox):
        await peer._wait(lambda: peer.closed, GOODBYE)
    elif not peer.closed and "ignore" not in row.allowed:
        # A broker may answer the PINGREQ before it closes for, or refuses, the packet before it.
        await peer._wait(lambda: peer.closed or any(isinstance(p, (Suback, Unsuback)) for p in peer.inbox), SLOW)
    wrong = next((p for p in peer.inbox if isinstance(p, Violation) and p.statement not in ECHOED), None)
    if wrong is not None and state == "connected" and "ignore" not in row.allowed:
        raise peer.illegal(wrong)
    seen, outcome, code = reacted(peer.inbox, closed=peer.closed)
    answered = any(isinstance(p, Pingresp) for p in peer.inbox)
    if (outcome, code) in meaningless:
        raise Inconclusive(
            "the packet has no room for credentials, and the broker refuses a valid one without them in the same way",
            expected=" or ".join(row.allowed), seen=outcome if seen is None else show(seen),
        )  # fmt: skip
    serves = not peer.closed and not isinstance(seen, Disconnect)
    peer.inbox.clear()
    if serves and "ignore" in row.allowed:
        if not answered:
            raise Inconclusive(
                "the connection stays open, but the broker does not answer even a PINGREQ",
                expected=" or ".join(row.allowed), seen=SILENT,
            )  # fmt: skip
        return "ignore"
    if permitted(row, outcome, code, peer.version):
        return outcome
    other = UNKNOWN_LEVEL.get(statement)
    if other is not None and V5 in peer.target.capabilities.versions:
        if permitted(reaction(other, reason, V5, state), outcome, code, V5):
            return outcome
    if wrong is not None:
        raise peer.illegal(wrong)
    if state != "connected" and peer.version != V5 and (outcome, code) == ("connack", UNAVAILABLE):
        raise Inconclusive("the broker says that it is unavailable, so it may not have checked the packet")
    raise Failed(
        f"the broker has to answer a breach of {statement} as {row.cites} says",
        expected=" or ".join(row.allowed),
        seen=f"{'serves it' if outcome == 'ignore' else outcome}: {show(seen)}" if seen is not None
        else outcome if outcome != "ignore" else "continues: it answers a PINGREQ" if answered else SILENT,
        proven=outcome in ("connack", "disconnect"),
        rule=row.cites,
    )  # fmt: skip


def reacted(inbox: Sequence[Packet | Violation], *, closed: bool) -> tuple[Packet | None, str, int]:
    """Return the packet that shows the reaction, if any, the reaction's name in the table, and its code."""
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
    """True if the table permits the reaction."""
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

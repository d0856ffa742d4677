# SPDX-License-Identifier: MIT
"""Reports a rule that a case of another rule saw broken as a result of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from mqtt_conformance.case import Case
from mqtt_conformance.verdict import Verdict
from mqtt_ref.wire.statements import STATEMENTS

if TYPE_CHECKING:
    from mqtt_conformance.peer import Peer
    from mqtt_conformance.runner import Result

__all__ = ["SLUG", "booked", "finding", "is_finding"]

SLUG: Final = "in-other-cases"
"""Ends the id of such a result: `MQTT5-3.1.0-2/in-other-cases`."""
BOOKED: Final = (Verdict.FAIL, Verdict.NON_STRICT)
NAMED: Final = 3
"""The most cases that a message names."""


def finding(statement: str) -> Case:
    """The body of the result for a rule that cases of other rules saw broken. It cannot be run."""
    rule = STATEMENTS[statement]
    return Case(
        id=f"{statement}/{SLUG}", version=rule.version, statements=(statement,), needs=frozenset(), settings=(),
        isolated=False, intent="The rule is kept as well where a case is about another one.", body=_nothing,
    )  # fmt: skip


async def _nothing(peer: Peer) -> None:
    raise NotImplementedError("this is not a case: it reports what other cases saw")


def is_finding(name: str) -> bool:
    """True if a name is the id of such a result."""
    statement, _, slug = name.partition("/")
    return slug == SLUG and statement in STATEMENTS


def booked(results: Sequence[Result]) -> list[Result]:
    """Return the results, and one more for each rule that was broken in a case of another rule.

    The result of that case becomes inconclusive. The result of the rule has the message and packets of the first case
    that saw it broken; its notes name all of them.
    """
    broken: dict[str, list[Result]] = {}
    out = []
    for result in results:
        if result.breach and result.verdict in BOOKED:
            broken.setdefault(result.breach, []).append(result)
            message = f"{result.breach} was broken first: {result.message}"
            result = replace(result, verdict=Verdict.INCONCLUSIVE, message=message)
        elif result.breach:  # it was not seen again, or is only advice
            result = replace(result, breach="", verdict=Verdict.INCONCLUSIVE)
        out.append(result)
    return [*out, *(_of(statement, some) for statement, some in broken.items())]


def _of(statement: str, some: Sequence[Result]) -> Result:
    first = some[0]
    more = f" and {len(some) - NAMED} more" if len(some) > NAMED else ""
    where = ", ".join(r.case.id for r in some[:NAMED]) + more
    return replace(
        first, case=finding(statement), message=f"{first.message} (seen in {where})", breach="", lost=False, ended=0.0,
        seconds=0.0, notes=[f"seen in {r.case.id}" for r in some],
    )  # fmt: skip

# SPDX-License-Identifier: MIT
"""The rules of a field, and the exception for a broken rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from construct import ConstructError

__all__ = ["KINDS", "Breach", "Check", "Condition", "Limits", "Rule", "judge"]

KINDS: Final = ("length", "type", "utf8", "value", "packet", "cross_field")
"""If a byte breaks several rules, the first kind in this list is reported (see docs/design/offsets.md)."""

Condition = Callable[[Any], Any]


class Rule(NamedTuple):
    """A rule of a field: its statement, its kind (which orders breaches at one byte), and its Reason Code."""

    statement: str
    kind: str
    reason: int
    level: str = "must"


class Check(NamedTuple):
    """A rule that is broken if `breaks` is true for the fields read so far."""

    breaks: Condition
    rule: Rule


class Limits(NamedTuple):
    """The values that a property may take: one of `allowed`, or `minimum` and more."""

    rule: Rule
    minimum: int = 0
    allowed: tuple[int, ...] = ()

    def broken(self, value: int) -> bool:
        """True if the value is not allowed."""
        return value not in self.allowed if self.allowed else value < self.minimum


class Breach(ConstructError):
    """A rule is broken at `offset`. Internal: `mqtt_ref.wire.reference` turns it into a `Violation`."""

    def __init__(self, rule: Rule, offset: int, path: str, version: int | None = None) -> None:
        super().__init__(rule.statement, path)
        self.rule = rule
        self.offset = offset
        self.field = ".".join(path.split(" -> ")[1:])
        self.version = version


def judge(checks: Sequence[Check], context: Any, offset: int, path: str) -> None:
    """Raise `Breach` for the first check that fails, in the order of kinds, then of the tables."""
    for check in sorted(checks, key=lambda c: KINDS.index(c.rule.kind)):
        if check.breaks(context):
            raise Breach(check.rule, offset, path)

# SPDX-License-Identifier: MIT
"""What a case can come to, and how it says so."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Advised", "Breach", "CaseEnd", "Failed", "Inconclusive", "Unsupported", "Verdict"]


class Verdict(StrEnum):
    """The outcome of one case against one broker.

    `NON_STRICT`: a SHOULD was not followed. `INFORMATIONAL`: passed, and which optional behaviour was seen is noted.
    `INCONCLUSIVE`: the standard lets the broker end the case before it decides. `UNSUPPORTED`: the broker does not
    offer what the case needs, or the runner may not configure it.
    """

    PASS = "pass"
    FAIL = "fail"
    NON_STRICT = "non-strict"
    INFORMATIONAL = "informational"
    INCONCLUSIVE = "inconclusive"
    UNSUPPORTED = "unsupported"


class CaseEnd(Exception):
    """Ends a case with a verdict of its own; `message` says why, `expected` and `seen` show it."""

    verdict = Verdict.FAIL

    def __init__(self, message: str, *, expected: str = "", seen: str = "") -> None:
        super().__init__(message)
        self.message, self.expected, self.seen = message, expected, seen


class Failed(CaseEnd):
    """The broker broke the rule."""


class Breach(Failed):
    """The broker broke another rule than those of the case, which then cannot decide; `statement` is that rule."""

    def __init__(self, statement: str, message: str, *, expected: str = "", seen: str = "") -> None:
        super().__init__(message, expected=expected, seen=seen)
        self.statement = statement


class Advised(CaseEnd):
    """The broker did not do what the standard advises."""

    verdict = Verdict.NON_STRICT


class Inconclusive(CaseEnd):
    """The broker did something legal that keeps the case from deciding."""

    verdict = Verdict.INCONCLUSIVE


class Unsupported(CaseEnd):
    """The broker does not offer what the case needs."""

    verdict = Verdict.UNSUPPORTED

# SPDX-License-Identifier: MIT
"""The verdicts of a case, and the exceptions that end a case with one."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["FLOOD", "Advised", "Breach", "CaseEnd", "Failed", "Flooded", "Inconclusive", "Unsupported", "Verdict"]

FLOOD = 8 * 1024 * 1024
"""Bytes that the broker may send in one case. Then nothing more is read, and the case is inconclusive."""


class Verdict(StrEnum):
    """The outcome of one case against one broker.

    `NON_STRICT`: a SHOULD was not followed. `INFORMATIONAL`: passed, with a note of the optional behaviour that was
    seen. `INCONCLUSIVE`: the standard lets the broker end the case before it decides. `UNSUPPORTED`: the broker does
    not offer what the case needs, or the runner may not configure it.
    """

    PASS = "pass"
    FAIL = "fail"
    NON_STRICT = "non-strict"
    INFORMATIONAL = "informational"
    INCONCLUSIVE = "inconclusive"
    UNSUPPORTED = "unsupported"


class CaseEnd(Exception):
    """Ends a case with a verdict. `message` says why; `expected` and `seen` show it."""

    verdict = Verdict.FAIL

    def __init__(self, message: str, *, expected: str = "", seen: str = "") -> None:
        super().__init__(message)
        self.message, self.expected, self.seen = message, expected, seen


class Failed(CaseEnd):
    """The broker broke the rule.

    `proven` says what the failure rests on. True: on packets that were seen, and that slowness cannot explain. Seeing
    them once is enough. False: on something that did not come in time, or on a state that may not have been reached
    yet. The case has to fail again when the broker is given time. In doubt it is False.

    | what was seen | proven | why |
    |---|---|---|
    | a packet that cannot be decoded, or that may not be sent there | yes | bytes on the wire do not depend on time |
    | a value within a packet: identifier, flag, property, size, alias | yes | the packet shows it by itself |
    | bytes that no client sent; the same messages in another order | yes | late messages keep bytes and order |
    | more in flight than allowed, an identifier that is in use | yes | what was acknowledged is known on this side |
    | a code or CONNACK that accepts what is malformed | yes | it answers the one packet that was sent before it |
    | nothing, or too little; no close; no answer | no | no standard says how fast a broker has to be |
    | a message too many, or another one than was waited for | no | a step elsewhere may not have taken effect |
    | Session Present, RETAIN, what a changed subscription gives | no | they depend on a state, reached or not |
    | a refusal, or a close, of what is legal | no | a broker may be busy, and report that by any code |

    `rule` is the broken rule if a case is about several and the step tells which. It may be empty.
    """

    def __init__(
        self, message: str, *, expected: str = "", seen: str = "", proven: bool = False, rule: str = ""
    ) -> None:
        super().__init__(message, expected=expected, seen=seen)
        self.proven, self.rule = proven, rule


class Breach(Failed):
    """The broker broke a rule that is not one of the case's, so the case cannot decide. `statement` is that rule."""

    def __init__(
        self, statement: str, message: str, *, expected: str = "", seen: str = "", proven: bool = False
    ) -> None:
        super().__init__(message, expected=expected, seen=seen, proven=proven, rule=statement)
        self.statement = statement


class Advised(CaseEnd):
    """The broker did not do what the standard advises."""

    verdict = Verdict.NON_STRICT


class Inconclusive(CaseEnd):
    """The broker did something legal that prevents a decision."""

    verdict = Verdict.INCONCLUSIVE


class Flooded(Inconclusive):
    """The broker sent more than `FLOOD` bytes in one case. What it sent was not read to its end."""

    def __init__(self) -> None:
        super().__init__(f"the broker sent more than {FLOOD // 1024 // 1024} MB, which is more than a case takes")


class Unsupported(CaseEnd):
    """The broker does not offer what the case needs."""

    verdict = Verdict.UNSUPPORTED

# SPDX-License-Identifier: MIT
"""What a case says of what it saw: the words in which it accuses, advises, notes, or gives up."""

from __future__ import annotations

from typing import Final

from mqtt_conformance.record import Run
from mqtt_conformance.rules import Rules
from mqtt_conformance.verdict import Advised, Breach, CaseEnd, Failed, Inconclusive, Unsupported
from mqtt_ref.wire.packets import Disconnect
from mqtt_ref.wire.statements import STATEMENTS

__all__ = ["Judging"]

GENERAL: Final = (0x80, 0x83)


class Judging:
    """The judging half of a `Peer`."""

    run: Run
    version: int

    def blame(self, under: Rules, message: str, *, expected: str = "", seen: str = "") -> CaseEnd:
        """How a case ends whose step failed under one of these rules; without any the step is what the case is about.

        A rule of the case makes it fail. Another one is what the broker broke first, and the case cannot decide; where
        the version has no such rule nobody is accused.
        """
        mine = [s for s in under if STATEMENTS[s].version == self.version]
        if not under or set(mine) & set(self.run.statements):
            return Failed(message, expected=expected, seen=seen)
        if mine:
            return Breach(mine[0], message, expected=expected, seen=seen)
        return Inconclusive(message, expected=expected, seen=seen)

    def check(
        self, condition: bool, message: str = "", *, expected: object = "", seen: object = "", under: Rules = ()
    ) -> None:
        """Fail the case unless the condition holds; `under` names the rule where it is none of the case's own."""
        if not condition:
            raise self.blame(under, message or "the rule does not hold", expected=str(expected), seen=str(seen))

    def equal(self, seen: object, expected: object, what: str, *, under: Rules = ()) -> None:
        """Fail the case unless what was seen is what is expected; `under` as in `check`."""
        if seen != expected:
            raise self.blame(under, f"{what} is {seen!r}", expected=repr(expected), seen=repr(seen))

    def refusal_code(self, seen: int, *codes: int) -> None:
        """Fail the case if something was refused with none of these Reason Codes.

        An error in general (0x80) or as the broker has it (0x83) is never a wrong thing to say.
        """
        self._code(seen, codes, GENERAL)

    def closing_code(self, last: object, *codes: int) -> None:
        """Fail the case if the connection ended by a DISCONNECT whose Reason Code is none of these.

        Nor is here an error in the packet (0x81) or in the protocol (0x82) a wrong thing to say.
        """
        if isinstance(last, Disconnect):
            self._code(last.reason_code, codes, (*GENERAL, 0x81, 0x82))

    def _code(self, seen: int, codes: tuple[int, ...], general: tuple[int, ...]) -> None:
        if seen not in codes and seen not in general:
            raise Failed("the Reason Code", expected=", ".join(map(hex, codes)), seen=hex(seen))

    def advise(self, condition: bool, message: str, *, expected: object = "", seen: object = "") -> None:
        """A SHOULD: unless the condition holds the case ends as non-strict."""
        if not condition:
            raise Advised(message, expected=str(expected), seen=str(seen))

    def note(self, text: str) -> None:
        """Which optional behaviour was seen; a case that passes with notes is informational."""
        self.run.notes.append(text)

    def inconclusive(self, why: str) -> None:
        """End the case: the broker did something legal that keeps it from deciding."""
        raise Inconclusive(why)

    def unsupported(self, why: str) -> None:
        """End the case: the broker does not offer what it needs."""
        raise Unsupported(why)

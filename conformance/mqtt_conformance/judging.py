# SPDX-License-Identifier: MIT
"""What a case says of what it saw: the words in which it accuses, advises, notes, or gives up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mqtt_conformance.record import Run
from mqtt_conformance.rules import ORDER, Rules
from mqtt_conformance.verdict import Advised, Breach, CaseEnd, Failed, Inconclusive, Unsupported
from mqtt_ref.wire.packets import Connect, Disconnect, Puback, Publish, Pubrec
from mqtt_ref.wire.statements import STATEMENTS

__all__ = ["Judging", "reordered"]

GENERAL: Final = (0x80, 0x83)


class Judging:
    """The judging half of a `Peer`."""

    run: Run
    version: int

    def blame(self, under: Rules, message: str, *, expected: str = "", seen: str = "", proven: bool = False) -> CaseEnd:
        """How a case ends whose step failed under one of these rules; without any the step is what the case is about.

        A rule of the case makes it fail. Another one is what the broker broke first, and the case cannot decide; where
        the version has no such rule nobody is accused. `proven` as `Failed` has it.
        """
        mine = [s for s in under if STATEMENTS[s].version == self.version]
        own = [s for s in mine if s in self.run.statements]
        if not under or own:
            return Failed(message, expected=expected, seen=seen, proven=proven, rule=own[0] if own else "")
        if mine:
            return Breach(mine[0], message, expected=expected, seen=seen, proven=proven)
        return Inconclusive(message, expected=expected, seen=seen)

    def check(
        self,
        condition: bool,
        message: str = "",
        *,
        expected: object = "",
        seen: object = "",
        under: Rules = (),
        proven: bool = False,
    ) -> None:
        """Fail the case unless the condition holds; `under` names the rule where it is none of the case's own.

        `proven` as `Failed` has it.
        """
        if not condition:
            raise self.blame(
                under, message or "the rule does not hold", expected=str(expected), seen=str(seen), proven=proven
            )

    def equal(self, seen: object, expected: object, what: str, *, under: Rules = (), proven: bool = False) -> None:
        """Fail the case unless what was seen is what is expected; `under` and `proven` as in `check`.

        Bytes that nobody in this run sent, and the expected messages in another order, are proven in any event. The
        order has rules of its own, which are blamed unless `under` names some.
        """
        if seen != expected:
            shuffled = reordered(seen, expected)
            proven = proven or shuffled or self._made_up(seen)
            if shuffled and not under:
                under = ORDER  # 3.1 has no rule of order, so nobody is accused there
            raise self.blame(under, f"{what} is {seen!r}", expected=repr(expected), seen=repr(seen), proven=proven)

    def _made_up(self, seen: object) -> bool:
        """Whether a payload came on a topic of this run that nobody in it sent, also not in a Will."""
        out = [r.packet for r in self.run.trace if r.what == "out"]
        if any(isinstance(packet, bytes) for packet in out):
            return False  # what was sent byte by byte is not looked into
        sent = {p.payload for p in out if isinstance(p, Publish)}
        sent |= {p.will.payload for p in out if isinstance(p, Connect) and p.will is not None}
        own = [r.packet for r in self.run.trace if r.what == "in" and isinstance(r.packet, Publish)]
        came = {p.payload for p in own if p.topic.startswith(self.run.topic_prefix)}
        return any(value in came - sent for value in _bytes_in(seen))

    def taken(self, reply: Puback | Pubrec) -> None:
        """End the case if a message that was sent is refused, as a broker may do for reasons of its own."""
        if reply.reason_code >= 0x80:
            raise Inconclusive("the message is refused", expected=type(reply).__name__.upper(), seen=repr(reply))

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


def reordered(seen: object, expected: object) -> bool:
    """Whether messages that were seen, told by their bytes, stand in another order than those that were expected.

    Each is looked at where it came first: a repeat behind it, or one that is missing, is no other order.
    """
    if not isinstance(seen, list) or not isinstance(expected, list):
        return False
    if not all(any(True for _ in _bytes_in(one)) for one in [*seen, *expected]):
        return False
    places: dict[object, int] = {}
    for at, one in enumerate(expected):
        if repr(one) in places:
            return False
        places[repr(one)] = at
    first = [places[one] for one in dict.fromkeys(map(repr, seen)) if one in places]
    return first != sorted(first)


def _bytes_in(value: object) -> Iterator[bytes]:
    if isinstance(value, bytes):
        yield value
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _bytes_in(one)

# SPDX-License-Identifier: MIT
"""The ways in which a case ends or comments: fail, advise, note, inconclusive, unsupported."""

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
        """Return how a case ends after a failed step that rests on these rules. No rules: the case is about the step.

        If one of the rules belongs to the case, the case fails. Otherwise the broker broke another rule first, and the
        case cannot decide. If the version has no such rule, nothing is blamed. `proven` is explained at `Failed`.
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
        """Fail the case unless the condition holds. `under` names the rule if it is not one of the case's own.

        `proven` is explained at `Failed`.
        """
        if not condition:
            raise self.blame(
                under, message or "the rule does not hold", expected=str(expected), seen=str(seen), proven=proven
            )

    def equal(self, seen: object, expected: object, what: str, *, under: Rules = (), proven: bool = False) -> None:
        """Fail the case unless `seen` equals `expected`. `under` and `proven` are as in `check`.

        Two failures are always proven: bytes that no client of this run sent, and the expected messages in another
        order. A wrong order breaks the rules of order, unless `under` names other rules.
        """
        if seen != expected:
            shuffled = reordered(seen, expected)
            proven = proven or shuffled or self._made_up(seen)
            if shuffled and not under:
                under = ORDER  # 3.1 has no rule of order, so no rule is blamed there
            raise self.blame(under, f"{what} is {seen!r}", expected=repr(expected), seen=repr(seen), proven=proven)

    def _made_up(self, seen: object) -> bool:
        """True if a topic of this run brought a payload that no client of this run sent, not even as a Will."""
        out = [r.packet for r in self.run.trace if r.what == "out"]
        if any(isinstance(packet, bytes) for packet in out):
            return False  # packets sent as bytes are not decoded
        sent = {p.payload for p in out if isinstance(p, Publish)}
        sent |= {p.will.payload for p in out if isinstance(p, Connect) and p.will is not None}
        own = [r.packet for r in self.run.trace if r.what == "in" and isinstance(r.packet, Publish)]
        came = {p.payload for p in own if p.topic.startswith(self.run.topic_prefix)}
        return any(value in came - sent for value in _bytes_in(seen))

    def taken(self, reply: Puback | Pubrec) -> None:
        """End the case as inconclusive if a message was refused. A broker may refuse one for its own reasons."""
        if reply.reason_code >= 0x80:
            raise Inconclusive("the message is refused", expected=type(reply).__name__.upper(), seen=repr(reply))

    def refusal_code(self, seen: int, *codes: int) -> None:
        """Fail the case if a refusal has none of these Reason Codes.

        Unspecified error (0x80) and Implementation specific error (0x83) are always accepted.
        """
        self._code(seen, codes, GENERAL)

    def closing_code(self, last: object, *codes: int) -> None:
        """Fail the case if a DISCONNECT ended the connection with none of these Reason Codes.

        Malformed Packet (0x81) and Protocol Error (0x82) are accepted as well, as are 0x80 and 0x83.
        """
        if isinstance(last, Disconnect):
            self._code(last.reason_code, codes, (*GENERAL, 0x81, 0x82))

    def _code(self, seen: int, codes: tuple[int, ...], general: tuple[int, ...]) -> None:
        if seen not in codes and seen not in general:
            raise Failed("the Reason Code", expected=", ".join(map(hex, codes)), seen=hex(seen))

    def advise(self, condition: bool, message: str, *, expected: object = "", seen: object = "") -> None:
        """Check a SHOULD: the case ends as non-strict unless the condition holds."""
        if not condition:
            raise Advised(message, expected=str(expected), seen=str(seen))

    def note(self, text: str) -> None:
        """Note an optional behaviour that was seen. A case that passes with notes is informational."""
        self.run.notes.append(text)

    def inconclusive(self, why: str) -> None:
        """End the case as inconclusive: the broker did something legal that prevents a decision."""
        raise Inconclusive(why)

    def unsupported(self, why: str) -> None:
        """End the case as unsupported: the broker does not offer what it needs."""
        raise Unsupported(why)


def reordered(seen: object, expected: object) -> bool:
    """True if the messages came in another order than expected. Messages are compared by their bytes.

    Only the first arrival of each message counts. A later repeat or a missing message does not change the order.
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

# SPDX-License-Identifier: MIT
"""A finding of the judge: one broken rule, with the evidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from mqtt_ref.wire.fast import decode
from mqtt_ref.wire.generated.packets import PACKET_NAMES
from mqtt_ref.wire.jsonform import packet_to_json
from mqtt_ref.wire.primitives import CLIENT, read_vbi
from mqtt_ref.wire.statements import statement
from mqtt_ref.wire.violation import Violation

__all__ = ["FORM", "Event", "Finding", "finding_from_json", "finding_to_json", "packet_of"]

FORM: Final = 1
"""The version of the JSON form. It is increased when a reader of the old form would misread the new one."""
SIDES: Final = ("client", "server")
SHOWN: Final = 4096
"""Maximum bytes of a packet that a finding keeps."""


class Event(NamedTuple):
    """A packet in the history of a connection. `size` is its full size; `data` may be only its beginning."""

    time: int
    sender: int
    data: bytes
    size: int


@dataclass(frozen=True)
class Finding:
    """One rule that the client broke.

    `rule` is the statement; `also` are those that say the same or follow from it. `level` is must or should. `data` is
    the packet that broke it, or the beginning of it; `size` is its full size. `data` is empty if the client broke the
    rule by silence. `offset` is the byte that breaks the rule; -1: the packet as a whole. `time` is in nanoseconds, on
    the clock of the judge's caller.
    """

    rule: str
    also: tuple[str, ...]
    level: str
    version: int
    expected: str
    seen: str
    connection: str
    client_id: str
    remote: str
    time: int
    data: bytes
    size: int
    offset: int
    history: tuple[Event, ...]

    @property
    def meaning(self) -> str:
        """The rule in our own words."""
        return statement(self.rule).meaning


def packet_of(data: bytes, version: int, sender: int) -> dict[str, Any] | None:
    """Return the JSON form of the packet in `data`; None if it is illegal or incomplete."""
    if len(data) < 2:
        return None
    packed = read_vbi(data, 1, min(len(data), 5), False)
    if packed < 0 or 1 + (packed & 7) + (packed >> 3) != len(data):
        return None
    packet = decode(version, sender, data, 0, 1 + (packed & 7), len(data))
    return None if isinstance(packet, Violation) else packet_to_json(packet)


def finding_to_json(finding: Finding) -> dict[str, Any]:
    """Return the JSON form of a finding: times in nanoseconds, bytes in hex."""
    return {
        "v": FORM,
        "rule": finding.rule,
        "also": list(finding.also),
        "level": finding.level,
        "protocol": finding.version,
        "meaning": finding.meaning,
        "expected": finding.expected,
        "seen": finding.seen,
        "conn": finding.connection,
        "client_id": finding.client_id,
        "remote": finding.remote,
        "t": finding.time,
        "type": PACKET_NAMES[finding.data[0] >> 4] if finding.data else None,
        "packet": packet_of(finding.data, finding.version, CLIENT),
        "hex": finding.data.hex(),
        "size": finding.size,
        "offset": finding.offset,
        "history": [
            {
                "t": event.time,
                "from": SIDES[event.sender],
                "packet": packet_of(event.data, finding.version, event.sender),
                "hex": event.data.hex(),
                "size": event.size,
            }
            for event in finding.history
        ],
    }


def finding_from_json(form: Any) -> Finding:
    """Read a finding from its JSON form.

    Raises:
        ValueError: the form is invalid, or its version is unknown.
    """
    if not isinstance(form, dict) or form.get("v") != FORM or "rule" not in form:
        raise ValueError(f"this is not a finding: `v` has to be {FORM}, and `rule` a statement id")
    try:
        history = tuple(
            Event(int(event["t"]), SIDES.index(event["from"]), bytes.fromhex(event["hex"]), int(event["size"]))
            for event in form["history"]
        )
        return Finding(
            statement(form["rule"]).id,
            tuple(form["also"]),
            form["level"],
            form["protocol"],
            form["expected"],
            form["seen"],
            form["conn"],
            form["client_id"],
            form["remote"],
            form["t"],
            bytes.fromhex(form["hex"]),
            form["size"],
            form["offset"],
            history,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"a field of the finding is missing or invalid: {error}") from None

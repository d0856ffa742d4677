# SPDX-License-Identifier: MIT
"""What the judge says: one broken rule, with everything needed to see that it was broken."""

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
"""The version of the JSON form. It goes up when a reader of the old form would misread the new one."""
SIDES: Final = ("client", "server")
SHOWN: Final = 4096
"""Bytes of a packet that are kept."""


class Event(NamedTuple):
    """A packet of the connection's history. `size` is that of the packet, of which `data` may be the beginning."""

    time: int
    sender: int
    data: bytes
    size: int


@dataclass(frozen=True)
class Finding:
    """One rule that the client broke.

    `rule` is the statement, `also` those that say the same or follow from it. `level` is must or should. `data` are
    the bytes of the packet that broke it (of `size` bytes), empty where it was broken by silence; `offset` is the byte
    at which it did, -1 where it is the packet as a whole. `time` is in nanoseconds, on the clock of who watched.
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
        """What the rule says, in our words."""
        return statement(self.rule).meaning


def packet_of(data: bytes, version: int, sender: int) -> dict[str, Any] | None:
    """The JSON form of the packet in `data`; None where it is not legal, or not whole."""
    if len(data) < 2:
        return None
    packed = read_vbi(data, 1, min(len(data), 5), False)
    if packed < 0 or 1 + (packed & 7) + (packed >> 3) != len(data):
        return None
    packet = decode(version, sender, data, 0, 1 + (packed & 7), len(data))
    return None if isinstance(packet, Violation) else packet_to_json(packet)


def finding_to_json(finding: Finding) -> dict[str, Any]:
    """The JSON form of a finding; times in nanoseconds, bytes in hex."""
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
    """The finding of a JSON form.

    Raises:
        ValueError: the form is none, or of a version that is not known.
    """
    if not isinstance(form, dict) or form.get("v") != FORM or "rule" not in form:
        raise ValueError(f"this is no finding of form {FORM}")
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
        raise ValueError(f"the finding lacks something or holds what it should not: {error}") from None

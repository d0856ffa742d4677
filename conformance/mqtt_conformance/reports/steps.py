# SPDX-License-Identifier: MIT
"""Shows the packets of a case, one line each: time, client, direction, packet, hex."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mqtt_conformance.record import Record
from mqtt_ref.wire.violation import Violation

__all__ = ["lines"]

ARROWS = {"out": "->", "in": "<-"}
LONGEST = 200
"""The most characters of a packet's fields, or of its hex, that a line shows."""


def lines(trace: Iterable[Record], *, hex_too: bool = True) -> Iterator[str]:
    """Return one line for each event of the trace."""
    for record in trace:
        arrow = ARROWS.get(record.what)
        if arrow is None:
            text = f"{record.what}: {record.packet}" if isinstance(record.packet, str) else record.what
            yield f"{record.t:8.3f}  {record.peer:12} -- {text}"
            continue
        yield f"{record.t:8.3f}  {record.peer:12} {arrow} {_short(_text(record))}"
        if hex_too and record.raw:
            yield f"{'':25}{_short(record.raw.hex(' '))}"


def _text(record: Record) -> str:
    packet = record.packet
    if isinstance(packet, bytes):
        return "bytes as they are"
    if isinstance(packet, Violation):
        return f"a packet that breaks {packet.statement} at byte {packet.offset}"
    return repr(packet)


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}... ({len(text)} characters)"

# SPDX-License-Identifier: MIT
"""Reports of findings: text, one JSON document, and the JSONL record of a run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from mqtt_ref import __version__
from mqtt_ref.oracle.finding import FORM, Event, Finding, finding_from_json, finding_to_json
from mqtt_ref.oracle.hole import Hole, hole_to_json
from mqtt_ref.wire.describe import describe
from mqtt_ref.wire.fast import decode
from mqtt_ref.wire.primitives import CLIENT, read_vbi
from mqtt_ref.wire.printable import printable
from mqtt_ref.wire.statements import statement

__all__ = ["as_json", "as_text", "one_line", "read_record", "summary"]

PROTOCOLS: Final = {3: "3.1", 4: "3.1.1", 5: "5.0"}
FEW: Final = 6
"""Packets of the history in a text report. The JSON form has more."""


def one_line(finding: Finding) -> str:
    """Return a finding as one line, for live output."""
    who = repr(finding.client_id) if finding.client_id else "a client"
    mark = "" if finding.level == "must" else f" ({finding.level})"
    return printable(f"{finding.rule}{mark}: {who} on connection {finding.connection}: {finding.seen}")


def as_text(finding: Finding, number: int = 0) -> str:
    """Return a finding as text: the rule, what was expected and seen, the packet dissected, the packets before it."""
    rule = statement(finding.rule)
    head = f"{number}. " if number else ""
    who = repr(finding.client_id) if finding.client_id else "unknown"
    lines = [
        f"{head}{finding.rule}  ({finding.level}, MQTT {PROTOCOLS[finding.version]}, section {rule.section})",
        f"   {rule.meaning}",
        f"   expected: {finding.expected}",
        f"   seen:     {finding.seen}",
        f"   client:   {who}, connection {finding.connection}" + (f", {finding.remote}" if finding.remote else ""),
    ]
    if finding.also:
        lines.append(f"   also:     {', '.join(finding.also)}")
    if finding.data:
        lines += ["   packet:", *(f"     {line}" for line in _dissected(finding))]
    before = finding.history[-FEW - 1 : -1] if finding.data else finding.history[-FEW:]
    if before:
        lines.append("   before it:")
        lines += [f"     {_event(event, finding)}" for event in before]
    return printable("\n".join(lines), "\n")


def _dissected(finding: Finding) -> list[str]:
    """Return the fields of the packet, with offsets and hex."""
    from mqtt_ref.wire.dissect import Stream, explain

    if len(finding.data) < finding.size:
        return [f"{finding.size} bytes, beginning with {finding.data[:32].hex(' ')}"]
    stream = Stream(finding.version, CLIENT)
    found = [*stream.feed(finding.data), *stream.rest()]
    return [line for one in found for line in explain(one).splitlines()]


def _event(event: Event, finding: Finding) -> str:
    ago = (event.time - finding.time) / 1e9
    arrow = "->" if event.sender == CLIENT else "<-"
    return f"{ago:+10.6f} s {arrow} {_shown(event, finding.version)}"


def _shown(event: Event, version: int) -> str:
    data = event.data
    packed = read_vbi(data, 1, min(len(data), 5), False) if len(data) > 1 else -1
    body = 1 + (packed & 7)
    if packed < 0 or body + (packed >> 3) != len(data):
        return f"{event.size} bytes: {data[:16].hex(' ')}..."
    return describe(decode(version, event.sender, data, 0, body, len(data)), version)


def summary(findings: Iterable[Finding], connections: int, unjudged: int = 0, holes: int = 0) -> str:
    """Return the last line of a report: the numbers of connections and findings."""
    found = list(findings)
    must = sum(1 for one in found if one.level == "must")
    rules = len({one.rule for one in found})
    text = f"{connections} connection{'' if connections == 1 else 's'}"
    if unjudged:
        text += f", {unjudged} not judged (began before the recording, CONNECT missing, or not MQTT)"
    if holes:
        text += f", {holes} judged in part (bytes are missing)"
    if not found:
        return f"{text}: no rule broken"
    advised = len(found) - must
    parts = [f"{must} finding{'' if must == 1 else 's'}"]
    if advised:
        parts.append(f"{advised} recommendation{'' if advised == 1 else 's'} not followed")
    return f"{text}: {', '.join(parts)}, of {rules} rule{'' if rules == 1 else 's'}"


def as_json(
    findings: Iterable[Finding], connections: int, unjudged: int = 0, holes: Iterable[Hole] = ()
) -> dict[str, Any]:
    """Return all findings as one JSON document."""
    found = list(findings)
    return {
        "v": FORM,
        "tool": f"mqtt-ref {__version__}",
        "connections": connections,
        "unjudged": unjudged,
        "holes": [hole_to_json(one) for one in holes],
        "must": sum(1 for one in found if one.level == "must"),
        "should": sum(1 for one in found if one.level != "must"),
        "findings": [finding_to_json(one) for one in found],
    }


def read_record(text: str) -> Iterator[Finding]:
    """Read the findings of a JSONL record.

    Raises:
        ValueError: a line is not a finding. The text has its number.
    """
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                yield finding_from_json(json.loads(line))
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from None

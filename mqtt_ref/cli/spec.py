# SPDX-License-Identifier: MIT
"""`mqtt-ref spec`: looks up statements, packets, properties and Reason Codes by id, number, name or word."""

from __future__ import annotations

import argparse
import re
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator

from mqtt_ref.wire.generated.catalogue import (
    PACKETS,
    PROPERTIES,
    REASONS,
    RETURN_CODES,
    PacketRow,
    PropertyRow,
    ReasonRow,
)
from mqtt_ref.wire.primitives import V5, V31, V311
from mqtt_ref.wire.statements import STATEMENTS, Statement, find, resolve

__all__ = ["configure", "run"]

FINE, FINDINGS, USAGE = 0, 1, 2
PROTOCOLS = {"5": V5, "5.0": V5, "3.1.1": V311, "311": V311, "3.1": V31, "31": V31}
NAMES = {V5: "MQTT 5.0", V311: "MQTT 3.1.1", V31: "MQTT 3.1"}
EXAMPLE = """\
examples:
  mqtt-ref spec MQTT5-3.1.2-11
  mqtt-ref spec --protocol 3.1.1 MQTT-3.1.2-11     the standard's own spelling
  mqtt-ref spec topic_alias                        a property
  mqtt-ref spec PUBREL                             a packet
  mqtt-ref spec 0x97                               a Reason Code, and the property of that number
  mqtt-ref spec --counts"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = EXAMPLE
    parser.add_argument("word", nargs="*", metavar="ID or word", help="an id, a number, a name, or a word")
    parser.add_argument("--protocol", choices=sorted(PROTOCOLS), help="statements of this version only")
    parser.add_argument("--counts", action="store_true", help="count statements, packets, properties, ...")


def run(args: argparse.Namespace) -> int:
    """Print what is found. Returns 1 if nothing is."""
    if args.counts:
        _counts()
        return FINE
    word = " ".join(args.word).strip()
    if not word:
        print("mqtt-ref spec: give an id or a word, or --counts", file=sys.stderr)
        return USAGE
    version = PROTOCOLS.get(args.protocol or "")
    blocks = list(look_up(word, version))
    for number, block in enumerate(blocks):
        print(("\n" if number else "") + block)
    if not blocks:
        print(f"mqtt-ref spec: nothing is called {word!r}, and no statement contains it", file=sys.stderr)
        return FINDINGS
    return FINE


def look_up(word: str, version: int | None = None) -> Iterator[str]:
    """Return everything with this name as text; if there is nothing, the statements that contain the word."""
    exact = [_statement(s) for s in resolve(word, version)]
    number = _number(word)
    name = re.sub(r"[\s-]+", "_", word).lower()
    if not exact:
        exact += [_packet(p) for p in PACKETS if p.name.lower() == name]
        exact += [_property(p) for p in PROPERTIES if p.name == name or p.identifier == number]
        exact += [_reason(r) for r in REASONS if r.name.lower() == name or r.code == number]
        exact += [f"return code {c} {title} (CONNACK in 3.x)" for c, n, title in RETURN_CODES if n.lower() == name]
    yield from exact
    if not exact and number is None:
        yield from (_statement(s) for s in find(word) if version in (None, s.version))


def _number(word: str) -> int | None:
    try:
        return int(word, 0)
    except ValueError:
        return None


def _statement(row: Statement) -> str:
    binds = "client and server" if row.binds == "both" else f"the {row.binds}"
    lines = [
        f"{row.id}  {NAMES[row.version]}, section {row.section}; {row.level.upper()}, binds {binds}",
        *textwrap.wrap(row.meaning, 100, initial_indent="  ", subsequent_indent="  "),
        f"  source: {row.source}",
    ]
    if row.confirmed:
        lines.append(f"  confirmed: {row.confirmed}")
    return "\n".join(lines)


def _packet(row: PacketRow) -> str:
    lines = [f"{row.name}  packet type {row.code}, section {row.section}; flags {row.flags}"]
    for version, name in NAMES.items():
        if version not in row.senders:
            lines.append(f"  {name}: does not exist")
            continue
        sender = "client and server" if row.senders[version] == "both" else f"the {row.senders[version]}"
        lines.append(f"  {name}, sent by {sender}: {', '.join(row.fields[version]) or 'no fields'}")
    properties = [p.title for p in PROPERTIES if any(place[0] == row.name for place in p.places)]
    if properties:
        lines += textwrap.wrap(
            f"properties: {', '.join(properties)}", 100, initial_indent="  ", subsequent_indent="    "
        )
    codes = [f"0x{r.code:02X} {r.title}" for r in REASONS if any(place[0] == row.name for place in r.places)]
    if codes:
        lines += textwrap.wrap(f"Reason Codes: {', '.join(codes)}", 100, initial_indent="  ", subsequent_indent="    ")
    return "\n".join(lines)


def _property(row: PropertyRow) -> str:
    values = f", {row.values}" if row.values else ""
    lines = [f"{row.title}  property 0x{row.identifier:02X} ({row.identifier}), {row.name}: {row.type}{values}"]
    for packet, sender, section, many in row.places:
        where = "the Will Properties of CONNECT" if packet == "WILL" else packet
        who = "client or server" if sender == "both" else sender
        lines.append(f"  in {where} from {who}, {'any number of times' if many else 'once'} (section {section})")
    lines += [f"  {s.id}: {s.meaning}" for s in STATEMENTS.values() if s.id.startswith(f"X5-{row.name}-")]
    return "\n".join(lines)


def _reason(row: ReasonRow) -> str:
    lines = [f"{row.title}  Reason Code 0x{row.code:02X} ({row.code}), {row.name}"]
    for packet, sender in row.places:
        lines.append(f"  in {packet} from {'client or server' if sender == 'both' else sender}")
    if row.v3 >= 0:
        title = next(t for c, _, t in RETURN_CODES if c == row.v3)
        lines.append(f"  in CONNACK of 3.1.1 and 3.1: return code {row.v3}, {title}")
    return "\n".join(lines)


def _counts() -> None:
    """Print the numbers that can be compared with the tables of the standards, and those derived from them."""
    rows: list[tuple[str, int]] = []
    for version, name in NAMES.items():
        here = [s for s in STATEMENTS.values() if s.version == version]
        numbered = sum(not s.minted for s in here)
        if numbered:
            rows.append((f"statements of {name} with a number of their own", numbered))
        rows.append((f"statements of {name} without a number, minted here", len(here) - numbered))
    rows.append(("packets", len(PACKETS)))
    rows.append(("properties", len(PROPERTIES)))
    rows.append(("Reason Codes of MQTT 5.0", len({r.code for r in REASONS})))
    rows.append(("return codes of MQTT 3.x", len(RETURN_CODES)))
    rows += _vector_counts()
    for label, number in rows:
        print(f"{number:>7,}  {label}")


def _vector_counts() -> list[tuple[str, int]]:
    from mqtt_ref.wire.generated.vectors import vectors

    kinds = Counter(vector.kind for vector in vectors())
    rows = [(f"vectors of kind {kind}", number) for kind, number in sorted(kinds.items())]
    return [*rows, ("vectors in all", sum(kinds.values()))]

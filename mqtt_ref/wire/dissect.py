# SPDX-License-Identifier: MIT
"""Splits recorded bytes into packets, and describes the fields and the violation of each in words."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final, NamedTuple

from mqtt_ref.wire import reference
from mqtt_ref.wire.fields import Dissection, FieldNode
from mqtt_ref.wire.framing import Decoder
from mqtt_ref.wire.generated.packets import PACKET_NAMES, Connect
from mqtt_ref.wire.generated.reasons import REASON_TITLES
from mqtt_ref.wire.jsonform import packet_to_json, violation_to_json
from mqtt_ref.wire.primitives import CLIENT, SERVER, V5, V31, V311
from mqtt_ref.wire.printable import json_text
from mqtt_ref.wire.statements import statement
from mqtt_ref.wire.violation import Violation

__all__ = ["VERSION_NAMES", "Found", "Stream", "explain", "json_line", "to_json"]

VERSION_NAMES: Final = {V5: "MQTT 5.0", V311: "MQTT 3.1.1", V31: "MQTT 3.1"}
SIDES: Final = ("client", "server")
SHOWN: Final = 16
"""Number of bytes in one line of hex."""
SHORT: Final = 64
"""Maximum size in bytes of a packet that is dissected once if it comes again, as most PINGREQs do."""
KNOWN: Final = 1024
"""Number of different short packets that are remembered."""


class Found(NamedTuple):
    """One packet of a stream. `offset` counts from the first byte of its sender; `notes` say what was guessed."""

    offset: int
    dissection: Dissection
    notes: tuple[str, ...]


class Stream:
    """The packets of one connection, both directions.

    If `version` is None, it is the one that a CONNECT in the stream names, else 5.0. If `sender` is None, it is the
    side that may send the packet, or the client if both may.
    """

    def __init__(self, version: int | None = None, sender: int | None = None) -> None:
        self.given = version
        self.seen: int | None = None
        self.sender = sender
        self.unread = 0
        """Number of bytes that were not decoded, because no packet can begin where a broken packet ends."""
        self._held: dict[int | None, _Held] = {}
        self._broken: set[int | None] = set()
        self._lost: set[int | None] = set()
        self._offsets: dict[int | None, int] = {}

    def feed(self, data: bytes, sender: int | None = None) -> Iterator[Found]:
        """Yield the packets that these bytes of `sender` complete."""
        sender = self.sender if sender is None else sender
        held = self._held.get(sender)
        if held is not None:
            held.parts.append(data)
            held.size += len(data)
            if held.size < held.need:
                return
            data = b"".join(self._held.pop(sender).parts)
        pos = 0
        size: int | None = 0
        while pos < len(data):
            if sender in self._broken and data[pos] >> 4 == 0:
                self._lost.add(sender)
            if sender in self._lost:
                self.unread += len(data) - pos
                return
            size = _size(data, pos)
            if size is None or pos + size > len(data):
                break
            yield self._found(data[pos : pos + size], sender)
            pos += size
        if pos < len(data):
            self._held[sender] = _Held(data[pos:], size or 0)

    def rest(self) -> Iterator[Found]:
        """Yield the incomplete packets that are left at the end."""
        held, self._held = self._held, {}
        for sender, one in held.items():
            yield self._found(b"".join(one.parts), sender)

    def lose(self, sender: int | None) -> Iterator[Found]:
        """Note that bytes of `sender` are missing here. Yields the packet that stays incomplete, if there is one."""
        held = self._held.pop(sender, None)
        if held is not None:
            yield self._found(b"".join(held.parts), sender)

    def _found(self, data: bytes, sender: int | None) -> Found:
        offset = self._offsets.get(sender, 0)
        self._offsets[sender] = offset + len(data)
        dissected = _dissected_short if len(data) <= SHORT else _dissected
        version = self.given or self.seen
        dissection, notes = dissected(version or V5, sender, version is None, data)
        if dissection.violation is not None:
            self._broken.add(sender)
        if isinstance(dissection.packet, Connect):
            self.seen = dissection.packet.protocol_version
        return Found(offset, dissection, notes)


class _Held:
    """The beginning of a packet. `need` is the size of the packet, or 0 if it is not known yet."""

    def __init__(self, data: bytes, need: int) -> None:
        self.parts = [data]
        self.size = len(data)
        self.need = need


def _dissected(version: int, sender: int | None, guessed: bool, data: bytes) -> tuple[Dissection, tuple[str, ...]]:
    """Return a packet with the notes on it. `guessed`: no CONNECT has said which version it is."""
    notes: list[str] = []
    if sender is None:
        dissection, note = _either_sender(version, guessed, data)
        if note:
            notes.append(note)
    else:
        dissection = _parse(version, guessed, sender, data)
    notes += _other_versions(dissection, guessed and dissection.type != Connect.TYPE)
    return dissection, tuple(notes)


_dissected_short = lru_cache(KNOWN)(_dissected)


def explain(found: Found) -> str:
    """Return a packet as text: its fields with offsets and hex, and for a broken one what is wrong and where."""
    dissection = found.dissection
    return (_text_short if len(dissection.data) <= SHORT else _text)(dissection, found.notes)


def _text(d: Dissection, notes: tuple[str, ...]) -> str:
    side = "client" if d.sender == CLIENT else "server"
    lines = [f"{PACKET_NAMES[d.type]} ({VERSION_NAMES[d.version]}, from the {side}, {_count(len(d.data), 'byte')})"]
    lines += [f"  note: {note}" for note in notes]
    rows = list(_rows(d))
    width = max((len(name) for _, _, name, _ in rows), default=0)
    for start, shown, name, text in rows:
        lines.append(f"  {start:>5}  {shown:<{3 * 8 + 1}}  {name:<{width}}  {text}".rstrip())
    if d.violation is not None:
        lines += _broken(d, d.violation)
    return "\n".join(lines)


_text_short = lru_cache(KNOWN)(_text)


def to_json(found: Found) -> dict[str, Any]:
    """Return a packet as a JSON object: the JSON form of the packet or of the violation, and the fields."""
    return {"v": 1, "offset": found.offset, **_json(found.dissection, found.notes)}


def json_line(found: Found, connection: str = "") -> str:
    """Return `to_json(found)` as text in one line, with the name of its connection as `conn` if it has one."""
    dissection = found.dissection
    rest = (_json_text_short if len(dissection.data) <= SHORT else _json_text)(dissection, found.notes)
    conn = f'"conn": {json_text(connection)}, ' if connection else ""
    return f'{{{conn}"v": 1, "offset": {found.offset}, {rest[1:]}'


def _json_text(d: Dissection, notes: tuple[str, ...]) -> str:
    return json_text(_json(d, notes))


_json_text_short = lru_cache(KNOWN)(_json_text)


def _json(d: Dissection, notes: tuple[str, ...]) -> dict[str, Any]:
    out: dict[str, Any] = {"protocol": d.version, "sender": SIDES[d.sender], "hex": d.data.hex()}
    if d.packet is not None:
        out["packet"] = packet_to_json(d.packet)
    if d.violation is not None:
        out["violation"] = violation_to_json(d.violation)["violation"]
        out["meaning"] = statement(d.violation.statement).meaning
    if notes:
        out["notes"] = list(notes)
    out["fields"] = [_field_json(node) for node in d.fields]
    return out


def _field_json(node: FieldNode) -> dict[str, Any]:
    out: dict[str, Any] = {"name": node.name, "start": node.start, "end": node.end}
    if node.text:
        out["text"] = node.text
    if node.children:
        out["fields"] = [_field_json(child) for child in node.children]
    return out


def _size(data: bytes, pos: int) -> int | None:
    """Return the size of the packet at `pos`, None if its length is incomplete, or the rest if it is malformed."""
    length = 0
    for n in range(4):
        if pos + 1 + n >= len(data):
            return None
        byte = data[pos + 1 + n]
        length |= (byte & 127) << 7 * n
        if byte < 128:
            return 2 + n + length
    return len(data) - pos


def _parse(version: int, guessed: bool, sender: int, data: bytes) -> Dissection:
    """Parse a packet. The flags of a CONNECT are judged by the version that it names, not by a guessed one."""
    if not guessed or data[0] >> 4 != Connect.TYPE:
        return reference.parse(version, sender, data)
    dissection = reference.parse(0, sender, data)
    violation = dissection.violation
    if violation is None or violation.version:
        return dissection
    return replace(dissection, violation=violation._replace(version=version))


def _either_sender(version: int, guessed: bool, data: bytes) -> tuple[Dissection, str]:
    """Parse a packet as sent by the side that may send it. Also returns a note, or an empty string."""
    client = _parse(version, guessed, CLIENT, data)
    if client.violation is None:
        return client, ""
    server = _parse(version, guessed, SERVER, data)
    if server.violation is None:
        return server, ""
    if client.violation.statement.endswith("-packet-direction"):
        return server, ""
    if server.violation.statement.endswith("-packet-direction") or client.violation[:4] == server.violation[:4]:
        return client, ""
    return client, "read as sent by the client; sent by the server it breaks a rule too"


def _other_versions(dissection: Dissection, guessed: bool) -> Iterator[str]:
    """Yield notes: the version was guessed; the bytes are legal in other versions."""
    if dissection.violation is None and not guessed:
        return
    same: list[str] = []
    other: list[str] = []
    for version, name in VERSION_NAMES.items():
        if version == dissection.version or dissection.type == Connect.TYPE:
            continue
        found = Decoder(version, dissection.sender).feed(dissection.data)
        if len(found) == 1 and not isinstance(found[0], Violation):
            (same if found[0] == dissection.packet else other).append(name)
    if guessed:
        yield f"no CONNECT seen before: read as {VERSION_NAMES[dissection.version]}"
    if dissection.violation is not None and other:
        yield f"the bytes are legal in {' and '.join(other)}"
    elif guessed and other:
        yield f"the bytes are legal in {' and '.join(other)} too, with another meaning"
    elif guessed and same:
        yield f"the bytes are legal in {' and '.join(same)} too"


def _rows(d: Dissection) -> Iterator[tuple[int, str, str, str]]:
    for depth, node in d.walk():
        if depth and node.name == "length":
            continue
        shown = d.data[node.start : node.end]
        inside = any(child.name != "length" for child in node.children)
        text = node.text
        if depth == 1 and node.name == "type":
            text = f"{node.value} {PACKET_NAMES[node.value]}"
        if depth and node.start == node.end - 1 and _is_bit(node):
            yield node.start, "", "  " * depth + node.name, text
            continue
        if inside and not text:
            length = next((c for c in node.children if c.name == "length"), None)
            shown = d.data[length.start : length.end] if length is not None else b""
            text = _count(length.value, "byte") if length is not None else ""
        hexed = shown[:8].hex(" ") + (".." if len(shown) > 8 else "")
        yield node.start, hexed, "  " * depth + node.name, text


def _is_bit(node: FieldNode) -> bool:
    return isinstance(node.value, bool) or node.name in BITS


BITS: Final = frozenset({"type", "flags", "qos", "will_qos", "retain_handling", "reserved"})


def _broken(d: Dissection, violation: Violation) -> Iterator[str]:
    """Yield lines that say what is wrong, with a caret under the byte."""
    rule = statement(violation.statement)
    at = violation.offset
    first = max(0, at - at % SHOWN)
    if at == len(d.data) and first == at and at:
        first -= SHOWN  # the caret goes after the last byte, which fills its line
    line = d.data[first : first + SHOWN]
    yield ""
    yield f"  {first:>5}  {line.hex(' ')}"
    yield f"         {'   ' * (at - first)}^^"
    where = f"byte {at}" + (f" ({d.data[at]:02x})" if at < len(d.data) else ", after the last one")
    yield f"  wrong: {where}" + (f", field {violation.field}" if violation.field else "")
    binds = "both sides" if rule.binds == "both" else f"the {rule.binds}"
    name = VERSION_NAMES[rule.version]
    yield f"  {violation.statement} ({name}, section {rule.section}; {rule.level}, binds {binds}):"
    yield from textwrap.wrap(rule.meaning, 100, initial_indent="    ", subsequent_indent="    ")
    yield f"  breach: 0x{violation.reason:02X} {REASON_TITLES[violation.reason]}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")

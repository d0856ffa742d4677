# SPDX-License-Identifier: MIT
"""Reads recorded traffic of any kind (hex, bytes, JSONL trace, capture) as pieces by connection and sender."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from mqtt_ref.wire.pcap import Chunk, is_capture, streams
from mqtt_ref.wire.primitives import CLIENT, SERVER

__all__ = ["Piece", "RecordingError", "hex_bytes", "read_recording"]

PORTS: Final = frozenset({1883})
SEPARATORS: Final = re.compile(r"0[xX]|\\x|[\s|:,;_-]+")
HEX: Final = re.compile(r"(?:[0-9a-fA-F]{2})*")
COMMENT: Final = re.compile(r"#[^\n]*")
CONNECT: Final = re.compile(rb"[\x10-\x1f](?:[\x80-\xff]{0,3}[\x00-\x7f])\x00(?:\x04MQTT|\x06MQIsdp)", re.DOTALL)
SIDES: Final = {
    "in": CLIENT, "c2s": CLIENT, "client": CLIENT, "received": CLIENT,
    "out": SERVER, "s2c": SERVER, "server": SERVER, "sent": SERVER,
}  # fmt: skip
"""Maps `dir` of a trace record (as the broker sees it) to the sender of the packet."""

LOCAL: Final = ("127.", "[::1]", "local")
"""Prefixes of the addresses of clients on the same machine."""
EVENTS: Final = frozenset({"open", "close", "begin", "idle", "excuse", "look", "offered", "text", "anew", "dropped"})
"""Values of `dir` of records without a packet; see `net.trace.Trace`."""
VERSION: Final = 2
"""The latest version of the trace format."""


class RecordingError(ValueError):
    """The data is not a recording. The text says why."""


class Piece(NamedTuple):
    """Bytes of one direction of a connection, in order. `sender` is None if it is not known.

    `time` is in nanoseconds, 0 if it was not recorded; `first` is the time of the first byte, if that came earlier.
    `server` and `remote` are the addresses of server and client, if they were recorded. A piece may be an `event`:
    `open`, `close`, a mark of a `Chunk` (for a `hole`, `gap` bytes are missing here), or another event of a trace.
    `judged` is set if a judge was there and recorded the times at which it looked, `local` if the client was on the
    same machine. `protocols` are those that a WebSocket client offered.
    """

    connection: str
    sender: int | None
    data: bytes
    time: int = 0
    gap: int = 0
    server: str = ""
    event: str = ""
    remote: str = ""
    first: int = 0
    judged: bool = False
    local: bool = False
    protocols: tuple[str, ...] = ()


def hex_bytes(text: str) -> bytes | None:
    """Parse hex digits with any of the usual separators, `0x`, and comments after `#`. None for other text."""
    digits = SEPARATORS.sub("", COMMENT.sub("", text))
    return bytes.fromhex(digits) if HEX.fullmatch(digits) else None


def read_recording(data: bytes) -> Iterator[Piece]:
    """Yield the pieces of a recording. The kind of recording is found from its content.

    Raises:
        RecordingError: `data` looks like a trace or a capture and cannot be read.
        CaptureError: a capture is damaged, or its link layer is not known.
    """
    if is_capture(data):
        yield from _from_capture(data)
        return
    text = _text(data)
    if text is not None and text.lstrip().startswith("{"):
        yield from _from_trace(text)
        return
    packed = hex_bytes(text) if text is not None and text.strip() else None
    yield Piece("", None, data if packed is None else packed)


def _text(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def _from_trace(text: str) -> Iterator[Piece]:
    """Read a JSONL trace: records `t, conn, dir, packet, hex`, and the fields that `net.trace` adds since version 2."""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            record: Any = json.loads(line)
        except (ValueError, RecursionError):
            raise RecordingError(f"line {number} is not JSON") from None
        if not isinstance(record, dict) or not isinstance(record.get("hex"), str):
            raise RecordingError(f"line {number} is not a trace record: it has no string `hex`")
        packed = hex_bytes(record["hex"])
        if packed is None:
            raise RecordingError(f"line {number}: `hex` must hold pairs of hex digits only")
        version = record.get("v", 1) if "dir" in record else 1
        if not isinstance(version, int) or version > VERSION:
            raise RecordingError(f"line {number}: trace version {version} is not known; the latest is {VERSION}")
        way = str(record.get("dir", ""))
        event = way if way in EVENTS else ""
        side = CLIENT if event == "text" else SIDES.get(way)
        offers = record.get("protocols")
        yield Piece(
            "" if record.get("conn") is None else str(record["conn"]),
            side,
            packed,
            _number(record, "at") or _number(record, "t"),
            event=event,
            remote=str(record.get("remote", "")),
            first=_number(record, "first"),
            judged=record.get("judged") is True,
            local=bool(record.get("local", str(record.get("remote", "")).startswith(LOCAL))),
            protocols=tuple(map(str, offers)) if isinstance(offers, list) else (),
        )


def _number(record: dict[str, Any], name: str) -> int:
    value = record.get(name, 0)
    return value if isinstance(value, int) else 0


def _from_capture(data: bytes) -> Iterator[Piece]:
    """Read the MQTT connections of a capture: those that begin with a CONNECT, or use port 1883.

    A connection is held back until it has enough bytes to decide.
    """
    clients: dict[int, tuple[str, int]] = {}
    waiting: dict[int, list[Chunk]] = {}
    others: set[int] = set()
    for chunk in streams(data, marks=True):
        number = chunk.connection
        if number in others:
            continue
        if number not in clients:
            held = waiting.setdefault(number, [])
            held.append(chunk)
            client = _client(held)
            if client is None:
                if sum(len(c.data) for c in held) > 32:
                    others.add(number)
                    del waiting[number]
                continue
            clients[number] = client
            yield from _pieces(waiting.pop(number), client)
            continue
        yield from _pieces([chunk], clients[number])
    if not clients:
        raise RecordingError("no connection in the capture begins with a CONNECT or uses port 1883")


def _client(chunks: Iterable[Chunk]) -> tuple[str, int] | None:
    """Return the address of the client, or None if it is not known."""
    sides: dict[tuple[str, int], bytes] = {}
    for chunk in chunks:
        side = (chunk.source, chunk.source_port)
        # After a hole, bytes that look like a CONNECT may be any part of a packet: the 0 byte prevents a match.
        sides[side] = sides.get(side, b"") + (b"\0" if chunk.mark == "hole" else chunk.data)
        if chunk.mark == "open" and chunk.target_port not in PORTS:
            continue
        if CONNECT.match(sides[side]):
            return side
        if chunk.target_port in PORTS:
            return side
        if chunk.source_port in PORTS:
            return chunk.target, chunk.target_port
    return None


def _pieces(chunks: Iterable[Chunk], client: tuple[str, int]) -> Iterator[Piece]:
    for chunk in chunks:
        sender = CLIENT if (chunk.source, chunk.source_port) == client else SERVER
        name = f"{chunk.connection} {client[0]}:{client[1]}"
        ends = (chunk.source, chunk.source_port), (chunk.target, chunk.target_port)
        host, port = ends[1] if ends[0] == client else ends[0]
        yield Piece(name, sender, chunk.data, chunk.time, chunk.gap, f"{host}:{port}", chunk.mark)

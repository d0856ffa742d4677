# SPDX-License-Identifier: MIT
"""Recorded traffic of any kind (hex, bytes, JSONL trace, capture) as pieces of bytes by connection and sender."""

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
"""`dir` of a trace record, as a broker sees it -> who sent the packet."""

LOCAL: Final = ("127.", "[::1]", "local")
"""How the addresses of clients begin that are on this machine."""
EVENTS: Final = frozenset({"open", "close", "begin", "idle", "excuse", "look", "offered", "text", "anew"})
"""`dir` of the records that hold no packet; see `net.trace.Trace`."""
VERSION: Final = 2
"""The latest form of a trace."""


class RecordingError(ValueError):
    """What is given is no recording: says why."""


class Piece(NamedTuple):
    """Bytes of one direction of a connection, in order. `sender` is None where nothing tells it.

    `time` is in nanoseconds, 0 where there is none; `first` that of the first byte, where it came earlier. `server` is
    its address, and `remote` the client's, where that is recorded. A piece may be an `event`: `open`, `close`, one of
    the marks of a `Chunk` (for a `hole`, `gap` bytes are missing here), or what a trace holds besides packets. `judged`
    says that a judge was there who wrote down the times at which it looked, `local` that the client was on the same
    machine; `protocols` were offered by a WebSocket.
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
    """The bytes of hex digits with any of the usual separators, `0x`, and comments after `#`; None for other text."""
    digits = SEPARATORS.sub("", COMMENT.sub("", text))
    return bytes.fromhex(digits) if HEX.fullmatch(digits) else None


def read_recording(data: bytes) -> Iterator[Piece]:
    """The pieces of a file's content, whatever kind of recording it is.

    Raises:
        RecordingError: it is none.
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
    """A JSONL trace: records `t, conn, dir, packet, hex`, and what `net.trace` adds since form 2."""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            record: Any = json.loads(line)
        except (ValueError, RecursionError):
            raise RecordingError(f"line {number} is no JSON") from None
        if not isinstance(record, dict) or not isinstance(record.get("hex"), str):
            raise RecordingError(f"line {number} is no trace record: it has no `hex`")
        packed = hex_bytes(record["hex"])
        if packed is None:
            raise RecordingError(f"line {number}: `hex` holds other things than hex digits")
        version = record.get("v", 1) if "dir" in record else 1
        if not isinstance(version, int) or version > VERSION:
            raise RecordingError(f"line {number}: form {version} of a trace is not known, only those up to {VERSION}")
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
    """The MQTT connections in a capture: those that begin with a CONNECT, or use the port of MQTT.

    A connection whose first bytes are too few to tell is kept back until more come.
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
    """The address of the side that is the client."""
    sides: dict[tuple[str, int], bytes] = {}
    for chunk in chunks:
        side = (chunk.source, chunk.source_port)
        # Behind a hole nothing begins: what looks like a CONNECT there may be any part of a packet.
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

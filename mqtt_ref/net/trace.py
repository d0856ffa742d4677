# SPDX-License-Identifier: MIT
"""Every packet that passes, as a readable line or as a JSON record; channels that are not traced know nothing of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from functools import partial
from time import monotonic_ns
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from mqtt_ref.net.channel import Channel
from mqtt_ref.wire.describe import describe
from mqtt_ref.wire.fast import decode
from mqtt_ref.wire.packets import Connect, Packet
from mqtt_ref.wire.primitives import CLIENT, SERVER, read_vbi
from mqtt_ref.wire.violation import Violation

if TYPE_CHECKING:
    import asyncio

    from mqtt_ref.net.driver import Driver
    from mqtt_ref.net.listener import Listener

__all__ = [
    "FORMS",
    "NEVER",
    "VERSION",
    "Trace",
    "TracedChannel",
    "When",
    "event_record",
    "note_record",
    "packet_record",
    "traced",
]

FORMS: Final = ("text", "jsonl")
VERSION: Final = 2
"""Of the JSONL form. Records of the first one have neither `v` nor `at`."""
LOCAL: Final = ("127.", "[::1]", "local")
"""How the addresses of clients begin that are on this machine."""
LEFT: Final = 32
"""Bytes that are shown of what is no whole packet."""


class Sink(Protocol):
    """Where the lines go: a text stream."""

    def write(self, text: str, /) -> object: ...

    def flush(self) -> object: ...


class When(NamedTuple):
    """When the first and the last byte of a packet came: nanoseconds on a clock that is never set; 0: not known."""

    first: int = 0
    last: int = 0


NEVER: Final = When()


class Trace:
    """Writes one line per event: a connection opened or closed, a packet came in or went out.

    In the form `jsonl` a record has `t` (UTC, nanoseconds since 1970), `conn` (a number), `dir` (`in` from the client,
    `out` to it, `open`, `close`), `packet` (see `wire.jsonform`; null where there is none) and `hex`. A channel adds:

    - `at`: when it happened, on a clock that is never set, in nanoseconds: when the last byte of a packet came;
      `first`: when its first byte came, if that was earlier;
    - to `open`: `v`, the version of this form, `remote`, `local` (the client is on this machine), `transport`, and
      `judged`, if the records below are there;
    - to `close`: `by` (`client`, `broker`, or null where that is not known) and `why`.

    A broker that judges writes what the judge was told besides, each with `at`: `begin` (the first bytes of a packet
    that is not whole yet, or of a frame that may hold one), `idle` (it held none), `excuse` (nobody listened, to this
    client or to any), `look` (the time at which it was seen that a client was silent for too long), `offered`
    (`protocols` of a WebSocket), `text` (a text frame, in `hex`), `anew` (all clients were forgotten). When the sink
    fails, a closed pipe say, tracing ends and the broker goes on.
    """

    def __init__(self, sink: Sink, form: str = "text", clock: Callable[[], int] = time.time_ns) -> None:
        if form not in FORMS:
            raise ValueError(f"a trace is {' or '.join(FORMS)}, not {form!r}")
        self.sink: Sink | None = sink
        self.form = form
        self.clock = clock

    def event(self, conn: int, way: str, what: str, name: str = "", more: Mapping[str, Any] | None = None) -> None:
        """A connection opened or closed; `more` are further fields of its record."""
        if self.form == "jsonl":
            self._write(json.dumps({"t": self.clock(), **event_record(conn, way, what, more)}))
        else:
            opened = f"opened by {what}" if way == "open" else what
            self._write(f"{self._time()} {_who(conn, name)} -- {opened}")

    def note(self, conn: int | None, way: str, more: Mapping[str, Any]) -> None:
        """Something that only the judge of a recording needs; only in `jsonl`."""
        if self.form == "jsonl":
            self._write(json.dumps({"t": self.clock(), **note_record(conn, way, more)}))

    def packet(
        self,
        conn: int,
        way: str,
        packet: Packet | Violation,
        raw: bytes,
        version: int,
        name: str,
        when: When = NEVER,
    ) -> None:
        """A packet passed, or something that is none."""
        if self.form == "jsonl":
            self._write(json.dumps({"t": self.clock(), **packet_record(conn, way, packet, raw, when)}))
        else:
            self._write(f"{self._time()} {_who(conn, name)} {_arrow(way)} {describe(packet, version)}")

    def rest(self, conn: int, way: str, raw: bytes, what: str, name: str, when: When = NEVER) -> None:
        """Bytes that are no packet, or not a whole one."""
        if self.form == "jsonl":
            self._write(json.dumps({"t": self.clock(), **packet_record(conn, way, None, raw, when)}))
        else:
            shown = raw[:LEFT].hex(" ") + ("..." if len(raw) > LEFT else "")
            self._write(f"{self._time()} {_who(conn, name)} {_arrow(way)} {what}, {len(raw)} bytes: {shown}")

    def _time(self) -> str:
        seconds, rest = divmod(self.clock(), 1_000_000_000)
        return f"{time.strftime('%H:%M:%S', time.localtime(seconds))}.{rest // 1000:06d}"

    def _write(self, line: str) -> None:
        sink = self.sink
        if sink is None:
            return
        try:
            sink.write(line + "\n")
            sink.flush()
        except (OSError, ValueError):
            self.sink = None


def _who(conn: int, name: str) -> str:
    return f"#{conn} {name}" if name else f"#{conn}"


def _arrow(way: str) -> str:
    return "->" if way == "in" else "<-"


def event_record(conn: int, way: str, what: str, more: Mapping[str, Any] | None) -> dict[str, Any]:
    """The record of a connection that opened or closed, but for its time."""
    record: dict[str, Any] = {"conn": conn, "dir": way, "packet": None, "hex": ""}
    if way == "open":
        record["remote"] = what
    elif more is not None:
        record["why"] = what
    return record | dict(more or {})


def note_record(conn: int | None, way: str, more: Mapping[str, Any]) -> dict[str, Any]:
    """The record of something that only the judge needs, but for its time."""
    return {"conn": conn, "dir": way, "packet": None, "hex": "", **more}


def packet_record(conn: int, way: str, packet: Packet | Violation | None, raw: bytes, when: When) -> dict[str, Any]:
    """The record of bytes that passed, but for its time."""
    from mqtt_ref.wire.jsonform import packet_to_json, violation_to_json

    form: dict[str, Any] | None = None
    if packet is not None:
        form = violation_to_json(packet) if isinstance(packet, Violation) else packet_to_json(packet)
    record: dict[str, Any] = {"conn": conn, "dir": way, "packet": form, "hex": raw.hex()}
    if when.last:
        record["at"] = when.last
    if 0 < when.first < when.last:
        record["first"] = when.first
    return record


class Framer:
    """Cuts a stream into packets with their bytes; the trace shows both."""

    def __init__(self, sender: int) -> None:
        self.sender = sender
        self.version = 0
        self.rest = b""
        self.lost = False

    def feed(self, data: bytes) -> list[tuple[Packet | Violation, bytes]]:
        """The packets that are whole now."""
        found: list[tuple[Packet | Violation, bytes]] = []
        if self.lost:
            return found
        data = self.rest + data
        pos = 0
        while len(data) - pos >= 2:
            packed = read_vbi(data, pos + 1, min(len(data), pos + 5), False)
            if packed < 0:
                self.lost = packed != -1
                break
            body = pos + 1 + (packed & 7)
            stop = body + (packed >> 3)
            if stop > len(data):
                break
            packet = decode(self.version, self.sender, data, pos, body, stop)
            if isinstance(packet, Connect):
                self.version = packet.protocol_version
            found.append((packet, data[pos:stop]))
            pos = stop
        self.rest = data[pos:]
        return found


class TracedChannel(Channel):
    """A channel that shows what passes."""

    __slots__ = ("_begun_at", "_left", "_name", "_number", "_opened_at", "_raw", "_received", "_sent", "_trace")

    judged = False
    """Whether a judge sees what passes, too."""

    def __init__(self, trace: Trace, driver: Driver, listener: Listener) -> None:
        super().__init__(driver, listener)
        self._trace = trace
        self._received = Framer(CLIENT)
        self._sent = Framer(SERVER)
        self._name = ""
        self._number = 0
        self._opened_at = 0
        self._begun_at = 0
        """When the packet of the client that is not whole yet began to come; 0: there is none."""
        self._left = False
        """The client sends nothing more."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._number = self.connection.serial
        self._opened_at = monotonic_ns()
        more = {
            "v": VERSION,
            "at": self._opened_at,
            "local": self.is_local(),
            "transport": self.listener.name,
            "judged": self.judged,
        }
        self._trace.event(self._number, "open", self.remote, more=more)
        self._raw = self.write
        self.write = self._traced_write

    def is_local(self) -> bool:
        """Whether the client is on this machine."""
        return self.remote.startswith(LOCAL)

    def _traced_write(self, data: bytes) -> None:
        self._pass_on(data, monotonic_ns())

    def _pass_on(self, data: bytes, now: int) -> None:
        """Write it, and show it."""
        self._show("out", self._sent, data, now)
        self._raw(data)

    def data_received(self, data: bytes) -> None:
        self._arrived(data, monotonic_ns())

    def _arrived(self, data: bytes, now: int) -> None:
        """Bytes came at that time."""
        self._show("in", self._received, data, now)
        super().data_received(data)

    def eof_received(self) -> bool:
        self._left = True
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._show_end(exc, monotonic_ns())
        super().connection_lost(exc)

    def _show_end(self, exc: Exception | None, now: int) -> None:
        for way, framer in (("in", self._received), ("out", self._sent)):
            if framer.rest:
                first = self._begun_at if way == "in" else 0
                self._trace.rest(self._number, way, framer.rest, "incomplete", self._name, When(first, now))
                framer.rest = b""
        by = "client" if self._left else "broker" if exc is None and self.connection.closing else None
        what = f"closed: {exc}" if exc else "closed"
        self._trace.event(self._number, "close", what, self._name, {"at": now, "by": by})

    def _show(self, way: str, framer: Framer, data: bytes, now: int) -> None:
        if self._trace.sink is None:
            return
        first = 0
        if framer is self._received:
            first, self._begun_at = self._begun_at, 0
        found = framer.feed(data)
        for packet, raw in found:
            if isinstance(packet, Connect):
                self._sent.version = packet.protocol_version
                self._name = packet.client_id if packet.client_id.isprintable() else repr(packet.client_id)
            self._trace.packet(self._number, way, packet, raw, framer.version, self._name, When(first, now))
            first = 0
        if framer.lost and framer.rest:
            self._trace.rest(self._number, way, framer.rest, "no packet", self._name, When(first, now))
            framer.rest = b""
        elif framer.rest and framer is self._received:
            self._begun_at = first or now
            if not first:
                self._trace.note(self._number, "begin", {"at": now})


def traced(trace: Trace) -> Callable[[Driver, Listener], Channel]:
    """What makes channels that are shown by `trace`."""
    return partial(TracedChannel, trace)

# SPDX-License-Identifier: MIT
"""The trace: each packet as a readable line or as a JSON record."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from mqtt_ref.clocks import time_ns
from mqtt_ref.net.layer import Layer, Parts, joined
from mqtt_ref.wire.describe import describe
from mqtt_ref.wire.fast import decode
from mqtt_ref.wire.framing import Framer
from mqtt_ref.wire.packets import Connect, Packet
from mqtt_ref.wire.primitives import CLIENT, MAXIMUM_PACKET_SIZE, SERVER
from mqtt_ref.wire.violation import Violation

if TYPE_CHECKING:
    from mqtt_ref.net.channel import Channel

__all__ = [
    "FORMS",
    "LOCAL",
    "NEVER",
    "VERSION",
    "Trace",
    "TraceLayer",
    "TracedLink",
    "When",
    "dropped_record",
    "event_record",
    "note_record",
    "packet_record",
]

FORMS: Final = ("text", "jsonl")
VERSION: Final = 2
"""Version of the JSONL form. Records of version 1 have neither `v` nor `at`."""
LOCAL: Final = ("127.", "[::1]", "local")
"""Prefixes of the addresses of clients on this machine."""
LEFT: Final = 32
"""Bytes that are shown of an invalid or incomplete packet."""


class Sink(Protocol):
    """A text stream that the lines are written to."""

    def write(self, text: str, /) -> object: ...

    def flush(self) -> object: ...


class When(NamedTuple):
    """When the first and the last byte of a packet came, in nanoseconds of a monotonic clock. 0: unknown."""

    first: int = 0
    last: int = 0


NEVER: Final = When()


class Trace:
    """Writes one line per event: a connection was opened or closed, a packet came in or went out.

    A `jsonl` record has `t` (UTC, nanoseconds since 1970), `conn` (a number), `dir` (`in` from the client, `out` to it,
    `open`, `close`), `packet` (see `wire.jsonform`; null if there is none) and `hex`. A channel adds:

    - `at`: when it happened, in nanoseconds of a monotonic clock; for a packet, when its last byte came;
    - `first`: when the first byte of a packet came, if that was earlier;
    - to `open`: `v` (version of this form), `remote`, `local` (true if the client is on this machine), `transport` and
      `judged` (true if the records below are written);
    - to `close`: `by` (`client`, `broker`, or null if unknown) and `why`.

    With a judge, its other inputs are written too, each with `at`:

    - `begin`: the first bytes came of an incomplete packet, or of a frame that may hold one;
    - `idle`: that frame held none;
    - `excuse`: for a while the broker did not read from this client, or from any client;
    - `look`: at this time, a client was found to be silent for too long;
    - `offered`: the sub-protocols that a WebSocket client offered, in `protocols`;
    - `text`: a text frame came, in `hex`;
    - `anew`: the judge was replaced, and all clients were forgotten.

    If the sink fails (a closed pipe, for example), tracing ends and the broker continues. A sink that may block should
    be an `Outlet`, with `dropped_record` as its notice: `dropped` says then that `count` records are missing.
    """

    def __init__(self, sink: Sink, form: str = "text", clock: Callable[[], int] = time_ns) -> None:
        if form not in FORMS:
            raise ValueError(f"the form of a trace must be {' or '.join(FORMS)}, not {form!r}")
        self.sink: Sink | None = sink
        self.form = form
        self.clock = clock

    def event(self, conn: int, way: str, what: str, name: str = "", more: Mapping[str, Any] | None = None) -> None:
        """Write that a connection was opened or closed. `more` are further fields of the record."""
        if self.form == "jsonl":
            self._write(json.dumps({"t": self.clock(), **event_record(conn, way, what, more)}))
        else:
            opened = f"opened by {what}" if way == "open" else what
            self._write(f"{self._time()} {_who(conn, name)} -- {opened}")

    def note(self, conn: int | None, way: str, more: Mapping[str, Any]) -> None:
        """Write an event that only the judge of a recording needs. The form `text` leaves it out."""
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
        """Write a packet, or the violation that was found instead."""
        if self.form == "jsonl":
            self._write(json.dumps({"t": self.clock(), **packet_record(conn, way, packet, raw, when)}))
        else:
            self._write(f"{self._time()} {_who(conn, name)} {_arrow(way)} {describe(packet, version)}")

    def rest(self, conn: int, way: str, raw: bytes, what: str, name: str, when: When = NEVER) -> None:
        """Write bytes that are not a packet, or are an incomplete one."""
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


def dropped_record(count: int) -> str:
    """Return the line of a `jsonl` trace that replaces `count` lines that were dropped."""
    record = {"conn": None, "dir": "dropped", "packet": None, "hex": "", "count": count}
    return json.dumps({"t": time_ns(), **record}) + "\n"


def event_record(conn: int, way: str, what: str, more: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the record of an opened or closed connection, without its time."""
    record: dict[str, Any] = {"conn": conn, "dir": way, "packet": None, "hex": ""}
    if way == "open":
        record["remote"] = what
    elif more is not None:
        record["why"] = what
    return record | dict(more or {})


def note_record(conn: int | None, way: str, more: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record of an event that only the judge needs, without its time."""
    return {"conn": conn, "dir": way, "packet": None, "hex": "", **more}


def packet_record(conn: int, way: str, packet: Packet | Violation | None, raw: bytes, when: When) -> dict[str, Any]:
    """Return the record of a packet or of other bytes, without its time."""
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


class TracedLink:
    """The trace of one connection. It takes bytes of both sides, in any chunks, and writes records."""

    def __init__(self, trace: Trace, number: int) -> None:
        self._trace = trace
        self._number = number
        self._version = 0
        self._name = ""
        self._client = Framer(MAXIMUM_PACKET_SIZE)
        self._server = Framer(MAXIMUM_PACKET_SIZE)
        self._begun_at = 0
        """When the incomplete packet of the client began to come. 0: there is none."""

    def client(self, data: bytes, now: int) -> None:
        """Take bytes of the client that came at `now`."""
        if self._trace.sink is None:
            return
        first, self._begun_at = self._begun_at, 0
        framer = self._client
        left = self._packets("in", CLIENT, framer, data, first, now)
        if framer.buffered and not framer.lost:
            self._begun_at = left or now
            if not left:
                self._trace.note(self._number, "begin", {"at": now})

    def server(self, data: bytes, now: int) -> None:
        """Take bytes of the broker that were sent at `now`."""
        if self._trace.sink is not None:
            self._packets("out", SERVER, self._server, data, 0, now)

    def arriving(self, begun: bool, now: int) -> None:
        """Note if a layer below holds bytes of the client that may begin a packet: `begun` is true then."""
        if self._trace.sink is None:
            return
        if begun:
            if not self._begun_at:
                self._begun_at = now
                self._trace.note(self._number, "begin", {"at": now})
        elif self._begun_at and not self._client.buffered:
            self._begun_at = 0
            self._trace.note(self._number, "idle", {"at": now})

    def closed(self, now: int, what: str = "closed", by: str | None = None) -> None:
        """Write that the connection was closed."""
        for way, framer, first in (("in", self._client, self._begun_at), ("out", self._server, 0)):
            self._rest(way, framer, "incomplete", When(first, now))
        self._trace.event(self._number, "close", what, self._name, {"at": now, "by": by})

    def _packets(self, way: str, sender: int, framer: Framer, data: bytes, first: int, now: int) -> int:
        """Write the packets that are complete. Return `first` if none is: the rest began then. Else return 0."""
        if framer.lost:
            return 0
        data, frames = framer.feed(data)
        for pos, body, stop in frames:
            packet = decode(self._version, sender, data, pos, body, stop)
            if isinstance(packet, Connect) and sender == CLIENT:
                self._version = packet.protocol_version
                self._name = packet.client_id if packet.client_id.isprintable() else repr(packet.client_id)
            raw = data[pos:stop]
            self._trace.packet(self._number, way, packet, raw, self._version, self._name, When(first, now))
            first = 0
        if framer.lost:
            self._rest(way, framer, "no packet", When(first, now))
        return first

    def _rest(self, way: str, framer: Framer, what: str, when: When) -> None:
        rest = framer.drop()
        if rest:
            self._trace.rest(self._number, way, rest, what, self._name, when)


class TraceLayer(Layer):
    """Traces one connection. `judged`: a judge sees it too. `far`: a client with a local address may be remote."""

    __slots__ = ("_channel", "_far", "_judged", "_left", "_link", "_trace")

    _link: TracedLink

    def __init__(self, trace: Trace, channel: Channel, judged: bool = False, far: bool = False) -> None:
        self._trace = trace
        self._channel = channel
        self._judged = judged
        self._far = far
        self._left = False
        """True once the client sends nothing more."""

    def opened(self, now: int) -> None:
        super().opened(now)
        channel = self._channel
        number = channel.connection.serial
        self._link = TracedLink(self._trace, number)
        more = {
            "v": VERSION,
            "at": now,
            "local": channel.remote.startswith(LOCAL) and not self._far,
            "transport": channel.listener.name,
            "judged": self._judged,
        }
        self._trace.event(number, "open", channel.remote, more=more)

    def receive(self, data: bytes, now: int) -> None:
        self._link.client(data, now)
        self.above.receive(data, now)

    def write(self, parts: Parts, now: int) -> None:
        self._link.server(joined(parts), now)
        self.below.write(parts, now)

    def arriving(self, begun: bool, now: int) -> None:
        self._link.arriving(begun, now)
        super().arriving(begun, now)

    def ended(self, now: int) -> bool:
        self._left = True
        return super().ended(now)

    def lost(self, now: int, error: Exception | None) -> None:
        by = "client" if self._left else "broker" if error is None and self._channel.connection.closing else None
        self._link.closed(now, f"closed: {error}" if error else "closed", by)
        super().lost(now, error)

    def subprotocols(self, offered: tuple[str, ...], now: int) -> bool:
        if self._judged:
            self._trace.note(self._channel.connection.serial, "offered", {"at": now, "protocols": list(offered)})
        return super().subprotocols(offered, now)

    def text_frame(self, data: bytes, now: int) -> None:
        if self._judged:
            self._trace.note(self._channel.connection.serial, "text", {"at": now, "hex": data.hex()})
        super().text_frame(data, now)

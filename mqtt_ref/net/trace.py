# SPDX-License-Identifier: MIT
"""Every packet that passes, as a readable line or as a JSON record; channels that are not traced know nothing of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

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

__all__ = ["FORMS", "Trace", "TracedChannel", "traced"]

FORMS: Final = ("text", "jsonl")
LEFT: Final = 32
"""Bytes that are shown of what is no whole packet."""


class Sink(Protocol):
    """Where the lines go: a text stream."""

    def write(self, text: str, /) -> object: ...

    def flush(self) -> object: ...


class Trace:
    """Writes one line per event: a connection opened or closed, a packet came in or went out.

    In the form `jsonl` a record has `t` (UTC, nanoseconds since 1970), `conn` (a number), `dir` (`in` from the client,
    `out` to it, `open`, `close`), `packet` (see `wire.jsonform`; null where there is none) and `hex`; `open` has
    `remote` too. When the sink fails, a closed pipe say, tracing ends and the broker goes on.
    """

    def __init__(self, sink: Sink, form: str = "text", clock: Callable[[], int] = time.time_ns) -> None:
        if form not in FORMS:
            raise ValueError(f"a trace is {' or '.join(FORMS)}, not {form!r}")
        self.sink: Sink | None = sink
        self.form = form
        self.clock = clock

    def event(self, conn: int, way: str, what: str, name: str = "") -> None:
        """A connection opened or closed."""
        if self.form == "jsonl":
            record = {"t": self.clock(), "conn": conn, "dir": way, "packet": None, "hex": ""}
            self._write(json.dumps(record | {"remote": what} if way == "open" else record))
        else:
            opened = f"opened by {what}" if way == "open" else what
            self._write(f"{self._time()} {_who(conn, name)} -- {opened}")

    def packet(self, conn: int, way: str, packet: Packet | Violation, raw: bytes, version: int, name: str) -> None:
        """A packet passed, or something that is none."""
        if self.form == "jsonl":
            from mqtt_ref.wire.jsonform import packet_to_json, violation_to_json

            form = violation_to_json(packet) if isinstance(packet, Violation) else packet_to_json(packet)
            record = {"t": self.clock(), "conn": conn, "dir": way, "packet": form, "hex": raw.hex()}
            self._write(json.dumps(record))
        else:
            self._write(f"{self._time()} {_who(conn, name)} {_arrow(way)} {describe(packet, version)}")

    def rest(self, conn: int, way: str, raw: bytes, what: str, name: str) -> None:
        """Bytes that are no packet, or not a whole one."""
        if self.form == "jsonl":
            record = {"t": self.clock(), "conn": conn, "dir": way, "packet": None, "hex": raw.hex()}
            self._write(json.dumps(record))
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

    __slots__ = ("_name", "_number", "_received", "_sent", "_trace")

    def __init__(self, trace: Trace, driver: Driver, listener: Listener) -> None:
        super().__init__(driver, listener)
        self._trace = trace
        self._received = Framer(CLIENT)
        self._sent = Framer(SERVER)
        self._name = ""
        self._number = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._number = self.connection.serial
        self._trace.event(self._number, "open", self.remote)
        write = self.write

        def traced_write(data: bytes) -> None:
            self._show("out", self._sent, data)
            write(data)

        self.write = traced_write

    def data_received(self, data: bytes) -> None:
        self._show("in", self._received, data)
        super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        for way, framer in (("in", self._received), ("out", self._sent)):
            if framer.rest:
                self._trace.rest(self._number, way, framer.rest, "incomplete", self._name)
        self._trace.event(self._number, "close", f"closed: {exc}" if exc else "closed", self._name)
        super().connection_lost(exc)

    def _show(self, way: str, framer: Framer, data: bytes) -> None:
        if self._trace.sink is None:
            return
        for packet, raw in framer.feed(data):
            if isinstance(packet, Connect):
                self._sent.version = packet.protocol_version
                self._name = packet.client_id if packet.client_id.isprintable() else repr(packet.client_id)
            self._trace.packet(self._number, way, packet, raw, framer.version, self._name)
        if framer.lost and framer.rest:
            self._trace.rest(self._number, way, framer.rest, "no packet", self._name)
            framer.rest = b""


def traced(trace: Trace) -> Callable[[Driver, Listener], Channel]:
    """What makes channels that are shown by `trace`."""
    return partial(TracedChannel, trace)

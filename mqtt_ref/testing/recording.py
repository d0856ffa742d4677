# SPDX-License-Identifier: MIT
"""What passed between clients and broker, kept while a test runs: to ask for, to print, to write as a capture."""

from __future__ import annotations

import io
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Any, Final, NamedTuple

from mqtt_ref.net.trace import NEVER, Trace, When
from mqtt_ref.wire.packets import Packet
from mqtt_ref.wire.pcap import Chunk
from mqtt_ref.wire.violation import Violation

__all__ = ["MAXIMUM_BYTES", "Recording", "Seen", "check_fields", "matches"]

MAXIMUM_BYTES: Final = 64 * 1024 * 1024
"""Bytes of packets that are kept; the oldest go first, and are counted."""
MAXIMUM_SEEN: Final = 100_000
WAYS: Final = frozenset({"in", "out", "open", "close"})
MQTT_PORT: Final = 1883
LOOPBACK: Final = "127.0.0.1"


class Seen(NamedTuple):
    """One event: a connection opened or closed, a packet passed, or bytes that are no packet.

    `time` is UTC in nanoseconds, `way` is `in` (from a client), `out` (to one), `open` or `close`.
    """

    time: int
    number: int
    connection: int
    way: str
    packet: Packet | Violation | None
    data: bytes
    version: int
    client_id: str
    text: str
    when: When = NEVER
    more: Mapping[str, Any] | None = None


class _Nowhere:
    def write(self, text: str, /) -> None: ...

    def flush(self) -> None: ...


class Recording(Trace):
    """A trace that is kept instead of written. The broker's thread writes it, any thread may read it."""

    def __init__(self, maximum_bytes: int = MAXIMUM_BYTES) -> None:
        super().__init__(_Nowhere())
        self.changed = threading.Condition()
        """Notified at each event; holds the lock of all that is recorded."""
        self.dropped = 0
        """Events that are not kept any more, since there were too many."""
        self._maximum = maximum_bytes
        self._size = 0
        self._count = 0
        self._seen: deque[Seen] = deque()

    # ---------------------------------------------------------------- from the channels

    def event(self, conn: int, way: str, what: str, name: str = "", more: Mapping[str, Any] | None = None) -> None:
        self._add(conn, way, text=what, name=name, more=more)

    def note(self, conn: int | None, way: str, more: Mapping[str, Any]) -> None:
        self._add(-1 if conn is None else conn, way, more=more)

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
        self._add(conn, way, packet, raw, version, name, when=when)

    def rest(self, conn: int, way: str, raw: bytes, what: str, name: str, when: When = NEVER) -> None:
        self._add(conn, way, None, raw, 0, name, what, when)

    def _add(
        self,
        conn: int,
        way: str,
        packet: Packet | Violation | None = None,
        raw: bytes = b"",
        version: int = 0,
        name: str = "",
        text: str = "",
        when: When = NEVER,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        with self.changed:
            self._count += way in WAYS
            number = self._count
            self._seen.append(Seen(time.time_ns(), number, conn, way, packet, raw, version, name, text, when, more))
            self._size += len(raw)
            while self._size > self._maximum or len(self._seen) > MAXIMUM_SEEN:
                self._size -= len(self._seen.popleft().data)
                self.dropped += 1
            self.changed.notify_all()

    # ---------------------------------------------------------------- for tests

    def seen(self) -> list[Seen]:
        """All events so far."""
        return [one for one in self._all() if one.way in WAYS]

    def _all(self) -> list[Seen]:
        """The same with what only the judge of the recording needs."""
        with self.changed:
            return list(self._seen)

    def clear(self) -> None:
        """Forget what was seen."""
        with self.changed:
            self._seen.clear()
            self._size = self.dropped = 0

    def written(self, form: str = "text") -> str:
        """The trace as `mqtt-ref serve --trace` prints it: `text`, or `jsonl` for `mqtt-ref oracle check`."""
        out = io.StringIO()
        seen = self._all()
        at = iter([one.time for one in seen])
        trace = Trace(out, form, lambda: next(at))
        for one in seen:
            if one.way not in WAYS:
                if form == "text":
                    next(at)
                trace.note(None if one.connection < 0 else one.connection, one.way, one.more or {})
            elif one.packet is not None:
                trace.packet(one.connection, one.way, one.packet, one.data, one.version, one.client_id, one.when)
            elif one.way in ("open", "close"):
                trace.event(one.connection, one.way, one.text, one.client_id, one.more)
            else:
                trace.rest(one.connection, one.way, one.data, one.text, one.client_id, one.when)
        if self.dropped and form == "text":
            return f"({self.dropped} earlier events are not kept)\n{out.getvalue()}"
        return out.getvalue()

    def pcap(self) -> bytes:
        """The packets as a capture, MQTT without TLS or WebSocket around it, and the broker at port 1883.

        Wireshark knows MQTT by that port; the broker's own is a free one that it would have to be told.
        """
        from mqtt_ref.wire.capture import capture

        chunks: list[Chunk] = []
        clients: dict[int, tuple[str, int]] = {}
        for one in self.seen():
            if one.way == "open":
                clients[one.connection] = _address(one.text, one.connection)
            if not one.data:
                continue
            client = clients.setdefault(one.connection, (LOOPBACK, 49_152 + one.connection % 16_384))
            server = ("::1" if ":" in client[0] else LOOPBACK), MQTT_PORT
            (source, sent_by), (target, sent_to) = (client, server) if one.way == "in" else (server, client)
            chunks.append(Chunk(one.time, one.connection, source, target, sent_by, sent_to, one.data))
        return capture(chunks)


def _address(remote: str, connection: int) -> tuple[str, int]:
    """Address and port of a client; one that has none, in memory say, gets one on loopback."""
    host, _, port = remote.rpartition(":")
    try:
        return str(ip_address(host.strip("[]"))), int(port)
    except ValueError:
        return LOOPBACK, 49_152 + connection % 16_384


def matches(packet: object, fields: dict[str, Any]) -> bool:
    """Whether the packet's fields, or properties of these names, are as wanted.

    A value that can be called is asked. Text is compared with the bytes that it encodes to, where a field has bytes.
    What `check_fields` refuses is taken for None.
    """
    for name, wanted in fields.items():
        value = _value(packet, name)
        if callable(wanted):
            if not wanted(value):
                return False
        elif value != (wanted.encode() if isinstance(wanted, str) and isinstance(value, bytes) else wanted):
            return False
    return True


def check_fields(kind: type, fields: Iterable[str]) -> None:
    """Whether packets of that kind can have these fields or properties.

    Raises:
        TypeError: they cannot; says which there are.
    """
    known = _property_names(kind)
    for name in fields:
        if not hasattr(kind, name) and name not in known:
            own = [field for field in getattr(kind, "__match_args__", ()) if field != "properties"]
            raise TypeError(f"{kind.__name__} has no field {name!r}; there are {', '.join([*own, *known])}")


def _value(packet: object, name: str) -> object:
    if hasattr(packet, name):
        return getattr(packet, name)
    properties = getattr(packet, "properties", None)
    return getattr(properties, name, None)


def _property_names(kind: type) -> tuple[str, ...]:
    from mqtt_ref.wire import packets

    names: tuple[str, ...] = getattr(getattr(packets, f"{kind.__name__}Properties", None), "__match_args__", ())
    return names

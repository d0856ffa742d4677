# SPDX-License-Identifier: MIT
"""Record what happens on a broker: to search, to wait for, to print, or to write as a trace or a capture."""

from __future__ import annotations

import asyncio
import io
import json
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Mapping
from fnmatch import fnmatchcase
from ipaddress import ip_address
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

from msgspec import Meta, Struct

from mqtt_ref.net.trace import NEVER, Trace, When, event_record, note_record, packet_record
from mqtt_ref.oracle.matching import Match, Passing
from mqtt_ref.oracle.validation import validate
from mqtt_ref.wire.packets import Connack, Connect, Packet, Publish
from mqtt_ref.wire.pcap import Chunk
from mqtt_ref.wire.primitives import CLIENT, SERVER
from mqtt_ref.wire.violation import Violation

if TYPE_CHECKING:
    from mqtt_ref.oracle.finding import Finding
    from mqtt_ref.oracle.rules import Fired

__all__ = ["KEPT", "MAXIMUM_BYTES", "Condition", "Happening", "Recorder", "Seen"]

KEPT: Final = 100_000
"""Events that are kept. The oldest are dropped first, and counted."""
MAXIMUM_BYTES: Final = 128 * 1024 * 1024
"""Bytes of memory that the kept packets may use, as estimated by `weight`."""
VISITORS: Final = 100_000
"""Client Identifiers whose connections are counted. The oldest are forgotten first."""
FIELDS: Final = 32
"""How many bytes a decoded packet uses for each of its own, at most. The payload is one object, so it uses one."""
WAYS: Final = frozenset({"in", "out", "open", "close"})
MQTT_PORT: Final = 1883
LOOPBACK: Final = "127.0.0.1"


class Seen(NamedTuple):
    """One event: a connection was opened or closed, or a packet or other bytes passed.

    `time` is UTC in nanoseconds. `way` is `in` (from a client), `out` (to one), `open` or `close`; other values are
    notes for judging the recording later.
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


class Happening(NamedTuple):
    """One thing that happened: `packet`, `connected`, `disconnected`, `fired` (a rule) or `finding`.

    `number` counts from 1. `name` is the Client Identifier, the name of the script's rule, or the broken statement.
    """

    number: int
    kind: str
    name: str
    passing: Passing | None = None


class Condition(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to wait for: exactly one of these. Earlier happenings with a number above `since` count too."""

    packet: Annotated[Match, Meta(description="A packet passed")] | None = None
    connected: Annotated[str, Meta(description="A client was accepted; `*` and `?` as in file names")] | None = None
    disconnected: Annotated[str, Meta(description="The link of an accepted client was closed")] | None = None
    fired: Annotated[str, Meta(description="The rule of this name has acted")] | None = None
    finding: Annotated[str, Meta(description="A client broke the rule of this id; `*`: any")] | None = None
    count: Annotated[int, Meta(description="How many times", ge=1)] = 1
    since: Annotated[int, Meta(description="Only happenings after this number", ge=0)] = 0

    def __post_init__(self) -> None:
        validate(self)
        wanted = (self.packet, self.connected, self.disconnected, self.fired, self.finding)
        if sum(one is not None for one in wanted) != 1:
            raise ValueError("give exactly one of packet, connected, disconnected, fired, finding")

    @property
    def times(self) -> int:
        """How many happenings are needed."""
        return max(self.count, self.packet.nth if self.packet is not None else 1)

    def holds(self, happening: Happening) -> bool:
        """True if the happening counts for this condition."""
        if happening.number <= self.since:
            return False
        if self.packet is not None:
            return happening.passing is not None and self.packet.holds(happening.passing)
        wanted = getattr(self, happening.kind, None)
        return wanted is not None and fnmatchcase(happening.name, wanted)


class _Peer:
    """The observed state of a connection."""

    def __init__(self, listener: str = "") -> None:
        self.listener = listener
        self.client_id = ""
        self.version = 0
        self.nth = 1
        self.accepted = False
        self.topics: tuple[dict[int, str], dict[int, str]] = ({}, {})


class _Waiter:
    def __init__(self, condition: Condition, future: asyncio.Future[Happening]) -> None:
        self.condition = condition
        self.left = condition.times
        self.future = future

    def see(self, happening: Happening) -> None:
        if self.left and self.condition.holds(happening):
            self.left -= 1
            if not self.left and not self.future.done():
                self.future.set_result(happening)


class _Nowhere:
    def write(self, text: str, /) -> None: ...

    def flush(self) -> None: ...


class Recorder(Trace):
    """A trace that is kept in memory. The broker's thread writes it; any thread may read it.

    `also` is another trace that gets the same events. At most `kept` events are kept, and of these no more than
    `maximum_bytes` allow. The latest is kept in any case.
    """

    def __init__(self, kept: int = KEPT, also: Trace | None = None, maximum_bytes: int = MAXIMUM_BYTES) -> None:
        super().__init__(_Nowhere(), "jsonl")
        self.changed = threading.Condition()
        """Notified at each event. Its lock protects the recorded events."""
        self.dropped = 0
        """Events that were dropped because there were too many."""
        self.happenings: deque[Happening] = deque(maxlen=kept)
        """Those of dropped packets are dropped too."""
        self.number = 0
        """The number of the last happening."""
        self.also = also
        self._kept = kept
        self._maximum = maximum_bytes
        self._size = 0
        self._count = 0
        self._seen: deque[Seen] = deque()
        self._numbers: deque[int] = deque()
        """The numbers of the happenings of the kept packets."""
        self._peers: dict[int, _Peer] = {}
        self._visits: OrderedDict[str, int] = OrderedDict()
        self._waiters: list[_Waiter] = []

    def clear(self) -> None:
        """Forget everything except open connections. Numbering continues."""
        with self.changed:
            self._seen.clear()
            self._numbers.clear()
            self._size = self.dropped = 0
            self.happenings.clear()
            self._visits.clear()

    # ---------------------------------------------------------------- from the layers

    def event(self, conn: int, way: str, what: str, name: str = "", more: Mapping[str, Any] | None = None) -> None:
        """Record that a connection was opened or closed."""
        self._add(conn, way, text=what, name=name, more=more)
        if way == "open":
            self._peers[conn] = _Peer(str((more or {}).get("transport", "")))
        elif way == "close":
            peer = self._peers.pop(conn, None)
            if peer is not None and peer.accepted:
                self.happened("disconnected", peer.client_id)
        if self.also is not None:
            self.also.event(conn, way, what, name, more)

    def note(self, conn: int | None, way: str, more: Mapping[str, Any]) -> None:
        """Record a note that is needed only to judge the recording."""
        self._add(-1 if conn is None else conn, way, more=more)
        if self.also is not None:
            self.also.note(conn, way, more)

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
        """Record a packet, or a malformed one."""
        self._add(conn, way, packet, raw, version, name, when=when)
        peer = self._peers.setdefault(conn, _Peer())
        sender = CLIENT if way == "in" else SERVER
        if isinstance(packet, Connect) and not peer.version:
            peer.version, peer.client_id = packet.protocol_version, packet.client_id
            peer.nth = self._visits[packet.client_id] = self._visits.pop(packet.client_id, 0) + 1
            if len(self._visits) > VISITORS:
                self._visits.popitem(last=False)
        accepted = isinstance(packet, Connack) and sender == SERVER and not packet.reason_code and not peer.accepted
        if accepted:
            assert isinstance(packet, Connack)
            if packet.properties is not None and packet.properties.assigned_client_identifier:
                peer.client_id = packet.properties.assigned_client_identifier
        topic = _topic(packet, peer.topics[sender]) if isinstance(packet, Publish) else ""
        passing = Passing(sender, raw, packet, peer.version, peer.client_id, topic, peer.nth, peer.listener)
        self.happened("packet", peer.client_id, passing)
        if accepted:
            peer.accepted = True
            self.happened("connected", peer.client_id)
        if self.also is not None:
            self.also.packet(conn, way, packet, raw, version, name, when)

    def rest(self, conn: int, way: str, raw: bytes, what: str, name: str, when: When = NEVER) -> None:
        """Record bytes that are not a packet, or not a complete one."""
        self._add(conn, way, None, raw, 0, name, what, when)
        if self.also is not None:
            self.also.rest(conn, way, raw, what, name, when)

    def fired(self, fired: Fired) -> None:
        """Record that a rule has acted."""
        self.happened("fired", fired.rule)

    def found(self, finding: Finding) -> None:
        """Record a finding."""
        self.happened("finding", finding.rule)

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
            self._seen.append(
                Seen(time.time_ns(), self._count, conn, way, packet, raw, version, name, text, when, more)
            )
            if packet is not None:
                self._numbers.append(self.number + 1)
            self._size += weight(packet, raw)
            while len(self._seen) > 1 and (self._size > self._maximum or len(self._seen) > self._kept):
                self._drop(self._seen.popleft())
            self.changed.notify_all()

    def _drop(self, seen: Seen) -> None:
        """Forget the oldest event, and the happening of its packet."""
        self._size -= weight(seen.packet, seen.data)
        self.dropped += 1
        if seen.packet is not None:
            number = self._numbers.popleft()
            while self.happenings and self.happenings[0].number <= number:
                self.happenings.popleft()

    # ---------------------------------------------------------------- what is kept

    def seen(self) -> list[Seen]:
        """Return all events so far, without the notes for judging the recording."""
        return [one for one in self._all() if one.way in WAYS]

    @property
    def records(self) -> list[dict[str, Any]]:
        """All events as records of a JSONL trace."""
        return [_record(one) for one in self._all()]

    def written(self, form: str = "text") -> str:
        """Return the trace in the form of `mqtt-ref serve --trace`: `text`, or `jsonl` for `mqtt-ref oracle check`."""
        if form == "jsonl":
            return "".join(json.dumps(record) + "\n" for record in self.records)
        out = io.StringIO()
        at = 0
        trace = Trace(out, form, lambda: at)
        for one in self.seen():
            at = one.time
            if one.packet is not None:
                trace.packet(one.connection, one.way, one.packet, one.data, one.version, one.client_id)
            elif one.way in ("open", "close"):
                trace.event(one.connection, one.way, one.text, one.client_id, one.more)
            else:
                trace.rest(one.connection, one.way, one.data, one.text, one.client_id)
        if self.dropped:
            return f"({self.dropped} earlier events were dropped)\n{out.getvalue()}"
        return out.getvalue()

    def pcap(self) -> bytes:
        """Return the packets as a capture of plain MQTT, without TLS and WebSocket, with the broker at port 1883.

        Wireshark recognizes MQTT by that port. The broker's real port may be any free one.
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

    def _all(self) -> list[Seen]:
        with self.changed:
            return list(self._seen)

    # ---------------------------------------------------------------- waiting

    def happened(self, kind: str, name: str, passing: Passing | None = None) -> None:
        """Record a happening, and wake up those that wait for it."""
        self.number += 1
        happening = Happening(self.number, kind, name, passing)
        self.happenings.append(happening)
        for waiter in self._waiters:
            waiter.see(happening)

    def count(self, condition: Condition) -> int:
        """Return how often the condition has been met, among the happenings that are still kept."""
        return sum(1 for happening in self.happenings if condition.holds(happening))

    async def wait(self, condition: Condition, within: float = 5.0) -> Happening:
        """Wait until the condition is met. Return at once if it already is.

        Raises:
            TimeoutError: it is not met within `within` seconds.
        """
        waiter = _Waiter(condition, asyncio.get_running_loop().create_future())
        for happening in self.happenings:
            waiter.see(happening)
        self._waiters.append(waiter)
        try:
            async with asyncio.timeout(within):
                return await waiter.future
        except TimeoutError:
            done = condition.times - waiter.left
            raise TimeoutError(f"it happened {done} of {condition.times} times within {within:g} s") from None
        finally:
            self._waiters.remove(waiter)


def weight(packet: Packet | Violation | None, raw: bytes) -> int:
    """Estimate the bytes of memory that a packet uses, with its raw bytes. It is rather too high than too low."""
    payload = len(packet.payload) if isinstance(packet, Publish) else 0
    decoded = 0 if packet is None or isinstance(packet, Violation) else payload + FIELDS * (len(raw) - payload)
    return len(raw) + decoded


def _record(seen: Seen) -> dict[str, Any]:
    """Return the event as a record of a JSONL trace."""
    if seen.way not in WAYS:
        record = note_record(None if seen.connection < 0 else seen.connection, seen.way, seen.more or {})
    elif seen.way in ("open", "close"):
        record = event_record(seen.connection, seen.way, seen.text, seen.more)
    else:
        record = packet_record(seen.connection, seen.way, seen.packet, seen.data, seen.when)
    return {"t": seen.time, **record}


def _address(remote: str, connection: int) -> tuple[str, int]:
    """Return address and port of a client. One without an address, such as in memory, gets one on loopback."""
    host, _, port = remote.rpartition(":")
    try:
        return str(ip_address(host.strip("[]"))), int(port)
    except ValueError:
        return LOOPBACK, 49_152 + connection % 16_384


def _topic(publish: Publish, topics: dict[int, str]) -> str:
    """Return the topic of a PUBLISH, resolving a Topic Alias."""
    alias = None if publish.properties is None else publish.properties.topic_alias
    if alias is None:
        return publish.topic
    if publish.topic:
        topics[alias] = publish.topic
    return topics.get(alias, "")

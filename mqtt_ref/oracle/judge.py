# SPDX-License-Identifier: MIT
"""The judge: watches both directions of each connection, live or recorded, and reports what the client did wrong."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from typing import Any, Final

from mqtt_ref.oracle import following
from mqtt_ref.oracle.codec import also, is_private
from mqtt_ref.oracle.finding import SHOWN, Event, Finding
from mqtt_ref.oracle.hole import BYTES, ORDER, TIMES, Hole
from mqtt_ref.oracle.monitors import MONITORS, Monitor
from mqtt_ref.oracle.monitors.websocket import WebSocket
from mqtt_ref.oracle.state import FRESH, KEPT, Memory, Passed, Talk
from mqtt_ref.wire.codes import PUBACK, PUBCOMP, PUBREC, PUBREL
from mqtt_ref.wire.fast import decode
from mqtt_ref.wire.framing import Framer
from mqtt_ref.wire.generated.fast import VBI_FOUR_BYTES, VBI_MINIMAL
from mqtt_ref.wire.generated.packets import PACKET_NAMES
from mqtt_ref.wire.packets import Connack, Connect, Packet, Publish
from mqtt_ref.wire.primitives import CLIENT, SERVER, V5
from mqtt_ref.wire.statements import PREFIXES, STATEMENTS
from mqtt_ref.wire.violation import Violation

__all__ = ["FINDINGS", "Judge", "Watched"]

CLIENTS: Final = 100_000
"""Maximum number of remembered clients; the least recently seen are forgotten."""
FINDINGS: Final = 10_000
"""Findings that are kept; further ones are only counted."""
REPEATED: Final = 20
"""Findings of one rule on one connection that are kept; further ones are only counted."""
OTHERS: Final = (b"GET ", b"POST ", b"HEAD ", b"PUT ", b"OPTIONS ", b"\x16\x03")
"""The first bytes of HTTP and TLS: a peer that sends them is not an MQTT client."""
TYPES: Final = (
    "", "connect", "connack", "publish", "puback", "pubrec", "pubrel", "pubcomp", "subscribe", "suback", "unsubscribe",
    "unsuback", "pingreq", "pingresp", "disconnect", "auth",
)  # fmt: skip

Handlers = list[list[tuple[int, Callable[[Any, Any], None]]]]


def _handlers(prefix: str, every: str, ordinary: bool = False) -> Handlers:
    """By packet type: the monitors that handle it, with their methods. With `ordinary`, without the `idle` methods."""
    table: Handlers = []
    for name in TYPES:
        row: list[tuple[int, Callable[[Any, Any], None]]] = []
        for at, monitor in enumerate(MONITORS):
            for wanted in (every, f"{prefix}_{name}"):
                function = getattr(monitor, wanted, None)
                if ordinary and wanted in monitor.idle:
                    continue
                if function is not None and function is not getattr(Monitor, wanted, None):
                    row.append((at, function))
        table.append(row)
    return table


SENT: Final = _handlers("sent", "sent")
ORDINARY: Final = _handlers("sent", "sent", ordinary=True)
PLAIN: Final = [
    (at, function) for at, function in ORDINARY[Publish.TYPE] if function.__name__ not in MONITORS[at].idle_in_plain
]
"""The methods for a QoS 0 PUBLISH without RETAIN and properties, on an ordinary connection."""
GOT: Final = _handlers("got", "got")
TIMED: Final = [at for at, monitor in enumerate(MONITORS) if monitor.passed is not Monitor.passed]


class Watched:
    """A watched connection: its observed state, and its monitors."""

    def __init__(self, judge: Judge, talk: Talk) -> None:
        self.judge = judge
        self.talk = talk
        self.sent = Framer()
        self.got = Framer()
        self.blind = False
        """True if nothing can be judged any more: the beginning or other bytes are missing."""
        self.aliases = False
        self.unknown = False
        """True if its CONNECT is missing in the recording."""
        self.begun_at = 0
        """When the first byte of an incomplete packet arrived; 0: there is none."""
        self.monitors: list[Monitor] = [monitor(talk, self.accuse) for monitor in MONITORS]
        self.offers: tuple[str, ...] | None = None
        self._repeated: Counter[str] = Counter()
        """By rule: how often it was broken on this connection."""

    # ---------------------------------------------------------------- what the client sent

    def client(self, data: bytes, now: int) -> None:
        """Handle bytes of the client, in order; `now` is when they arrived."""
        if self.blind or not data:
            return
        talk = self.talk
        talk.now = now
        framer = self.sent
        if talk.connect is None and not framer.buffered and data.startswith(OTHERS):
            self.blind = True
            return
        data, frames = framer.feed(data)
        first = self.begun_at or now
        if frames:
            talk.heard_at = now
            talk.history.append(Passed(now, CLIENT, data, framer.whole))
        for pos, body, stop in frames:
            talk.data, talk.pos, talk.stop = data, pos, stop
            talk.first_byte_at = first
            first = now
            packet = decode(talk.version, CLIENT, data, pos, body, stop)
            if isinstance(packet, Violation):
                self._broken(packet)
            else:
                if body - pos > 2 and not data[body - 1]:
                    self._minimal(packet, body - 1 - pos)
                self._sent(packet)
            if self.blind:
                return
        self.begun_at = (first if not frames else now) if framer.buffered else 0
        if framer.lost:
            self._lost()

    def arriving(self, now: int, begun: bool) -> None:
        """Note if bytes of the client have arrived that a layer below still holds, as it waits for more.

        They may be the beginning of a packet.
        """
        if begun:
            self.begun_at = self.begun_at or now
        elif not self.sent.buffered:
            self.begun_at = 0

    def _sent(self, packet: Packet) -> None:
        talk = self.talk
        if isinstance(packet, Connect) and talk.connect is None:
            talk.version = packet.protocol_version
        kind = packet.TYPE
        monitors = self.monitors
        if isinstance(packet, Publish) and talk.ordinary and not packet.qos:
            if not packet.retain and packet.properties is None:
                for at, look in PLAIN:
                    look(monitors[at], packet)
                return
        for at, look in (ORDINARY if talk.ordinary else SENT)[kind]:
            look(monitors[at], packet)
        if talk.connect is None:
            if not isinstance(packet, Connect):
                self.blind = True  # a connection that does not begin with CONNECT is not MQTT
                if not talk.whole:
                    self.judge.stranger(talk.server, talk.number)
                return
            self._connected(packet)
        following.after_sent(talk, packet)

    def _connected(self, connect: Connect) -> None:
        talk = self.talk
        talk.connect = connect
        talk.connected_at = talk.now
        talk.client_id = connect.client_id
        memory = self.judge.remember(talk.server, connect.client_id)
        talk.whole = True  # a CONNECT is always the first packet
        earlier = memory.talk
        if earlier is not None:
            # The client uses the new connection; what still arrives on the old one must not count.
            following.closed(earlier)
            earlier.certain = False
            earlier.memory = Memory()
            earlier.heir = memory
        if self.judge.strangers.get(talk.server, -1) >= memory.number:
            memory.forget()  # the client may have connected in between, without its CONNECT being seen
        elif talk.server and not self.judge.complete and memory.number:
            memory.forget()  # or on a connection that the capture lacks
            self.judge.apart += not connect.clean_start
        talk.memory = memory
        if not talk.server:
            talk.measure()
        memory.talk = talk
        memory.number = talk.number
        if memory.ends_at and talk.now >= memory.ends_at:
            memory.doubt(talk.number)  # by the client's clock the session has expired
        if connect.clean_start:
            memory.lapse()
            talk.session = FRESH
        properties = connect.properties
        self.aliases = properties is not None and bool(properties.topic_alias_maximum)
        if self.offers is not None:
            self._offered()

    def _broken(self, violation: Violation) -> None:
        talk = self.talk
        kind = talk.data[talk.pos] >> 4
        if talk.connect is None:
            named = talk.data[talk.pos : talk.pos + 12]
            if kind == Connect.TYPE and (talk.whole or b"MQTT" in named or b"MQIsdp" in named):
                if not is_private(violation, talk.data[talk.pos : talk.stop]):
                    self._accuse_wire(violation)
            elif talk.whole:
                cites = ("MQTT5-3.1.0-1", "MQTT311-3.1.0-1")
                self.accuse(cites, "a CONNECT as the first packet", f"{PACKET_NAMES[kind]} as the first packet")
            self.blind = True
            return
        self._accuse_wire(violation)
        # The effect of the packet is unknown: the server may handle it in different ways.
        if kind in (PUBACK, PUBREC, PUBCOMP) or (
            kind == Publish.TYPE and (talk.version == V5 or talk.data[talk.pos] & 6)
        ):
            talk.certain = False

    def _minimal(self, packet: Packet, at: int) -> None:
        """Accuse a Remaining Length that is not minimal, which 5.0 forbids. `at` is its last byte."""
        version = packet.protocol_version if isinstance(packet, Connect) else self.talk.version
        if version == V5:
            reason, cites, _, _ = VBI_MINIMAL
            self._accuse_wire(Violation(cites[5], reason, packet.TYPE, at, V5, CLIENT, "remaining_length"))

    def _lost(self) -> None:
        """Stop decoding: from here on it is unknown where packets end."""
        talk = self.talk
        if talk.whole and not self.sent.too_large:
            data = self.sent.rest or b"\x00"
            talk.data, talk.pos, talk.stop = data, 0, len(data)
            reason, cites, _, _ = VBI_FOUR_BYTES
            version = talk.version or V5
            self._accuse_wire(Violation(cites[version], reason, data[0] >> 4, 4, version, CLIENT, "remaining_length"))
        self.blind = True
        talk.certain = False

    # ---------------------------------------------------------------- what the server sent

    def server(self, data: bytes, now: int) -> None:
        """Handle bytes of the server, in order; `now` is when they passed."""
        if self.blind or not data:
            return
        talk = self.talk
        talk.now = now
        if talk.connect is None:
            if not talk.whole:
                self.blind = True
                self.judge.stranger(talk.server, talk.number)
            return
        framer = self.got
        if framer.lost:
            return
        judge = self.judge
        if data == judge.harmless and not framer.buffered and not self.aliases:
            # The same bytes for another subscriber: complete QoS 0 messages only, so nothing to decode.
            talk.history.append(Passed(now, SERVER, data, len(data)))
            return
        data, frames = framer.feed(data, self.aliases)
        if framer.whole:
            talk.history.append(Passed(now, SERVER, data, framer.whole))
            if not frames and framer.whole == len(data):
                judge.harmless = data
        for pos, body, stop in frames:
            first = data[pos]
            if first >> 4 == Publish.TYPE and not first & 6 and not self.aliases:
                continue
            self._got(decode(talk.version, SERVER, data, pos, body, stop))
        if framer.lost:
            talk.certain = False

    def _got(self, packet: Packet | Violation) -> None:
        talk = self.talk
        if isinstance(packet, Violation):
            talk.certain = False  # how the client must react is not judged here
            return
        for at, look in GOT[packet.TYPE]:
            look(self.monitors[at], packet)
        if isinstance(packet, Publish):
            if packet.qos:
                following.got_publish(talk, packet.qos, packet.packet_id)
        elif packet.TYPE == PUBREL:
            following.got_pubrel(talk, packet.packet_id)  # type: ignore[union-attr]
        else:
            following.answered(talk, packet)
            if isinstance(packet, Connack) and not talk.client_id and packet.properties is not None:
                assigned = packet.properties.assigned_client_identifier
                if assigned:
                    talk.client_id = assigned
                    self.judge.keep(talk.server, assigned, talk.memory)

    # ---------------------------------------------------------------- what happened to the connection

    def hole(self, sender: int, size: int = 0, behind: int = 0) -> None:
        """Handle missing bytes of one side, after the first `behind` bytes that it sent; `size` 0: unknown number.

        From here on it is unknown where packets of that side begin. If bytes of the client are missing, nothing more is
        judged; if bytes of the server are missing, nothing that depends on the server. Call it directly after the last
        byte before the hole: the other side may have received the missing bytes at any time after that.
        """
        talk = self.talk
        talk.certain = False
        if sender == CLIENT:
            self.blind = True
            if talk.connect is None:
                self.unknown = True
                self.judge.stranger(talk.server, self.judge.connections)
        else:
            self.got.lost = True
        self.judge.miss(talk, sender, size, behind, BYTES if size or not behind else ORDER)

    def begun(self, now: int) -> None:
        """Note that the first bytes of a packet of the client arrived at `now`. The complete packet follows later."""
        self.begun_at = now

    def untimed(self) -> None:
        """Judge nothing by time: the times of the recording are not reliable."""
        self.talk.timed = False
        self.judge.miss(self.talk, CLIENT, 0, 0, TIMES)

    def offered(self, protocols: tuple[str, ...]) -> None:
        """Handle the WebSocket sub-protocols that the client offers. They are judged once its version is known."""
        self.offers = protocols
        if self.talk.connect is not None:
            self._offered()

    def _offered(self) -> None:
        for monitor in self.monitors:
            if isinstance(monitor, WebSocket):
                monitor.offered(self.offers or ())

    def text_frame(self, data: bytes, now: int) -> None:
        """Handle a WebSocket data frame of the client that is not binary."""
        talk = self.talk
        talk.now = now
        talk.data, talk.pos, talk.stop = data, 0, len(data)
        if talk.connect is None:
            for pos, body, stop in Framer().feed(data)[1][:1]:
                packet = decode(talk.version, CLIENT, data, pos, body, stop)
                if isinstance(packet, Connect):
                    talk.version, talk.client_id = packet.protocol_version, packet.client_id
        for monitor in self.monitors:
            if isinstance(monitor, WebSocket):
                monitor.text_frame()

    def passed(self, now: int) -> None:
        """Let the monitors check for silence up to `now`."""
        if self.blind or self.talk.closed:
            return
        talk = self.talk
        talk.now = now
        talk.data, talk.pos, talk.stop = b"", 0, 0
        if not self.begun_at:
            for at in TIMED:
                self.monitors[at].passed(now)

    def excuse(self, now: int) -> bool:
        """Excuse the client from being late: nothing was read for a while, so its packets may have waited.

        Return False if that makes no difference.
        """
        for monitor in self.monitors:
            monitor.excuse(now)
        return self.talk.connect is not None and not self.blind

    def closed(self, now: int, by_client: bool = False) -> None:
        """Handle the end of the connection. `by_client` is true if the client is known to have closed it."""
        if self.judge.talks.pop(self.talk.number, None) is None:
            return
        self.passed(now)
        if by_client and not self.blind and not self.begun_at:
            for monitor in self.monitors:
                monitor.left(now)
        if not self.talk.closed:
            following.closed(self.talk)
        if self.talk.connect is None:
            self.judge.unjudged += 1
            if self.unknown:
                self.judge.stranger(self.talk.server, self.judge.connections)
        self.blind = True
        self.monitors = []  # they refer to this connection, so only the collector would free both

    # ---------------------------------------------------------------- findings

    def accuse(self, cites: tuple[str, ...], expected: str, seen: str) -> None:
        """Add a finding. The rule is the first of `cites` that belongs to the version; the others are its `also`."""
        prefixes = PREFIXES[self.talk.version or V5]
        rules = [one for one in cites if one.startswith(prefixes)]
        if rules:
            self._add(rules[0], tuple(rules[1:]), expected, seen, -1)

    def _accuse_wire(self, violation: Violation) -> None:
        if violation.level == "may" or STATEMENTS[violation.statement].level == "may":
            return
        found = also(violation, self.talk.data[self.talk.pos : self.talk.stop])
        expected = "a packet that follows the wire format"
        seen = f"byte {violation.offset}" + (f", in {violation.field}" if violation.field else "")
        self._add(violation.statement, found, expected, seen, violation.offset)

    def _add(self, rule: str, also: tuple[str, ...], expected: str, seen: str, offset: int) -> None:
        talk = self.talk
        self.judge.counts[rule] += 1
        self._repeated[rule] += 1
        if self._repeated[rule] > REPEATED:
            return
        history = self._history()
        data = talk.data[talk.pos : min(talk.stop, talk.pos + SHOWN)]
        level = STATEMENTS[rule].level
        finding = Finding(
            rule, also, level, talk.version or V5, expected, seen, talk.name, talk.client_id, talk.remote, talk.now,
            data, talk.size, offset, history,
        )  # fmt: skip
        self.judge.add(finding)

    def _history(self) -> tuple[Event, ...]:
        """Return the last packets, up to the current one."""
        talk = self.talk
        events: deque[Event] = deque(maxlen=KEPT)
        for chunk in talk.history:
            data = chunk.data
            end = min(chunk.stop, talk.stop) if data is talk.data and talk.stop else chunk.stop
            for pos, after in chunk.last(KEPT, end):
                events.append(Event(chunk.time, chunk.sender, data[pos : min(after, pos + SHOWN)], after - pos))
        return tuple(events)


class Judge:
    """Judges any number of connections. All times are arguments, in nanoseconds of any clock.

    `on_finding` is called with each finding. `findings` holds the latest ones, `counts` the number of all by rule.
    `complete` says that a capture lacks no connection, so that a session can be followed from one to the next. `far`
    says that clients may be remote whatever their addresses are, as there is a proxy or a tunnel.
    """

    def __init__(
        self, on_finding: Callable[[Finding], None] | None = None, complete: bool = False, far: bool = False
    ) -> None:
        self.on_finding = on_finding
        self.findings: deque[Finding] = deque(maxlen=FINDINGS)
        self.counts: Counter[str] = Counter()
        self.talks: dict[int, Watched] = {}
        self.connections = 0
        self.complete = complete
        self.apart = 0
        """Sessions of captures that were not followed to the next connection, as one between may be missing."""
        self.far = far
        self.harmless = b""
        """The latest chunk of a server with complete QoS 0 messages and nothing else."""
        self.unjudged = 0
        """Connections that could not be judged."""
        self.holes: dict[tuple[int, int, str], Hole] = {}
        """What is missing in the recording, by connection number, side and kind."""
        self.strangers: dict[str, int] = {}
        """By server: the number of the last connection during which a client was there whose CONNECT was not seen."""
        self._memories: OrderedDict[str, tuple[str, Memory]] = OrderedDict()

    def open(
        self, name: str, now: int, remote: str = "", server: str = "", whole: bool = True, local: bool = False
    ) -> Watched:
        """Watch a new connection. `name` is shown in findings; `server` is the address of the server.

        `whole` says that it is seen from its first byte. `local` says that the client is on the same machine, so that
        the link cannot vanish unnoticed.
        """
        self.connections += 1
        talk = Talk(self.connections, name, remote, server, whole, now)
        talk.local = local and not self.far
        if talk.local:
            talk.round_trip = 0
        watched = Watched(self, talk)
        self.talks[talk.number] = watched
        return watched

    def passed(self, now: int) -> bool:
        """Check for silent clients up to `now`; call it a few times per second. Return True if it found something."""
        before = self.counts.total()
        for watched in list(self.talks.values()):
            watched.passed(now)
        return self.counts.total() > before

    def excuse(self, now: int) -> bool:
        """Excuse all clients from being late, after a stall of the caller. Return False if that makes no difference."""
        return sum(watched.excuse(now) for watched in self.talks.values()) > 0

    def forget(self) -> None:
        """Forget all clients."""
        self._memories.clear()

    def remember(self, server: str, client_id: str) -> Memory:
        """Return the memory of a client. It is new without a Client Identifier, or if the server address has changed.

        Two addresses may belong to one server or to two, so the session may or may not be the same.
        """
        if not client_id:
            return Memory()
        known = self._memories.get(client_id)
        if known is not None and known[0] == server:
            self._memories.move_to_end(client_id)
            return known[1]
        found = Memory()
        self.keep(server, client_id, found)
        return found

    def keep(self, server: str, client_id: str, memory: Memory) -> None:
        """Store the memory of a client."""
        self._memories[client_id] = server, memory
        self._memories.move_to_end(client_id)
        if len(self._memories) > CLIENTS:
            self._memories.popitem(last=False)

    def stranger(self, server: str, number: int) -> None:
        """Note a client of that server whose CONNECT was not seen. Connections up to `number` began before it."""
        self.strangers[server] = max(number, self.strangers.get(server, -1))

    def miss(self, talk: Talk, sender: int, size: int, behind: int, kind: str) -> None:
        """Note that a part of the recording is missing."""
        key = talk.number, sender, kind
        known = self.holes.get(key)
        if known is not None:
            known.size += size
            known.count += size > 0
        elif len(self.holes) < FINDINGS:
            self.holes[key] = Hole(
                talk.name, talk.remote, kind, sender, behind, size, talk.connect is not None
            )  # fmt: skip

    def add(self, finding: Finding) -> None:
        """Keep a finding, which was counted."""
        self.findings.append(finding)
        if self.on_finding is not None:
            self.on_finding(finding)

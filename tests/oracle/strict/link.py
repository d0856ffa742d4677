# SPDX-License-Identifier: MIT
"""A simulated world: a strict client, a network that delays, stalls, cuts and loses, our broker, and the judge.

The judge stands at the server's end: it sees what arrives there and what leaves there, and knows nothing of the rest.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from mqtt_ref.engine.options import Capabilities, Options
from mqtt_ref.engine.tables import TABLES
from mqtt_ref.oracle.finding import Finding
from mqtt_ref.oracle.judge import Judge
from mqtt_ref.oracle.live import policy
from mqtt_ref.wire.packets import Publish
from tests.oracle.strict.client import SECOND, TOPICS, StrictClient
from tests.oracle.strict.habits import KINDS, Habits, draw
from tests.sansio import Client as Peer
from tests.sansio import World

__all__ = ["Record", "Session", "play"]

LOOK = SECOND // 4
"""How often the judge is told that time passes."""


@dataclass
class Record:
    """A TCP segment where a tap sees it. `mark`: `open`, `close`, `reset`, or nothing where it has data."""

    time: int
    link: int
    to_server: bool
    sequence: int
    ack: int
    data: bytes
    mark: str = ""


class Direction:
    """One direction of a link: in order, late, and perhaps only up to some byte."""

    def __init__(self, link: Link, to_server: bool) -> None:
        self.link = link
        self.to_server = to_server
        self.free_at = 0
        """When the sender has got rid of what it wrote."""
        self.last = 0
        self.stall_until = 0
        self.budget: int | None = None
        """Bytes that still get through, once it is cut."""
        self.written = 0
        self.arrived = 0
        self.tap_last = 0
        self.lost_behind_tap = link.session.random.random() < 0.5
        self.over = False

    def write(self, data: bytes, now: int) -> None:
        """Send bytes; the receiver gets them some time, in pieces."""
        session = self.link.session
        random = session.random
        at = max(now, self.free_at)
        pos = 0
        while pos < len(data):
            size = random.choice((len(data), len(data), 1460, 1, 7, 536))
            if len(data) > 5000:
                size = 8192
            piece = data[pos : pos + size]
            pos += len(piece)
            if self.link.rate:
                at += len(piece) * SECOND // self.link.rate
            self._send(piece, at)
        self.free_at = at

    def end(self, mark: str, now: int) -> None:
        """The sender closes, behind its data."""
        if self.over:
            return
        self.over = True
        self._send(b"", max(now, self.free_at), mark)

    def _send(self, piece: bytes, at: int, mark: str = "") -> None:
        session, link = self.link.session, self.link
        random = session.random
        travel = link.delay + int(random.expovariate(1.0) * link.jitter)
        stall = max(0, self.stall_until - at)
        arrives = max(self.last, at + stall + travel)
        self.last = arrives
        sequence = self.written
        self.written += len(piece)
        through = piece
        if self.budget is not None:
            through = piece[: self.budget]
            self.budget -= len(through)
        whole = len(through) == len(piece) and (bool(piece) or self.budget is None)
        if session.tap is not None:
            seen = piece if self.lost_behind_tap else through
            if seen or (mark and (whole or self.lost_behind_tap)):
                tapped = max(self.tap_last, at + (arrives - at) // 2)
                self.tap_last = tapped
                # What the sender has got of the other direction when it sends, no more: an honest acknowledgement.
                session.at(at, lambda: link.acks.__setitem__((self.to_server, sequence), self._other().arrived))
                session.tap.append(Record(tapped, link.number, self.to_server, sequence, -1, seen, mark))
        if through or (mark and whole):
            session.at(arrives, lambda: self._arrive(through, mark))

    def _other(self) -> Direction:
        return self.link.down if self.to_server else self.link.up

    def _arrive(self, data: bytes, mark: str) -> None:
        self.arrived += len(data)
        if self.to_server:
            self.link.at_server(data, mark)
        else:
            self.link.at_client(data, mark)


class ServerEnd(Peer):
    """The broker's side of a link; its output leaves late where the server is slow."""

    def __init__(self, world: World, link: Link) -> None:
        self.link = link
        super().__init__(world, 5)

    def written(self, chunks: list[bytes], closing: bool) -> None:
        data = b"".join(chunks)
        closes = closing and not self.closed
        if closes:
            self.closed = True
        self.link.from_server(data, closes)


class Link:
    """A link between the client and the server, with the judge's view of it."""

    def __init__(self, session: Session, number: int) -> None:
        random = session.random
        self.session = session
        self.number = number
        self.delay = int(random.choice(session.delays) * SECOND)
        self.jitter = int(random.choice(session.jitters) * SECOND)
        self.rate = random.choice(session.rates)
        self.up = Direction(self, True)
        self.down = Direction(self, False)
        self.up.last = self.down.last = session.now
        self.acks: dict[tuple[bool, int], int] = {}
        self.client_open = True
        self.server_open = True
        self.server: ServerEnd | None = None
        self.watched: Any = None
        self.out_last = 0
        self.in_last = 0
        session.at(session.now + self.delay, self._accept)
        if session.tap is not None:
            session.tap.append(Record(session.now + self.delay // 2, number, True, -1, 0, b"", "open"))
            session.tap.append(Record(session.now + self.delay // 2 + 1, number, False, -1, 0, b"", "open"))

    def _accept(self) -> None:
        session = self.session
        self.watched = session.judge.open(str(self.number), session.now, f"client:{self.number}")
        self.server = ServerEnd(session.world, self)

    # -- the server's end, where the judge stands

    def at_server(self, data: bytes, mark: str) -> None:
        session = self.session
        if not self.server_open:
            return
        if data:
            session.seen.append((session.now, self.number, ">", data))
            self.watched.client(data, session.now)
        lag = int(session.random.expovariate(1.0) * session.server_lag)
        self.in_last = max(self.in_last, session.now + lag)
        session.at(self.in_last, lambda: self._handle(data, mark))
        if mark:
            self._judge_end(True)

    def _handle(self, data: bytes, mark: str) -> None:
        server = self.server
        if server is None or server.closed:
            return
        if data:
            server.send_raw(data)
        if mark and not server.closed:
            server.closed = True
            server.connection.lost(self.session.now)
            server.world.turn()
            self.session.now = server.world.now

    def _judge_end(self, by_client: bool) -> None:
        if self.server_open:
            self.server_open = False
            self.session.seen.append((self.session.now, self.number, "x", b"by client" if by_client else b""))
            self.watched.closed(self.session.now, by_client=by_client)

    def from_server(self, data: bytes, closing: bool) -> None:
        session = self.session
        lag = int(session.random.expovariate(1.0) * session.server_lag)
        self.out_last = max(self.out_last, session.now + lag)
        session.at(self.out_last, lambda: self._leave(data, closing))

    def _leave(self, data: bytes, closing: bool) -> None:
        session = self.session
        if not self.server_open:
            if closing:
                self._server_gone()
            return
        if data:
            session.seen.append((session.now, self.number, "<", data))
            self.watched.server(data, session.now)
            self.down.write(data, session.now)
        if closing:
            self._judge_end(False)
            self.down.end("close", session.now)
            self._server_gone()

    def _server_gone(self) -> None:
        assert self.server is not None
        self.server.connection.lost(self.session.now)
        self.server.world.turn()

    def server_hears_reset(self) -> None:
        """The network tells the server that the link is gone."""
        if self.server is None or not self.server_open:
            return
        self._judge_end(self.session.random.random() < 0.5)
        self._handle(b"", "reset")

    # -- the client's end

    def at_client(self, data: bytes, mark: str) -> None:
        session = self.session
        if not self.client_open or session.link is not self:
            return
        if data:
            session.client.receive(data, session.now)
            session.flush()
        if mark and session.link is self:
            session.client_lost(False)


@dataclass
class Score:
    """What a session came to."""

    packets: int = 0
    connections: int = 0
    cuts: int = 0
    stalls: int = 0
    lost: int = 0
    again: int = 0


class Session:
    """One client's life, from a seed."""

    def __init__(
        self,
        seed: int,
        kind: str = "",
        seconds: float = 60.0,
        faults: frozenset[str] = frozenset(),
        tap: bool = False,
        habits: Habits | None = None,
    ) -> None:
        self.seed = seed
        self.kind = kind or KINDS[seed % len(KINDS)]
        self.random = random = Random(seed)
        self.habits = habits or draw(random, self.kind)
        self.habits.faults = faults
        self.start = 1_000_000 * SECOND
        self.stop = self.start + int(seconds * SECOND)
        self.events: list[tuple[int, int, Callable[[], None]]] = []
        self.serial = 0
        self.score = Score()
        self.delays: tuple[float, ...] = (0.001, 0.02, 0.1)
        self.jitters: tuple[float, ...] = (0.0, 0.01, 0.05)
        self.rates: tuple[int, ...] = (0,)
        self.server_lag = int(random.choice((0.0, 0.0, 0.01, 0.3)) * SECOND)
        self.cut_every = random.choice((3.0, 10.0, 30.0, 1e9))
        self.stall_every = 1e9
        self.stall_most = 0.0
        if self.kind == "slow":
            self.delays = (0.1, 0.5, 2.0)
            self.jitters = (0.05, 0.5)
            self.stall_every, self.stall_most = 10.0, 8.0
            self.server_lag = int(random.choice((0.0, 0.5, 3.0)) * SECOND)
            # The standard leaves the network half a Keep Alive, and no more is taken here.
            if self.habits.keep_alive:
                self.habits.keep_alive = 60
        elif self.kind == "bulk":
            self.rates = (5_000, 50_000, 1_000_000)
        elif self.kind == "alive":
            # Sent at the last moment, and less than half a Keep Alive on the way.
            self.delays = (0.001, 0.1)
            self.jitters = (0.0, 0.0, 0.05)
            self.stall_every = random.choice((1e9, 3.0))
            self.stall_most = 0.4 * self.habits.keep_alive
            self.server_lag = 0
        # A broker that closes after one and a half Keep Alives would end the silence before it is one for sure.
        tables = policy("record") if "silent" in faults else TABLES
        self.world = World(self._options(), tables, now=self.start)
        self.judge = Judge()
        self.tap: list[Record] | None = [] if tap else None
        self.seen: list[tuple[int, int, str, bytes]] = []
        self.links: list[Link] = []
        self.link: Link | None = None
        self.client = StrictClient(self.habits, random, f"c{seed % 100000}")
        self.pump = self.world.client("pump", keep_alive=0)
        self.pump_id = 0
        self.wake_at = 0
        self.crash: BaseException | None = None

    def _options(self) -> Options:
        random = self.random
        options = Options(sys_topic_resend_interval=0)
        offer = Capabilities()
        hard = self.kind == "limits"
        if hard or random.random() < 0.3:
            offer.receive_maximum = random.choice((1, 2, 3, 5, 20))
            offer.topic_alias_maximum = random.choice((0, 1, 2, 100, 65535))
            offer.maximum_packet_size = random.choice((268_435_460, 100, 300, 5000))
            offer.maximum_qos = random.choice((0, 1, 2, 2, 2))
            offer.retain_available = random.random() < 0.8
            offer.wildcard_subscription_available = random.random() < 0.8
            offer.subscription_identifier_available = random.random() < 0.8
            offer.shared_subscription_available = random.random() < 0.8
            offer.maximum_session_expiry = random.choice((4_294_967_295, 4_294_967_295, 10))
        if self.kind == "alive" and random.random() < 0.5:
            offer.maximum_keep_alive = random.choice((1, 2, 5))
        if self.kind == "bulk":
            offer.maximum_packet_size = 268_435_460
        options.capabilities = offer
        options.bounds.connect_timeout = 3600
        return options

    @property
    def now(self) -> int:
        return self.world.now

    @now.setter
    def now(self, value: int) -> None:
        self.world.now = max(self.world.now, value)

    def at(self, when: int, do: Callable[[], None]) -> None:
        self.serial += 1
        heapq.heappush(self.events, (max(when, self.world.now), self.serial, do))

    def run(self) -> Session:
        self.at(self.now, self._connect)
        self.at(self.now + LOOK, self._look)
        self._later(self._cut, self.cut_every)
        self._later(self._stall, self.stall_every)
        self._later(self._pump, 0.5)
        turns = 0
        while self.now < self.stop:
            turns += 1
            if turns > 400_000:
                raise AssertionError(f"seed {self.seed}: no end")
            due = self.events[0][0] if self.events else self.stop
            deadline = self.world.broker.next_deadline()
            wake = self.client.next_deadline() if self.link is not None else None
            first = min(due, self.stop)
            if deadline is not None and deadline <= first and (wake is None or deadline <= wake):
                self.now = deadline
                self.world.broker.on_deadline(self.now)
                self.world.turn()
                continue
            if wake is not None and wake <= first:
                self.now = wake
                self.client.wake(self.now)
                self.flush()
                continue
            self.now = first
            if self.events and self.events[0][0] <= self.now:
                heapq.heappop(self.events)[2]()
        self.judge.passed(self.now)
        for link in self.links:
            if link.watched is not None and link.server_open:
                link.watched.closed(self.now)
        self.score.packets = self.client.sent + self.client.received
        self.score.connections = self.client.connections
        self.score.again = self.client.dup
        self.score.lost = sum(way.written - way.arrived for link in self.links for way in (link.up, link.down))
        return self

    @property
    def findings(self) -> list[Finding]:
        return self.judge.findings

    def _later(self, do: Callable[[], None], mean: float) -> None:
        if mean < 1e6:
            self.at(self.now + int(self.random.expovariate(1 / mean) * SECOND), do)

    def _look(self) -> None:
        self.judge.passed(self.now)
        self.at(self.now + LOOK, self._look)

    def _connect(self) -> None:
        if self.link is not None:
            return
        link = Link(self, len(self.links) + 1)
        self.links.append(link)
        self.link = link
        # The client writes once TCP has told it that the link is there.
        self.at(self.now + 2 * link.delay, lambda: self._begin(link))

    def _begin(self, link: Link) -> None:
        if self.link is link:
            self.client.connect(self.now)
            self.flush()

    def flush(self) -> None:
        """Write what the client has to say; close if it does."""
        link, client = self.link, self.client
        if link is None:
            return
        data = client.take()
        if data:
            link.up.write(data, self.now)
            # Keep Alive counts from when a packet has left completely.
            client.finished = max(client.finished, link.up.free_at)
        if client.vanishing:
            self.client_lost(False)
        elif client.closing:
            link.up.end("close", self.now)
            self.client_lost(True)

    def client_lost(self, told: bool) -> None:
        """The client is done with its link; it may be that nobody tells the server."""
        link = self.link
        assert link is not None
        link.client_open = False
        self.link = None
        self.client.lost(self.now)
        if not told and self.random.random() < 0.6:
            link.up.end("reset", self.now)
        self.at(self.now + int(self.random.expovariate(1.0) * self.habits.reconnect * SECOND), self._connect)

    def _cut(self) -> None:
        self._later(self._cut, self.cut_every)
        link = self.link
        if link is None:
            return
        self.score.cuts += 1
        random = self.random
        for way in random.choice(((link.up,), (link.down,), (link.up, link.down), (link.up, link.down))):
            if way.budget is None:
                way.budget = random.choice((0, 0, 1, 3, 10, 100, random.randint(0, 5000)))
        after = lambda: self.now + int(random.expovariate(1.0) * random.choice((0.1, 1.0, 5.0)) * SECOND)  # noqa: E731
        if random.random() < 0.7:
            self.at(after(), lambda: self._client_hears(link))
        if random.random() < 0.5:
            self.at(after(), link.server_hears_reset)

    def _client_hears(self, link: Link) -> None:
        if self.link is link:
            self.client_lost(False)

    def _stall(self) -> None:
        self._later(self._stall, self.stall_every)
        link = self.link
        if link is not None:
            self.score.stalls += 1
            way = self.random.choice((link.up, link.down))
            way.stall_until = self.now + int(self.random.random() * self.stall_most * SECOND)

    def _pump(self) -> None:
        """Somebody else publishes."""
        self._later(self._pump, 0.5)
        world, random = self.world, self.random
        pump = self.pump
        if pump.closed:
            return
        most = world.broker.options.capabilities.maximum_qos
        for _ in range(random.choice((1, 1, 3))):
            qos = min(random.choice((0, 1, 2)), most)
            self.pump_id = self.pump_id % 65535 + 1
            pump.messages()
            # QoS 2 is finished at once, so that its quota comes back.
            payload = bytes(random.choice((0, 5, 40)))
            message = Publish(random.choice(TOPICS), payload, qos, packet_id=self.pump_id if qos else 0)
            pump.send(message)
            if qos == 2 and not pump.closed:
                from mqtt_ref.wire.packets import Pubrel

                pump.send(Pubrel(self.pump_id))
            pump.inbox.clear()


def play(seed: int, kind: str = "", **more: Any) -> Session:
    """Run the session of a seed."""
    return Session(seed, kind, **more).run()

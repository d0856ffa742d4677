# SPDX-License-Identifier: MIT
"""Clients that write into the book what they were promised and what they got, on one selector."""

from __future__ import annotations

import random
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.framing import Decoder
from mqtt_ref.wire.packets import (
    Connack,
    Connect,
    ConnectProperties,
    Disconnect,
    Packet,
    Pingreq,
    Pingresp,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Subscription,
    Unsuback,
    Unsubscribe,
    Will,
    WillProperties,
)
from mqtt_ref.wire.primitives import SERVER, V5
from mqtt_ref.wire.violation import Violation
from tests.kills.ledger import NEVER, Ledger, Message, Span, payload

__all__ = ["Client", "Crowd", "Guest", "Mortal", "Publisher", "Subscriber"]

LONG: Final = 1_000_000
"""Seconds of a session that outlives any run."""
AGAIN: Final = 0.05
"""Seconds until a client that was refused tries again."""


class Link:
    """A TCP connection that never blocks."""

    def __init__(self, crowd: Crowd, version: int, on_packet: Callable[[Packet], None], on_closed: Callable[[], None]):
        self.crowd = crowd
        self.version = version
        self.on_packet: Callable[[Packet], None] | None = on_packet
        self.on_closed: Callable[[], None] | None = on_closed
        self.decoder = Decoder(version, SERVER)
        self.out = bytearray()
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.open = True
        self.writing = True
        self.socket.connect_ex(("127.0.0.1", crowd.port))
        crowd.selector.register(self.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, self)

    def send(self, packet: Packet) -> None:
        """Queue a packet; it leaves in this turn if the socket takes it."""
        if self.open:
            if not self.out:
                self.crowd.writers.add(self)
            self.out += encode(self.version, packet)

    def flush(self) -> None:
        """Write what the socket takes."""
        if not self.open or not self.out:
            return
        try:
            del self.out[: self.socket.send(self.out)]
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:
            # What the server sent before it went may still be there to read.
            self.out.clear()
        self.watch(bool(self.out))

    def watch(self, writing: bool) -> None:
        """Say what to wait for."""
        if self.open and writing != self.writing:
            self.writing = writing
            self.crowd.selector.modify(
                self.socket, selectors.EVENT_READ | (selectors.EVENT_WRITE if writing else 0), self
            )

    def read(self) -> None:
        """Handle what came."""
        try:
            data = self.socket.recv(1 << 17)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self.close(told=True)
            return
        for packet in self.decoder.feed(data):
            if isinstance(packet, Violation):
                raise AssertionError(f"the broker broke a rule: {packet}")
            if self.on_packet is not None:
                self.on_packet(packet)

    def close(self, told: bool = False) -> None:
        """Close, without any packet. `told`: the client hears of it."""
        if not self.open:
            return
        self.open = False
        self.crowd.selector.unregister(self.socket)
        self.socket.close()
        on_closed, self.on_closed, self.on_packet = self.on_closed, None, None
        if told and on_closed is not None:
            on_closed()

    def forget(self) -> None:
        """Read on until the server closes, and take no notice of what comes."""
        self.on_packet = self.on_closed = None


class Crowd:
    """All clients of one broker."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.ledger = Ledger()
        self.selector = selectors.DefaultSelector()
        self.writers: set[Link] = set()
        self.clients: list[Client] = []
        self.port = 0
        self.up = False
        """Clients that have no connection make one."""
        self.pumping = False
        """Publishers begin new messages, and the others do what they do at random."""
        self.begun = 0
        """Messages since `rest`."""
        self.came = 0
        self.ahead = 2500
        """How many messages publishers may be ahead of `slowest`, so that no queue gets full."""
        self.slowest = ""
        """A receiver of all messages."""
        self.mortal = True
        """Wills that come only after a time are made too."""
        self.life = 0
        """How many brokers there were."""

    def start(self, port: int) -> None:
        """There is a broker at this port."""
        self.port = port
        self.up = True
        self.life += 1

    def rest(self) -> None:
        """Nothing is under way."""
        self.begun = 0
        self.came = self.ledger.came[self.slowest]

    @property
    def room(self) -> int:
        """How many messages may be begun now."""
        return self.ahead - self.begun + self.ledger.came[self.slowest] - self.came

    def turn(self, wait: float = 0.005) -> None:
        """Let all clients do something, and wait for the sockets that long at most."""
        now = time.monotonic()
        for client in self.clients:
            client.act(now)
        writers, self.writers = self.writers, set()
        for link in writers:
            link.flush()
        for key, mask in self.selector.select(wait):
            link = key.data
            if mask & selectors.EVENT_READ:
                link.read()
            if mask & selectors.EVENT_WRITE:
                link.flush()
                link.watch(bool(link.out))

    def until(self, condition: Callable[[], object], deadline: float) -> bool:
        """Take turns until the condition holds; False: it did not within that many seconds."""
        end = time.monotonic() + deadline
        while not condition():
            if time.monotonic() > end:
                return False
            self.turn()
        return True

    def downed(self) -> None:
        """The broker has gone: read what it still sent, and close all."""
        self.up = False
        end = time.monotonic() + 5.0
        while any(key.data.open for key in list(self.selector.get_map().values())):
            for key, _ in self.selector.select(0.05):
                key.data.read()
            if time.monotonic() > end:
                raise AssertionError("a connection of a broker that was killed is open")

    def under_way(self) -> int:
        """Messages that publishers have sent, and whose last acknowledgement they have not."""
        return sum(len(one.flying) for one in self.clients if isinstance(one, Publisher))

    def held(self) -> int:
        """Messages that came to subscribers, whose acknowledgement they have not sent yet."""
        return sum(len(one.owed) for one in self.clients if isinstance(one, Subscriber))

    def close(self) -> None:
        """Close all sockets."""
        for key in list(self.selector.get_map().values()):
            key.data.close()
        self.selector.close()


class Client:
    """A client with a session that lasts. `present` is whether the broker has it: True, False, or None if unknown."""

    def __init__(self, crowd: Crowd, client_id: str, version: int = V5, expiry: int = LONG) -> None:
        self.crowd = crowd
        self.ledger = crowd.ledger
        self.client_id = client_id
        self.version = version
        self.expiry = expiry
        self.present: bool | None = False
        self.link: Link | None = None
        self.connected = False
        self.wanted = True
        """It connects when it has no connection."""
        self.again = 0.0
        self.refusals = 0
        self.expected: bool | None = None
        """What Session Present has to be; None: either."""
        self.properties: dict[str, int] = {}
        crowd.clients.append(self)

    def __repr__(self) -> str:
        return f"<{self.client_id} {'connected' if self.connected else 'not connected'}>"

    def connect(self, clean: bool = False, will: Will | None = None) -> None:
        """Open a connection and send CONNECT; if there is one, this one takes the session over."""
        old, self.link = self.link, None
        if old is not None:
            old.forget()
            self._end()
        link = self.link = Link(self.crowd, self.version, self.on_packet, self.on_closed)
        properties = None
        if self.version == V5:
            properties = ConnectProperties(session_expiry_interval=self.expiry, **self.properties)  # type: ignore[arg-type]
        link.send(Connect(self.client_id, self.version, clean, will=will, properties=properties))
        self.expected = False if clean else self.present
        if clean or not self.present:
            self.present = None

    def send(self, packet: Packet) -> None:
        """Send on the newest connection."""
        if self.link is not None:
            self.link.send(packet)

    def drop(self) -> None:
        """Close the connection without DISCONNECT."""
        link, self.link = self.link, None
        if link is not None:
            link.flush()
            link.close()
            self._end()

    def leave(self) -> None:
        """Send DISCONNECT, and wait for nothing."""
        link, self.link = self.link, None
        self.connected = False
        if link is not None:
            link.send(Disconnect())
            link.flush()
            link.forget()

    def on_closed(self) -> None:
        """The server has closed the connection, or has gone."""
        self.link = None
        self.again = time.monotonic() + AGAIN
        self._end()

    def _end(self) -> None:
        was, self.connected = self.connected, False
        self.on_dropped(was)

    def on_packet(self, packet: Packet) -> None:
        """Handle a packet on the newest connection."""
        if not isinstance(packet, Connack):
            self.handle(packet)
        elif packet.reason_code:
            self.refusals += 1
        else:
            if self.expected is not None and packet.session_present != self.expected:
                self.ledger.found(
                    "session present",
                    f"{self.client_id} found Session Present {packet.session_present}, which has to be {self.expected}",
                    self.client_id,
                    self.ledger.now(),
                )
            self.connected = True
            self.present = True
            self.on_connected(packet.session_present)

    def act(self, now: float) -> None:
        """Do what is to be done without being asked."""
        if self.link is None and self.wanted and self.crowd.up and now >= self.again:
            self.again = now + AGAIN
            self.begin()
        elif self.connected:
            self.work(now)

    def begin(self) -> None:
        """Connect."""
        self.connect()

    def on_connected(self, present: bool) -> None:
        """CONNACK came."""

    def on_dropped(self, acknowledged: bool) -> None:
        """The connection has ended without DISCONNECT; `acknowledged`: CONNACK had come."""

    def handle(self, packet: Packet) -> None:
        """A packet other than CONNACK came."""

    def work(self, now: float) -> None:
        """The client is connected."""

    def idle(self) -> bool:
        """True if it waits for nothing."""
        return self.connected or not self.wanted


class Publisher(Client):
    """Keeps `window` messages in flight, in the order of each topic."""

    def __init__(self, crowd: Crowd, name: str, version: int, window: int, restless: float = 0.0) -> None:
        super().__init__(crowd, f"p{name}", version)
        self.window = window
        self.restless = restless
        """The share of turns in which it takes its own session over."""
        self.flying: dict[int, Message] = {}
        self.released: set[int] = set()
        self.counts: dict[str, int] = {}
        self.next_id = 1
        self.topics = [(f"k/{name}/1", 1), (f"k/{name}/2", 2), (f"r/{name}/1", 1), (f"r/{name}/2", 2)]

    def on_connected(self, present: bool) -> None:
        if not present:
            self.released.clear()
        for packet_id, message in self.flying.items():
            if packet_id in self.released:
                self.send(Pubrel(packet_id))
            else:
                self._send(packet_id, message, dup=present)

    def _send(self, packet_id: int, message: Message, dup: bool) -> None:
        data = b"" if message.empty else payload(message.topic, message.number, 40 + message.number % 100)
        self.send(Publish(message.topic, data, message.qos, message.retain, dup, packet_id))

    def work(self, now: float) -> None:
        rng = self.crowd.rng
        if not self.crowd.pumping:
            return
        if self.restless and rng.random() < self.restless:
            self.connect()
            return
        room = min(self.window - len(self.flying), self.crowd.room)
        while room > 0:
            room -= 1
            self.crowd.begun += 1
            topic, qos = rng.choices(self.topics, (8, 8, 1, 1))[0]
            number = self.counts[topic] = self.counts.get(topic, -1) + 1
            retain = topic.startswith("r/")
            message = Message(topic, number, qos, retain, retain and rng.random() < 0.2, self.ledger.now())
            self.ledger.message(message)
            while self.next_id in self.flying:
                self.next_id = self.next_id % 65535 + 1
            self.flying[self.next_id] = message
            self._send(self.next_id, message, dup=False)
            self.next_id = self.next_id % 65535 + 1

    def handle(self, packet: Packet) -> None:
        now = self.ledger.now()
        if isinstance(packet, Puback):
            message = self.flying.pop(packet.packet_id, None)
            if message is not None:
                message.refused = packet.reason_code >= 0x80
                message.accepted = min(message.accepted, now)
                message.completed = now
        elif isinstance(packet, Pubrec):
            message = self.flying.get(packet.packet_id)
            if message is None:
                self.send(Pubrel(packet.packet_id))
            elif packet.reason_code >= 0x80:
                message.refused = True
                del self.flying[packet.packet_id]
            else:
                message.accepted = min(message.accepted, now)
                self.released.add(packet.packet_id)
                self.send(Pubrel(packet.packet_id))
        elif isinstance(packet, Pubcomp):
            message = self.flying.get(packet.packet_id)
            if message is not None and packet.packet_id in self.released:
                message.completed = now
                del self.flying[packet.packet_id]
                self.released.discard(packet.packet_id)

    def idle(self) -> bool:
        return super().idle() and not self.flying


class Subscriber(Client):
    """Subscribes once, and acknowledges when it likes to.

    `away` and `restless` are the shares of turns in which it leaves for a time, and takes its own session over.
    A filter of `toggled` is subscribed to and unsubscribed again and again.
    """

    def __init__(
        self,
        crowd: Crowd,
        client_id: str,
        version: int,
        filters: dict[str, int],
        *,
        toggled: dict[str, int] | None = None,
        group: str = "",
        away: float = 0.0,
        restless: float = 0.0,
        receive_maximum: int = 0,
    ) -> None:
        super().__init__(crowd, client_id, version)
        self.filters = filters
        self.toggled = toggled or {}
        self.away = away
        self.restless = restless
        self.receiver = group or client_id
        if receive_maximum:
            self.properties["receive_maximum"] = receive_maximum
        self.owed: deque[Packet] = deque()
        self.ids: set[int] = set()
        self.asked: dict[int, tuple[str, bool]] = {}
        """By Packet Identifier: filter, and True for SUBSCRIBE."""
        self.wishes: dict[str, bool] = dict.fromkeys(filters, True)
        """Requests that were not acknowledged yet."""
        self.spans: dict[str, Span] = {}
        self.next_id = 1
        self.pinged = 0
        self.ponged = 0
        if group:
            self.ledger.groups.add(group)

    def on_connected(self, present: bool) -> None:
        self.owed.clear()
        self.asked.clear()
        if not present:
            self.ids.clear()
        for topic_filter, on in list(self.wishes.items()):
            self._ask(topic_filter, on)

    def _ask(self, topic_filter: str, on: bool) -> None:
        packet_id = self.next_id = self.next_id % 65535 + 1
        self.asked[packet_id] = topic_filter, on
        self.wishes[topic_filter] = on
        spans = self.ledger.spans.setdefault(self.receiver, [])
        span = self.spans.get(topic_filter)
        _, _, plain = topic_filter.rpartition("$share/g/")
        qos = {**self.filters, **self.toggled}[topic_filter]
        if on:
            if span is None or span.possible_to != NEVER:
                span = self.spans[topic_filter] = Span(plain, qos, self.ledger.now())
                spans.append(span)
            self.send(Subscribe(packet_id, [Subscription(topic_filter, qos)]))
        else:
            if span is not None and span.certain_to == NEVER:
                span.certain_to = self.ledger.now()
            self.send(Unsubscribe(packet_id, [topic_filter]))

    def handle(self, packet: Packet) -> None:
        if isinstance(packet, Publish):
            self._publish(packet)
        elif isinstance(packet, Pubrel):
            self.ids.discard(packet.packet_id)
            self.send(Pubcomp(packet.packet_id))
        elif isinstance(packet, Suback | Unsuback):
            self._acknowledged(packet)
        elif isinstance(packet, Pingresp):
            self.ponged += 1

    def _publish(self, packet: Publish) -> None:
        if packet.qos == 2:
            if packet.packet_id not in self.ids:
                self.ids.add(packet.packet_id)
                self.ledger.delivered(self.receiver, self.client_id, packet.topic, packet.payload, 2)
            self.owed.append(Pubrec(packet.packet_id))
        else:
            self.ledger.delivered(self.receiver, self.client_id, packet.topic, packet.payload, packet.qos)
            if packet.qos:
                self.owed.append(Puback(packet.packet_id))

    def _acknowledged(self, packet: Suback | Unsuback) -> None:
        topic_filter, on = self.asked.pop(packet.packet_id)
        codes = packet.reason_codes or [0]
        span = self.spans.get(topic_filter)
        now = self.ledger.now()
        if codes[0] >= 0x80:
            self._ask(topic_filter, on)  # the store fails
            return
        if self.wishes.get(topic_filter) == on:
            del self.wishes[topic_filter]
        if span is not None:
            if on:
                span.certain_from = now
            else:
                span.possible_to = now

    def work(self, now: float) -> None:
        rng = self.crowd.rng
        count = len(self.owed) if not self.crowd.pumping else rng.randrange(len(self.owed) + 1)
        for _ in range(count):
            self.send(self.owed.popleft())
        if not self.crowd.pumping:
            return
        if self.toggled and not self.wishes and rng.random() < 0.1:
            topic_filter = rng.choice(list(self.toggled))
            span = self.spans.get(topic_filter)
            self._ask(topic_filter, span is None or span.possible_to != NEVER)
        if self.away and rng.random() < self.away:
            self.drop() if rng.random() < 0.5 else self.leave()
            self.again = now + rng.random() * 0.3
        elif self.restless and rng.random() < self.restless:
            self.connect()

    def ping(self) -> None:
        """Send a PINGREQ: after its answer nothing is under way to this client that was sent before."""
        self.pinged += 1
        self.ponged = self.pinged - 1
        self.send(Pingreq())

    def idle(self) -> bool:
        return super().idle() and not self.owed and not self.wishes and not self.ids


class Mortal(Client):
    """Has a will, a new one with each connection.

    A client that is `patient` has a delay that never passes, and always comes back: none of its wills may come. One
    with another delay, or with an `expiry`, stays away until its will has come to all who wait for it. One that is
    `polite` leaves with DISCONNECT.
    """

    def __init__(
        self,
        crowd: Crowd,
        client_id: str,
        version: int,
        *,
        delay: int = 0,
        expiry: int = LONG,
        patient: bool = False,
        polite: bool = False,
        restless: float = 0.0,
    ) -> None:
        super().__init__(crowd, client_id, version, expiry)
        self.topic = f"w/{client_id}"
        self.delay = delay
        self.patient = patient
        self.polite = polite
        self.restless = restless
        self.number = -1
        self.left = (0, -1)
        """The life of the broker in which it said that it had taken a DISCONNECT, and the will of that connection."""

    @property
    def due(self) -> bool:
        """True while a will of this client has not come to all."""
        return any(message.topic == self.topic for _, message in self.ledger.missing_wills(self.topic))

    def begin(self) -> None:
        if (self.delay or self.polite) and not self.patient:
            if not self.crowd.pumping or self.due or not (self.crowd.mortal or self.polite):
                return
        if self.expiry != LONG:  # the will came when the session ended
            last = self.ledger.wills[self.topic][self.number] if self.number >= 0 else None
            self.present = False if last is None or last.expected == "must" else None
        self.connect()

    def connect(self, clean: bool = False, will: Will | None = None) -> None:
        self.number += 1
        entry = self.ledger.will(Message(self.topic, self.number, 2))
        entry.expected = "never" if self.patient else "may"
        properties = WillProperties(will_delay_interval=self.delay) if self.delay else None
        # The old connection, if there is one, ends now: the number is that of the old will then.
        self.number -= 1
        data = payload(self.topic, self.number + 1)
        super().connect(clean, Will(self.topic, data, 2, properties=properties))
        self.number += 1

    def on_connected(self, present: bool) -> None:
        wills = self.ledger.wills[self.topic]
        life, number = self.left
        if life == self.crowd.life and number in wills:
            wills[number].expected = "never"
        will = wills[self.number]
        will.armed = True
        will.message.sent = self.ledger.now()

    def on_dropped(self, acknowledged: bool) -> None:
        if acknowledged:
            will = self.ledger.wills[self.topic][self.number]
            will.message.accepted = self.ledger.now()
            if not self.patient:
                will.expected = "must"

    def leave(self) -> None:
        link, number, life = self.link, self.number, self.crowd.life
        super().leave()
        self.again = time.monotonic() + 1.0
        if link is not None:
            link.on_closed = lambda: self._parted(life, number)

    def _parted(self, life: int, number: int) -> None:
        if self.crowd.up:
            self.left = life, number
        self.again = 0.0

    def work(self, now: float) -> None:
        if not self.crowd.pumping:
            return
        rng = self.crowd.rng
        if rng.random() < 0.02:
            self.again = now + rng.random() * 0.2
            if self.polite:
                self.leave()
            else:
                self.drop()
        elif rng.random() < self.restless:
            self.connect()

    def idle(self) -> bool:
        return not self.due and (self.connected or not self.patient)


class Guest(Client):
    """Begins and ends sessions, and looks at Session Present."""

    def __init__(self, crowd: Crowd, client_id: str, version: int) -> None:
        super().__init__(crowd, client_id, version)
        self.lasts = True
        """The newest session outlives its connection."""

    def begin(self) -> None:
        rng = self.crowd.rng
        clean = rng.random() < 0.4
        self.lasts = not clean or (self.version == V5 and rng.random() < 0.5)
        self.expiry = LONG if self.lasts else 0
        self.connect(clean)

    def on_dropped(self, acknowledged: bool) -> None:
        if acknowledged and not self.lasts:
            self.present = False

    def work(self, now: float) -> None:
        if self.crowd.pumping and self.crowd.rng.random() < 0.1:
            self.drop()

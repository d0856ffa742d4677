# SPDX-License-Identifier: MIT
"""A broker with clients and a clock of their own: no socket, no waiting."""

from __future__ import annotations

import os
from typing import Any

from mqtt_ref.broker.broker import Broker
from mqtt_ref.broker.inline import Deliver
from mqtt_ref.broker.memory import MemoryStore
from mqtt_ref.engine.connection import Connection
from mqtt_ref.engine.effects import Ask, Commit, Effect, Note, Read, Withdraw
from mqtt_ref.engine.options import Options, Terms
from mqtt_ref.engine.tables import TABLES, Tables
from mqtt_ref.engine.turns import TURN
from mqtt_ref.ports import Storage
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.framing import Decoder
from mqtt_ref.wire.packets import (
    Connack,
    Connect,
    Packet,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    SubscribeProperties,
    Subscription,
    Unsuback,
    Unsubscribe,
)
from mqtt_ref.wire.primitives import SERVER
from mqtt_ref.wire.violation import Violation

SECOND = 1_000_000_000

UNITS = int(os.environ.get("MQTT_REF_TURN", TURN))
"""The work of one turn. With few units all that can be interrupted is, again and again, and nothing else changes."""

standard: Tables = TABLES
"""The tables of a `World` that is given none; `tests.rows` changes them."""


class World:
    """One broker, its clock and its effects. `auto` commits every batch at once."""

    def __init__(
        self,
        options: Options | None = None,
        tables: Tables | None = None,
        storage: Storage | None = None,
        auto: bool = True,
        now: int = 1000 * SECOND,
        **more: Any,
    ) -> None:
        self.now = now
        more.setdefault("turn", UNITS)
        self.at_once = UNITS < TURN
        self.broker = Broker(options, standard if tables is None else tables, storage, seed=7, **more)
        self.storage = storage
        self.auto = auto
        self.commits: list[Commit] = []
        self.reads: list[Read] = []
        self.newest = 0
        """The newest batch that the store was given."""
        self.due: dict[int, int] = {}
        """By number of a reading: the batch that it has to come before."""
        self.asks: list[Ask] = []
        self.withdrawn: list[Withdraw] = []
        self.notes: list[Note] = []
        self.clients: dict[int, Client] = {}
        self.broker.restore(self.now)

    def turn(self) -> None:
        """What a driver does at the end of a turn: tick, effects, writes."""
        effects: list[Effect] = self.broker.tick(self.now)
        for effect in effects:
            if isinstance(effect, Commit):
                self.commits.append(effect)
                self.newest = effect.batch
            elif isinstance(effect, Read):
                self.reads.append(effect)
                self.due[effect.number] = self.newest + 1
            elif isinstance(effect, Ask):
                self.asks.append(effect)
            elif isinstance(effect, Withdraw):
                self.withdrawn.append(effect)
            elif isinstance(effect, Note):
                self.notes.append(effect)
            elif isinstance(effect, Deliver):
                effect.subscription.handler(effect.received)
        if self.auto and self.commits and self.storage is not None:
            self.commit()
        if self.auto and self.reads and self.storage is not None:
            self.read()
        dirty = self.broker.dirty
        self.broker.dirty = []
        for link in dirty:
            self.clients[link.serial].written(link.take(), link.closing)
        if self.at_once and self.broker.turns.jobs:
            # With short turns for all tests, they see what comes of them, not how.
            self.broker.on_deadline(self.now)
            self.turn()

    def commit(self, at: int = 0, fail: bool = False) -> None:
        """Let the store answer one of the batches that are under way, then turn."""
        while self.commits:
            if self.reads and self.due[self.reads[0].number] <= self.commits[at].batch:
                self.read()
                continue
            commit = self.commits.pop(at)
            if fail:
                self.broker.on_commit_failed(commit.batch, self.now)
            else:
                assert self.storage is not None
                self.storage.commit(commit.batch, commit.records)  # type: ignore[arg-type]
                self.broker.on_committed(commit.batch, self.now)
            self.turn()
            if not self.auto:
                return

    def read(self, fail: bool = False) -> None:
        """Let the store answer the oldest reading that was asked for, then turn."""
        while self.reads:
            read = self.reads.pop(0)
            if fail:
                self.broker.on_read_failed(read.number)
            else:
                assert isinstance(self.storage, MemoryStore)
                records = self.storage.load_queue(read.client_id, read.after, read.messages, read.size)
                self.broker.on_read(read.number, records, self.now)
            self.turn()
            if not self.auto:
                return

    def answer(self, answer: object) -> Ask:
        """Answer the oldest question that was asked, then turn."""
        ask = self.asks.pop(0)
        assert self.broker.answer(ask.question, answer, self.now), ask
        self.turn()
        return ask

    def pass_time(self, seconds: float) -> None:
        """Let time pass, calling every deadline when it is due."""
        until = self.now + int(seconds * SECOND)
        while True:
            when = self.broker.next_deadline()
            if when is None or when > until:
                break
            self.now = max(self.now, when)
            self.broker.on_deadline(self.now)
            self.turn()
        self.now = until

    def link(self, version: int = 5) -> Client:
        """A link on which nothing was sent yet."""
        return Client(self, version)

    def client(self, client_id: str = "", version: int = 5, **connect: Any) -> Client:
        """A client that was accepted; its CONNACK is in `connack`."""
        client = Client(self, version)
        client.send(Connect(client_id, protocol_version=version, **connect))
        got = client.read()
        assert got, "nothing came, not even a refusal"
        assert isinstance(got[0], Connack), got
        client.connack = got[0]
        client.inbox = got[1:]
        return client


class Client:
    """One link, seen from the client's side."""

    def __init__(self, world: World, version: int, listener: str = "test", terms: Terms | None = None) -> None:
        self.world = world
        self.version = version
        self.connection: Connection = world.broker.connect(world.now, listener, "peer", terms)
        world.clients[self.connection.serial] = self
        self.decoder = Decoder(version, SERVER)
        self.inbox: list[Packet] = []
        self.raw = b""
        self.closed = False
        self.writes = 0
        self.connack: Any = Connack()
        world.turn()

    def written(self, chunks: list[bytes], closing: bool) -> None:
        data = b"".join(chunks)
        self.raw += data
        self.writes += 1
        assert not self.closed or not data, "output after the link was closed"
        for packet in self.decoder.feed(data):
            assert not isinstance(packet, Violation), packet
            self.inbox.append(packet)
        if closing and not self.closed:
            self.closed = True
            self.connection.lost(self.world.now)

    def send(self, *packets: Packet) -> None:
        self.send_raw(b"".join(encode(self.version, packet) for packet in packets))

    def send_raw(self, data: bytes) -> None:
        self.connection.receive(data, self.world.now)
        self.world.turn()

    def read(self) -> list[Any]:
        """Everything that came since the last time."""
        inbox = self.inbox
        self.inbox = []
        return inbox

    def one(self, kind: type | None = None) -> Any:
        """The one packet that came."""
        inbox = self.read()
        assert len(inbox) == 1, inbox
        assert kind is None or isinstance(inbox[0], kind), inbox
        return inbox[0]

    def ask(self, *packets: Packet) -> Any:
        """Send, and return the one packet that comes back."""
        self.send(*packets)
        return self.one()

    def drop(self) -> None:
        """The link breaks."""
        self.connection.lost(self.world.now)
        self.closed = True
        self.world.turn()

    def subscribe(
        self, topic_filter: str, qos: int = 0, identifier: int = 0, packet_id: int = 1, **options: Any
    ) -> int:
        """Subscribe; returns the code and leaves retained messages in the inbox."""
        properties = SubscribeProperties(subscription_identifier=identifier) if identifier else None
        self.send(Subscribe(packet_id, [Subscription(topic_filter, qos, **options)], properties))
        got = self.read()
        assert isinstance(got[0], Suback), got
        self.inbox = got[1:]
        code: int = got[0].reason_codes[0]
        return code

    def unsubscribe(self, topic_filter: str) -> Unsuback:
        got = self.ask(Unsubscribe(2, [topic_filter]))
        assert isinstance(got, Unsuback)
        return got

    def publish(self, topic: str, payload: bytes = b"x", qos: int = 0, **more: Any) -> Any:
        """Publish, finish the exchange; returns the PUBACK or PUBREC."""
        packet_id = more.pop("packet_id", 10 if qos else 0)
        self.send(Publish(topic, payload, qos, packet_id=packet_id, **more))
        if qos == 0:
            return None
        got = self._take(Puback if qos == 1 else Pubrec)
        if qos == 2 and got.reason_code < 0x80:
            self.send(Pubrel(packet_id))
            self._take(Pubcomp)
        return got

    def _take(self, kind: type) -> Any:
        """The one packet of a kind; the others stay."""
        inbox = self.read()
        (got,) = [packet for packet in inbox if isinstance(packet, kind)]
        self.inbox = [packet for packet in inbox if packet is not got]
        return got

    def messages(self) -> list[Publish]:
        """The PUBLISH packets that came, acknowledged to their end."""
        out: list[Publish] = []
        while self.inbox:
            for packet in self.read():
                if isinstance(packet, Publish):
                    out.append(packet)
                    if packet.qos == 1:
                        self.send(Puback(packet.packet_id))
                    elif packet.qos == 2:
                        self.send(Pubrec(packet.packet_id))
                elif isinstance(packet, Pubrel):
                    self.send(Pubcomp(packet.packet_id))
        return out

    def payloads(self) -> list[bytes]:
        return [packet.payload for packet in self.messages()]

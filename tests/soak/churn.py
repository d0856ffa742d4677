# SPDX-License-Identifier: MIT
"""Random clients of a broker without sockets, in simulated time: each round begins and ends with nobody there."""

from __future__ import annotations

import gc
from collections import Counter
from random import Random
from typing import Any, Final

from mqtt_ref.broker.inline import InlineClient
from mqtt_ref.broker.memory import MemoryStore
from mqtt_ref.engine.access import Access, Verdict
from mqtt_ref.engine.generated.events import Intercept, Watch
from mqtt_ref.engine.intercept import ASK, LATER
from mqtt_ref.engine.options import Bounds, Options
from mqtt_ref.wire.packets import (
    Connect,
    ConnectProperties,
    Disconnect,
    Pingreq,
    Puback,
    Pubcomp,
    Publish,
    PublishProperties,
    Pubrec,
    Pubrel,
    Subscribe,
    SubscribeProperties,
    Subscription,
    Unsubscribe,
    Will,
    WillProperties,
)
from mqtt_ref.wire.primitives import V5
from tests.sansio import Client, World
from tests.soak.graph import sizes

__all__ = ["Churn"]

FILTERS: Final = ("#", "+/b", "a/+", "a/#", "a/b", "$share/g/a/#", "$share/h/+/b", "$share/g/c", "own/{}", "own/{}/#")
TOPICS: Final = ("a", "a/b", "a/c", "c", "d/b", "own/{}", "own/{}/x", "one/{}")
FOREVER: Final = 0xFFFF_FFFF
LATEST: Final = 400_000
"""Seconds after which everything has expired that can expire."""


class Churn:
    """A broker and its random clients. `stored` commits late to a store, `asked` puts each question to a slow hook."""

    def __init__(self, seed: int, *, stored: bool = False, asked: bool = False) -> None:
        self.random = Random(seed)
        self.options = Options(bounds=Bounds(queued_messages=50, write_buffer=4096))
        self.world = World(self.options, storage=MemoryStore() if stored else None, auto=not stored)
        self.inline = InlineClient(self.world.broker, "inside")
        self.links: list[Client] = []
        self.steps = 0
        self.asked = asked
        if asked:
            access = Access(methods=frozenset({"M"}), waits=True)
            access.on_connect_authenticate = lambda *_: None
            access.on_acl_check_publish = lambda *_: ASK
            access.on_acl_check_read = lambda session, topic: not topic.startswith("c")
            self.world.broker.set_hooks(
                access, Watch(), Intercept(on_subscribe=lambda *_: LATER, on_will=lambda *_: LATER)
            )

    def sizes(self) -> Counter[str]:
        """Return the sizes of all collections of the broker."""
        gc.collect()
        self.world.broker.drops.take()  # a driver does that after a while
        return sizes(broker=self.world.broker, storage=self.world.storage)

    def round(self, steps: int) -> None:
        """Let clients come, act and go at random, then end everything that they have begun."""
        for _ in range(steps):
            self._step()
            self.steps += 1
        self.end()

    # ---------------------------------------------------------------- what happens

    def _step(self) -> None:
        random = self.random
        self.links = [link for link in self.links if not link.closed]
        ready = [link for link in self.links if link.connection.session is not None]
        what = random.random()
        if what < 0.2 or not ready:
            self._connect()
        elif what < 0.28:
            link = random.choice(ready)
            if random.random() < 0.5:
                link.send(Disconnect())
            if not link.closed:
                link.drop()
        elif what < 0.45:
            self._subscribe(random.choice(ready))
        elif what < 0.85:
            self._publish(random.choice(ready))
        elif what < 0.9:
            self._choke(random.choice(ready))
        elif what < 0.95:
            self._inside()
        else:
            self.world.pass_time(random.choice((0.001, 1, 5, 70, 3000)))
        self._settle(random.random() < 0.7)

    def _connect(self) -> None:
        random = self.random
        name = f"c{random.randrange(30)}" if random.random() < 0.6 else f"n{random.randrange(10**9)}"
        version = random.choice((5, 5, 4, 3))
        link = Client(self.world, version)
        self.links.append(link)
        if random.random() < 0.05:
            return  # it says nothing
        properties = will = None
        if random.random() < 0.3:
            delay = WillProperties(will_delay_interval=random.choice((0, 5, 5000))) if version == V5 else None
            will = Will(self._topic(name), b"gone", random.randrange(3), random.random() < 0.5, delay)
        if version == V5:
            properties = ConnectProperties(
                session_expiry_interval=random.choice((0, 1, 60, 100_000 + random.randrange(100_000), FOREVER)),
                receive_maximum=random.choice((1, 2, 100)),
                topic_alias_maximum=random.choice((0, 3)),
            )
        keep_alive = random.choice((0, 10, 60_000))
        link.send(Connect(name, version, random.random() < 0.4, keep_alive, will=will, properties=properties))

    def _subscribe(self, link: Client) -> None:
        random = self.random
        name = self._name(link)
        filters = [one.format(name) for one in random.sample(FILTERS, random.randrange(1, 4))]
        if random.random() < 0.25:
            link.send(Unsubscribe(random.randrange(1, 100), filters))
            return
        identified = link.version == V5 and random.random() < 0.3
        properties = SubscribeProperties(subscription_identifier=random.randrange(1, 50)) if identified else None
        entries = [Subscription(one, random.randrange(3)) for one in filters]
        link.send(Subscribe(random.randrange(1, 100), entries, properties))

    def _publish(self, link: Client) -> None:
        random = self.random
        name = self._name(link)
        qos = random.randrange(3)
        retain = random.random() < 0.3
        payload = b"" if retain and random.random() < 0.3 else bytes(random.randrange(1, 300))
        properties = None
        if link.version == V5 and random.random() < 0.5:
            properties = PublishProperties(
                message_expiry_interval=random.choice((1, 60, 200_000 - self.steps % 100_000))
            )
        number = random.randrange(1, 50) if qos else 0
        link.send(Publish(self._topic(name), payload, qos, retain, packet_id=number, properties=properties))
        if qos == 2 and random.random() < 0.8 and not link.closed:
            link.send(Pubrel(number))
        elif random.random() < 0.1 and not link.closed:
            link.send(Pingreq())

    def _choke(self, link: Client) -> None:
        """It stops reading, or reads again."""
        connection = link.connection
        if connection.outbox.choked:
            connection.unchoke(self.world.now)
        else:
            connection.choke()
        self.world.turn()

    def _inside(self) -> None:
        random = self.random
        topic_filter = random.choice(FILTERS).format(random.randrange(5))
        if random.random() < 0.5:
            self.inline.subscribe(topic_filter, lambda received: None, self.world.now, identifier=random.randrange(3))
        else:
            self.inline.publish(self._topic("inside"), b"x", self.world.now, qos=1, retain=random.random() < 0.2)
        self.world.turn()

    def _topic(self, name: str) -> str:
        return self.random.choice(TOPICS).format(name)

    def _name(self, link: Client) -> str:
        session = link.connection.session
        return "" if session is None else session.client_id

    def _settle(self, answer: bool) -> None:
        """Let hooks and the store answer, and clients acknowledge what they have read, or some of it."""
        world = self.world
        while world.asks and (answer or len(world.asks) > 20):
            ask = world.asks.pop(0)
            verdict: Any = Verdict(username="anna") if ask.event == "on_connect_authenticate" else None
            if ask.event == "on_acl_check":
                verdict = 0
            world.broker.answer(ask.question, verdict, world.now)
            world.turn()
        journal = world.broker.journal
        while world.commits and (answer or len(world.commits) > 3):
            world.commit(fail=self.random.random() < 0.01)
            if journal is not None and journal.owed:
                journal.retry()  # as `storage.keeper` does after a while
                world.turn()
        for link in self.links:
            got = link.read()
            if link.closed or link.connection.outbox.choked or self.random.random() < 0.2:
                continue  # it never acknowledges what it got
            for packet in got:
                if link.closed:
                    break
                if isinstance(packet, Publish) and packet.qos:
                    link.send((Puback if packet.qos == 1 else Pubrec)(packet.packet_id))
                elif isinstance(packet, Pubrel):
                    link.send(Pubcomp(packet.packet_id))
        world.withdrawn.clear()
        world.notes.clear()

    # ---------------------------------------------------------------- the end

    def end(self) -> None:
        """Let all clients go, and all sessions and retained messages come to their end, by what clients can do."""
        world = self.world
        self.inline.close()
        for link in list(world.clients.values()):
            if not link.closed:
                link.drop()
        self._settle(True)
        world.pass_time(100)
        self._settle(True)
        for name in sorted(world.broker.sessions.by_client_id):
            self._visit(name, None)  # a session without an end is ended by a client that wants a new one
        world.pass_time(LATEST)
        self._settle(True)
        for message in list(world.broker.retained.matching("#", world.now)):
            self._visit("last", Publish(message.topic, b"", retain=True))
        self._settle(True)
        world.pass_time(LATEST)
        self._settle(True)
        self.links.clear()
        world.clients.clear()

    def _visit(self, name: str, packet: Publish | None) -> None:
        link = self.world.link(4)
        link.send(Connect(name, 4, True, 0))
        self._settle(True)
        if packet is not None:
            link.send(packet)
            self._settle(True)
        if not link.closed:
            link.send(Disconnect())
        self._settle(True)
        if not link.closed:
            link.drop()
        self._settle(True)

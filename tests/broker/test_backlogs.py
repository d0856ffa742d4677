# SPDX-License-Identifier: MIT
"""Messages that wait in the store alone: their clients get what they would get if all was in memory."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from mqtt_ref.broker.memory import MemoryStore
from mqtt_ref.engine.access import Access
from mqtt_ref.engine.options import Bounds, Options
from mqtt_ref.ports import QueuePut
from mqtt_ref.wire.packets import (
    Connect,
    ConnectProperties,
    Puback,
    Pubcomp,
    Publish,
    PublishProperties,
    Pubrec,
    Pubrel,
    Subscribe,
    Subscription,
)
from tests.sansio import SECOND, Client, World

HOUR = 3600
MEMBERS = {"a": "t/#", "b": "t/1", "g": "$share/group/t/#", "h": "$share/group/t/#"}
"""By client: its subscription."""
names = st.sampled_from(sorted(MEMBERS))
messages = st.tuples(
    st.integers(0, 2),  # QoS
    st.sampled_from(["t/1", "t/2", "secret"]),
    st.sampled_from([None, 10, 100]),  # Message Expiry Interval
    st.integers(0, 3),  # bytes
    st.integers(0, 3),  # answers of the store
)


def world_of(store: Any, memory: int, bounds: dict[str, int], decisions: dict[str, str], **more: Any) -> World:
    """A world with pages of four messages, so that few are enough to need several."""
    world = World(Options(bounds=Bounds(queued_memory=memory, **bounds), decisions=decisions), storage=store, **more)
    if world.broker.backlogs is not None:
        world.broker.backlogs.page = 4
    return world


def settle(world: World) -> None:
    """Let the store answer everything."""
    world.turn()
    while world.commits or world.reads:
        world.commit() if world.commits else world.read()


class Side:
    """One of two worlds, with its clients."""

    def __init__(self, memory: int, bounds: dict[str, int], decisions: dict[str, str]) -> None:
        self.how = (memory, bounds, decisions)
        self.store = MemoryStore()
        self.secret = False
        self.clients: dict[str, Client] = {}
        self.unfinished: dict[str, list[tuple[type, int]]] = {}
        self.got: list[tuple[str, Any]] = []
        self.start(1000 * SECOND)

    def start(self, now: int) -> None:
        self.world = world_of(self.store, *self.how, now=now, auto=False)
        self.world.broker.set_access(Access(on_acl_check_read=self.may_read))
        self.clients = {}
        self.connect("pub", True)

    def may_read(self, session: object, topic: str) -> bool:
        return topic != "secret" or not self.secret

    def settle(self) -> None:
        settle(self.world)
        for name, client in list(self.clients.items()):
            for packet in client.read():
                self.got.append((name, packet))
                if isinstance(packet, Publish) and packet.qos:
                    self.unfinished[name].append((Puback if packet.qos == 1 else Pubrec, packet.packet_id))
                elif isinstance(packet, Pubrel):
                    self.unfinished[name].append((Pubcomp, packet.packet_id))
            if client.closed:
                del self.clients[name]

    def connect(self, name: str, clean: bool, quota: int = 2, expiry: int = HOUR) -> None:
        link = Client(self.world, 5)
        properties = ConnectProperties(
            session_expiry_interval=0 if name == "pub" else expiry, receive_maximum=20 if name == "pub" else quota
        )
        self.unfinished[name] = []
        link.send(Connect(name, clean_start=clean, properties=properties))
        self.clients[name] = link
        self.settle()
        if name != "pub":
            filters = [Subscription(MEMBERS[name], 2, retain_handling=2)]
            if name == "a":
                filters.append(Subscription("secret", 1, retain_handling=2))
            link.send(Subscribe(1, filters))
            self.settle()


class Lockstep(RuleBasedStateMachine):
    """Two brokers, one of which has room for all messages in memory, and one for nearly none."""

    bounds: dict[str, int] = {}
    decisions: dict[str, str] = {}
    patient = True
    """True if the store of the second may take its time while messages come."""

    def __init__(self) -> None:
        super().__init__()
        self.plain = Side(0, self.bounds, self.decisions)
        self.tight = Side(1, self.bounds, self.decisions)
        self.both = (self.plain, self.tight)
        self.number = 0

    @rule(name=names, clean=st.booleans(), quota=st.sampled_from([1, 2, 30]), expiry=st.sampled_from([HOUR, 20]))
    def connect(self, name: str, clean: bool, quota: int, expiry: int) -> None:
        """Also while it is connected: a takeover."""
        for side in self.both:
            side.connect(name, clean, quota, expiry)

    @rule(name=names)
    def resume(self, name: str) -> None:
        for side in self.both:
            side.connect(name, False)

    @rule(name=names)
    def drop(self, name: str) -> None:
        for side in self.both:
            client = side.clients.pop(name, None)
            if client is not None:
                client.drop()

    @rule(publish=st.lists(messages, min_size=1, max_size=12))
    def publish(self, publish: list[tuple[int, str, int | None, int, int]]) -> None:
        for qos, topic, expiry, size, answers in publish:
            self.number += 1
            properties = None if expiry is None else PublishProperties(message_expiry_interval=expiry)
            packet_id = self.number % 60_000 + 1 if qos else 0
            payload = b"%d" % self.number + b"." * size
            for side in self.both:
                side.clients["pub"].send(Publish(topic, payload, qos, packet_id=packet_id, properties=properties))
                if qos == 2:
                    side.clients["pub"].send(Pubrel(packet_id))
            world = self.tight.world
            for _ in range(answers):
                if world.commits:
                    world.commit()
                elif world.reads:
                    world.read()
            if not self.patient:
                settle(world)

    @rule(name=names, count=st.integers(1, 9))
    def acknowledge(self, name: str, count: int) -> None:
        for side in self.both:
            for _ in range(count):
                client = side.clients.get(name)
                if client is None or not side.unfinished[name]:
                    break
                kind, packet_id = side.unfinished[name].pop(0)
                client.send(kind(packet_id))
                side.settle()

    @rule(name=names, choked=st.booleans())
    def transport(self, name: str, choked: bool) -> None:
        for side in self.both:
            client = side.clients.get(name)
            if client is not None:
                if choked:
                    client.connection.choke()
                else:
                    client.connection.unchoke(side.world.now)

    @rule(seconds=st.sampled_from([1, 11, 30, 2 * HOUR]))
    def pass_time(self, seconds: int) -> None:
        for side in self.both:
            side.world.pass_time(seconds)

    @rule(secret=st.booleans())
    def other_rules(self, secret: bool) -> None:
        for side in self.both:
            side.secret = secret
            side.world.broker.rules_changed()

    @rule()
    def restart(self) -> None:
        for side in self.both:
            side.start(side.world.now)

    @rule(name=names)
    def remove(self, name: str) -> None:
        for side in self.both:
            side.world.broker.sessions.remove(name, side.world.now)

    @invariant()
    def same(self) -> None:
        for side in self.both:
            side.settle()
        assert self.tight.got == self.plain.got
        for side in self.both:
            side.got.clear()
        assert self.tight.clients.keys() == self.plain.clients.keys()
        self.same_sessions()
        self.same_records()

    def same_sessions(self) -> None:
        plain, tight = (side.world.broker for side in self.both)
        assert plain.sessions.by_client_id.keys() == tight.sessions.by_client_id.keys()
        totals = [0, 0, 0]
        for session in tight.sessions.by_client_id.values():
            totals[0] += session.queued
            totals[1] += session.queued_bytes
            if session.backlog is not None:
                totals[2] += session.backlog.count
                assert not session.backlog.tail
        counters = tight.counters
        assert totals == [counters.messages_queued, counters.queued_bytes, counters.queued_in_store]
        in_memory = counters.messages_queued - counters.queued_in_store
        assert in_memory <= 4 * tight.sessions.connected, "only what the next page holds"

    def same_records(self) -> None:
        """The same is stored, but for messages that have expired: some are dropped sooner."""
        now = self.plain.world.now

        def of(side: Side) -> list[str]:
            return sorted(
                repr(record)
                for record in side.store.load()
                if not (isinstance(record, QueuePut) and 0 < record.message.expires_at <= now)
            )

        assert of(self.tight) == of(self.plain)


class Newest(Lockstep):
    bounds = {"queued_messages": 9}
    patient = False


class Oldest(Lockstep):
    bounds = {"queued_messages": 9, "queued_bytes": 60}
    decisions = {"queue_full": "oldest"}
    patient = False


class Queued(Lockstep):
    decisions = {"offline_qos0": "queue"}


@pytest.mark.parametrize("machine", [Lockstep, Newest, Oldest, Queued])
def test_clients_see_no_difference(machine: type[Lockstep]) -> None:
    run_state_machine_as_test(machine, settings=settings(max_examples=60, stateful_step_count=40))

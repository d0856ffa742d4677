# SPDX-License-Identifier: MIT
"""Messages that wait in the store alone: their clients get what they would get if all was in memory."""

from __future__ import annotations

from typing import Any, ClassVar

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from mqtt_ref.broker.memory import MemoryStore
from mqtt_ref.engine.access import Access
from mqtt_ref.engine.message import OVERHEAD
from mqtt_ref.engine.options import Bounds, Options
from mqtt_ref.engine.session import Session
from mqtt_ref.ports import InflightPut, QueueDelete, QueuePut, ReceivedPut, Record, SubscriptionPut
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
    Unsubscribe,
)
from tests.held import held
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

    bounds: ClassVar[dict[str, int]] = {}
    decisions: ClassVar[dict[str, str]] = {}
    patient = True
    """True if the store of the second may take its time while messages come."""

    def __init__(self) -> None:
        super().__init__()
        self.plain = Side(0, self.bounds, self.decisions)
        self.tight = Side(1, self.bounds, self.decisions)
        self.both = (self.plain, self.tight)
        self.number = 0

    @initialize(away=st.sets(names))
    def begin(self, away: set[str]) -> None:
        """All have a session, some of them without being connected."""
        for side in self.both:
            for name in MEMBERS:
                side.connect(name, True)
            for name in sorted(away):
                side.clients.pop(name).drop()

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

    @rule(name=names, what=st.sampled_from(["choke", "rules", "restart", "remove", "second", "minute", "hours"]))
    def sometimes(self, name: str, what: str) -> None:
        for side in self.both:
            world = side.world
            if what == "choke":
                client = side.clients.get(name)
                if client is not None and client.connection.outbox.choked:
                    client.connection.unchoke(world.now)
                elif client is not None:
                    client.connection.choke()
            elif what == "rules":
                side.secret = not side.secret
                world.broker.rules_changed()
            elif what == "restart":
                side.start(world.now)
            elif what == "remove":
                world.broker.sessions.remove(name, world.now)
            else:
                world.auto = True  # a session whose end takes until the next one ends would be another story
                world.pass_time({"second": 1, "minute": 60, "hours": 2 * HOUR}[what])
                world.auto = False

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
        for broker in (plain, tight):
            assert {"state": broker.budget.state, "messages": broker.budget.messages} == held(broker)
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
        """The same is stored in the same order, but for messages that have expired: some are dropped sooner."""
        now = self.plain.world.now

        def of(side: Side) -> list[Record]:
            return [
                record._replace(order=0) if isinstance(record, QueuePut | InflightPut) else record
                for record in side.store.load()
                if not (isinstance(record, QueuePut) and 0 < record.message.expires_at <= now)
            ]

        assert of(self.tight) == of(self.plain)


class Newest(Lockstep):
    bounds: ClassVar = {"queued_messages": 9}
    patient = False


class Oldest(Lockstep):
    bounds: ClassVar = {"queued_messages": 9, "queued_bytes": 6 * OVERHEAD + 40}
    decisions: ClassVar = {"queue_full": "oldest"}
    patient = False


class Queued(Lockstep):
    decisions: ClassVar = {"offline_qos0": "queue"}


class Haste(RuleBasedStateMachine):
    """A store that answers when it likes, fails, or loses its broker; clients that come and go meanwhile.

    What was acknowledged is delivered, in order.
    """

    lowest = 1
    """The lowest QoS."""

    def __init__(self) -> None:
        super().__init__()
        self.store = MemoryStore()
        self.number = 0
        self.accepted: set[int] = set()
        """Numbers of the messages that were acknowledged."""
        self.pending: dict[int, int] = {}
        """By Packet Identifier: the message that was not yet."""
        self.delivered: dict[str, list[int]] = {name: [] for name in "ab"}
        self.held: dict[str, set[int]] = {name: set() for name in "ab"}
        """Packet Identifiers of QoS 2 messages that await PUBREL."""
        self.clients: dict[str, Client] = {}
        self.answers: dict[str, list[Any]] = {}
        self.start(1000 * SECOND)
        for name in "ab":
            self.connect(name, 3)
            settle(self.world)
            self.clients[name].send(Subscribe(1, [Subscription("#", 2)]))
            settle(self.world)
            self.look()

    def start(self, now: int) -> None:
        self.world = world_of(self.store, 1, {}, {}, now=now, auto=False)
        self.clients = {}

    def look(self) -> None:
        """Read what came, and note what is to be answered."""
        for name, client in list(self.clients.items()):
            for packet in client.read():
                if name == "pub":
                    if isinstance(packet, Puback | Pubrec) and packet.packet_id in self.pending:
                        number = self.pending.pop(packet.packet_id)
                        if packet.reason_code < 0x80:
                            self.accepted.add(number)
                            if isinstance(packet, Pubrec):
                                client.send(Pubrel(packet.packet_id))
                elif isinstance(packet, Publish):
                    if packet.qos == 1 or packet.packet_id not in self.held[name]:
                        self.delivered[name].append(int(packet.payload))
                    if packet.qos == 2:
                        self.held[name].add(packet.packet_id)
                    self.answers[name].append((Puback if packet.qos == 1 else Pubrec)(packet.packet_id))
                elif isinstance(packet, Pubrel):
                    self.held[name].discard(packet.packet_id)
                    self.answers[name].append(Pubcomp(packet.packet_id))
            if client.closed:
                del self.clients[name]

    @rule(name=st.sampled_from("ab"), quota=st.sampled_from([1, 3, 30]))
    def connect(self, name: str, quota: int) -> None:
        link = Client(self.world, 5)
        self.look()
        properties = ConnectProperties(session_expiry_interval=HOUR, receive_maximum=quota)
        link.send(Connect(name, clean_start=False, properties=properties))
        self.answers[name] = []
        self.clients[name] = link

    @rule(name=st.sampled_from("ab"))
    def drop(self, name: str) -> None:
        self.look()
        client = self.clients.pop(name, None)
        if client is not None:
            client.drop()

    @rule(count=st.integers(1, 9), qos=st.integers(1, 2))
    def publish(self, count: int, qos: int) -> None:
        qos = max(qos, self.lowest)
        self.look()
        if "pub" not in self.clients:
            self.pending.clear()
            self.clients["pub"] = Client(self.world, 5)
            self.clients["pub"].send(Connect("pub"))
        for _ in range(count):
            self.number += 1
            packet_id = self.number % 60_000 + 1
            self.pending[packet_id] = self.number
            self.clients["pub"].send(Publish("t", b"%d" % self.number, qos, packet_id=packet_id))

    @rule(name=st.sampled_from("ab"), count=st.integers(1, 5))
    def acknowledge(self, name: str, count: int) -> None:
        self.look()
        for _ in range(count):
            if name in self.clients and self.answers[name]:
                self.clients[name].send(self.answers[name].pop(0))
                self.look()

    @rule(count=st.integers(1, 3), reads=st.booleans())
    def answer(self, count: int, reads: bool) -> None:
        world = self.world
        for _ in range(count):
            if reads and world.reads:
                world.read()
            elif world.commits:
                world.commit()

    @invariant()
    def counted(self) -> None:
        broker = self.world.broker
        assert {"state": broker.budget.state, "messages": broker.budget.messages} == held(broker)

    @rule(what=st.sampled_from(["commit", "commit that was made", "read", "retry", "crash"]))
    def goes_wrong(self, what: str) -> None:
        world = self.world
        if what == "read" and world.reads:
            world.read(fail=True)
        elif what == "commit" and world.commits:
            world.commit(fail=True)
        elif what == "commit that was made" and world.commits:
            self.store.commit(0, world.commits[0].records)  # type: ignore[arg-type]
            world.commit(fail=True)
        elif what == "retry":
            self.retry()
        elif what == "crash":
            self.look()
            self.start(world.now)

    def retry(self) -> None:
        broker = self.world.broker
        assert broker.journal is not None
        assert broker.backlogs is not None
        broker.backlogs.retry()
        broker.journal.retry()
        self.world.turn()

    def teardown(self) -> None:
        """In the end all is as if nothing had gone wrong."""
        for _ in range(3):
            settle(self.world)
            self.retry()
        settle(self.world)
        for name in "ab":
            self.connect(name, 3)
        while True:
            settle(self.world)
            self.look()
            if not any(self.answers.values()):
                break
            for name in "ab":
                self.acknowledge(name, 5)
        for name in "ab":
            numbers = self.delivered[name]
            assert self.accepted <= set(numbers)
            first = list(dict.fromkeys(numbers))
            assert first == sorted(first)
        counters = self.world.broker.counters
        assert (counters.messages_queued, counters.queued_bytes, counters.queued_in_store) == (0, 0, 0)
        assert not any(isinstance(record, QueuePut | InflightPut) for record in self.store.load())


class Twice(Haste):
    """With QoS 2 only: each message once."""

    lowest = 2

    def teardown(self) -> None:
        super().teardown()
        for numbers in self.delivered.values():
            assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize("machine", [Haste, Twice])
def test_nothing_is_lost_whenever_the_store_answers(machine: type[Haste]) -> None:
    run_state_machine_as_test(machine, settings=settings(max_examples=30, stateful_step_count=40))


@pytest.mark.parametrize("machine", [Lockstep, Newest, Oldest, Queued])
def test_clients_see_no_difference(machine: type[Lockstep]) -> None:
    run_state_machine_as_test(machine, settings=settings(max_examples=30, stateful_step_count=30))


# -------------------------------------------------------------------- one story each

KEEP = ConnectProperties(session_expiry_interval=HOUR)


def away_with(count: int, memory: int = 1, **bounds: int) -> tuple[World, Client]:
    """A world whose store answers by hand, with a client `a` that is away and messages for it: 1, 2 and so on."""
    world = world_of(MemoryStore(), memory, bounds, {}, auto=False)
    for name in ("a", "pub"):
        client = Client(world, 5)
        client.send(Connect(name, properties=KEEP if name == "a" else None))
        settle(world)
        client.read()
        if name == "a":
            client.send(Subscribe(1, [Subscription("#", 2)]))
            settle(world)
            client.drop()
    publish(world, client, 1, count)
    settle(world)
    return world, client


def publish(world: World, client: Client, first: int, last: int) -> None:
    for number in range(first, last + 1):
        client.send(Publish("t", b"%d" % number, 1, packet_id=number))


def back(world: World, quota: int, **more: Any) -> Client:
    """`a` connects again; nothing is answered yet."""
    client = Client(world, 5)
    properties = ConnectProperties(session_expiry_interval=HOUR, receive_maximum=quota)
    client.send(Connect("a", clean_start=False, properties=properties, **more))
    return client


def drain(world: World, client: Client) -> list[int]:
    """The messages that come to a client that acknowledges each."""
    found: list[int] = []
    while True:
        settle(world)
        packets = [packet for packet in client.read() if isinstance(packet, Publish)]
        if not packets:
            return found
        for packet in packets:
            found.append(int(packet.payload))
            client.send(Puback(packet.packet_id))


def retry(world: World) -> None:
    """What a driver does a while after a failure."""
    assert world.broker.journal is not None
    assert world.broker.backlogs is not None
    world.broker.backlogs.retry()
    world.broker.journal.retry()
    world.turn()
    settle(world)


def session_of(world: World) -> Session:
    return world.broker.sessions.by_client_id["a"]


def test_a_queue_is_read_in_pages_as_the_client_takes_it() -> None:
    world, _ = away_with(20)
    client = back(world, 1)
    settle(world)
    session = session_of(world)
    assert (len(session.inflight), session.queued, world.broker.counters.queued_in_store) == (1, 19, 16)
    assert drain(world, client) == list(range(1, 21))
    assert session.queue is None
    assert session.backlog is None


def test_messages_stay_in_memory_until_the_store_has_them() -> None:
    world, pub = away_with(1)
    publish(world, pub, 2, 3)
    session = session_of(world)
    assert session.backlog is not None
    assert (session.backlog.count, len(session.backlog.tail)) == (1, 2)
    world.commit()
    assert (session.backlog.count, len(session.backlog.tail)) == (2, 1)
    world.commit(fail=True)
    assert (session.backlog.count, len(session.backlog.tail)) == (2, 1)
    retry(world)
    assert (session.backlog.count, len(session.backlog.tail)) == (3, 0)
    assert drain(world, back(world, 30)) == [1, 2, 3]


def test_a_client_that_leaves_while_its_queue_is_read() -> None:
    world, _ = away_with(10)
    client = back(world, 1)
    settle(world)
    client.send(Puback(client.read()[1].packet_id))
    assert world.reads, "the next page was asked for"
    client.drop()
    assert len(session_of(world).queue or ()) == 0
    client = back(world, 1)
    assert drain(world, client) == list(range(2, 11))


def test_a_client_that_leaves_before_its_queue_is_stored() -> None:
    world, pub = away_with(0)
    client = back(world, 1)
    settle(world)
    publish(world, pub, 1, 3)
    client.drop()
    assert len(session_of(world).queue or ()) == 2
    while world.commits:
        world.commit(fail=True)
    retry(world)
    assert drain(world, back(world, 30)) == [1, 2, 3]


def test_a_commit_that_failed_though_it_was_made() -> None:
    """Its messages are in the store and in memory, and come once."""
    world, pub = away_with(5)
    client = back(world, 1)
    settle(world)
    publish(world, pub, 6, 8)
    while world.commits:
        assert isinstance(world.storage, MemoryStore)
        world.storage.commit(0, world.commits[0].records)  # type: ignore[arg-type]
        world.commit(fail=True)
    client.send(Puback(client.read()[1].packet_id))
    assert world.reads
    world.read()
    session = session_of(world)
    assert session.backlog is not None
    assert (session.backlog.count, len(session.backlog.tail), session.queued) == (0, 3, 6)
    assert drain(world, client) == list(range(2, 9))


@pytest.mark.parametrize("before", [0, 1])
def test_a_commit_that_failed_before_one_that_did_not(before: int) -> None:
    """What it had is still in memory: a repeat of a QoS 2 message would not be delivered again."""
    world, pub = away_with(before)
    publish(world, pub, 2, 2)
    publish(world, pub, 3, 3)
    world.commit(fail=True)
    world.commit()
    retry(world)
    session = session_of(world)
    assert session.backlog is not None
    assert (session.backlog.count, len(session.backlog.tail)) == (before + 2, 0)
    assert drain(world, back(world, 30)) == [1, 2, 3][1 - before :]


@pytest.mark.parametrize("how", ["clean", "expired", "removed"])
def test_a_session_that_ends_while_its_queue_is_read(how: str) -> None:
    world, pub = away_with(10)
    client = back(world, 1)
    while world.commits:
        world.commit()
    if how == "clean":
        client = Client(world, 5)
        client.send(Connect("a", properties=KEEP))
    elif how == "expired":
        client.drop()
        world.pass_time(HOUR + 1)
        client = back(world, 1)
    else:
        world.broker.sessions.remove("a", world.now)
        client = back(world, 1)
    client.send(Subscribe(1, [Subscription("#", 2)]))
    publish(world, pub, 11, 12)
    settle(world)
    assert drain(world, client) == [11, 12]
    counters = world.broker.counters
    assert (counters.messages_queued, counters.queued_bytes, counters.queued_in_store) == (0, 0, 0)


def test_a_taken_over_session_goes_on_where_it_was() -> None:
    world, _ = away_with(10)
    first = back(world, 1)
    while world.commits:
        world.commit()
    second = back(world, 30)
    assert drain(world, second) == list(range(1, 11))
    assert first.closed


def test_a_reading_that_fails_is_repeated() -> None:
    world, pub = away_with(3)
    pub.read()
    client = back(world, 30)
    world.read(fail=True)
    assert world.broker.store_fails
    publish(world, pub, 4, 4)
    assert pub.one(Puback).reason_code == 0x83
    assert drain(world, client) == []
    retry(world)
    assert not world.broker.store_fails
    assert drain(world, client) == [1, 2, 3]


def test_messages_that_the_store_has_lost_are_not_waited_for() -> None:
    world, pub = away_with(6)
    store = world.storage
    assert isinstance(store, MemoryStore)
    store.commit(0, [QueueDelete("a", order) for order in (2, 5, 6)])
    client = back(world, 30)
    assert drain(world, client) == [1, 3, 4]
    counters = world.broker.counters
    assert (counters.messages_queued, counters.queued_bytes, counters.queued_in_store) == (0, 0, 0)
    publish(world, pub, 7, 7)
    assert drain(world, client) == [7]


def test_a_failed_batch_of_a_session_that_is_in_the_store_alone() -> None:
    """All that it was about is stored again, and nothing is deleted that only the store has."""
    world, pub = away_with(12)
    client = back(world, 2)
    client.send(
        Subscribe(2, [Subscription("old", 0), Subscription("other", 0)]), Publish("own", b"100", 2, packet_id=5)
    )
    settle(world)
    sent = [packet for packet in client.read() if isinstance(packet, Publish)]
    client.send(Subscribe(3, [Subscription("new", 1)]), Unsubscribe(4, ["old"]))
    client.send(Puback(sent[0].packet_id), Pubrel(5), Publish("own", b"101", 2, packet_id=6))
    publish(world, pub, 13, 13)
    while world.commits:
        world.commit(fail=True)
    retry(world)
    session = session_of(world)
    assert session.backlog is not None
    assert session.backlog.count
    stored = list(world.storage.load())  # type: ignore[union-attr]
    filters = {record.topic_filter for record in stored if isinstance(record, SubscriptionPut)}
    assert filters == {"#", "other", "new"} == session.subscriptions.keys()
    flying = {record.packet_id: record.state for record in stored if isinstance(record, InflightPut)}
    assert flying == {packet_id: delivery.state for packet_id, delivery in session.inflight.items()}
    assert {record.packet_id for record in stored if isinstance(record, ReceivedPut)} == {6} == session.received.keys()
    waiting = [int(record.message.payload) for record in stored if isinstance(record, QueuePut)]
    assert waiting == [*range(4, 13), 100, 101, 13]
    assert session.queued == len(waiting)


class Plain:
    """A store from outside, without `load_queue`."""

    def __init__(self, store: MemoryStore) -> None:
        self.open, self.load, self.commit, self.close = store.open, store.load, store.commit, store.close


def test_with_a_store_that_has_no_pages_all_is_in_memory() -> None:
    store = MemoryStore()
    for _ in range(2):
        world = world_of(Plain(store), 1, {}, {})
        if "a" not in world.broker.sessions.by_client_id:
            client = world.client("a", properties=KEEP)
            client.subscribe("#", 1)
            client.drop()
            for _ in range(5):
                world.client("pub").publish("t", b"x", 1)
        assert len(session_of(world).queue or ()) == 5
    assert len(world.client("a", clean_start=False).payloads()) == 5


def test_a_message_is_stored_once_however_many_sessions_wait() -> None:
    """Also when it comes back from the store."""
    world = world_of(MemoryStore(), 1, {}, {})
    for name in ("x", "y"):
        client = world.client(name, properties=KEEP)
        client.subscribe("#", 1)
        client.drop()
    world.client("pub").publish("t", b"x", 1)
    x = world.client("x", clean_start=False, properties=KEEP)
    stored = [record for record in world.storage.load() if isinstance(record, QueuePut | InflightPut)]  # type: ignore[union-attr]
    assert {type(record) for record in stored} == {QueuePut, InflightPut}
    assert len({record.message.ident for record in stored}) == 1
    assert x.payloads() == [b"x"]

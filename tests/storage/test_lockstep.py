# SPDX-License-Identifier: MIT
"""Every back end beside the memory store: after any batches, with reopening between them, both hold the same."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from mqtt_ref.broker.memory import MemoryStore
from mqtt_ref.ports import (
    InflightDelete,
    InflightPut,
    QueueDelete,
    QueuePut,
    ReceivedDelete,
    ReceivedPut,
    Record,
    RetainedDelete,
    RetainedPut,
    SessionDelete,
    SessionPut,
    StoredMessage,
    SubscriptionDelete,
    SubscriptionPut,
    TotalsPut,
)
from mqtt_ref.storage.store import Store
from mqtt_ref.wire.packets import Will, WillProperties
from tests.storage.backends import Backend, backends

CLIENTS = ["a", "b", "", "client/of ü", "a" * 199, "a" * 200, "a" * 201, "long" * 1000]
TOPICS = ["t", "t/u", "$x", "ü" * 99, "t" * 200, "t" * 201, "level/" * 800]
names = st.sampled_from(CLIENTS)
actors = st.integers(0, 3)
"""One of the sessions that there are."""
topics = st.sampled_from(TOPICS)
times = st.integers(0, 2**62)
packet_ids = st.sampled_from([1, 2, 256, 65_535])
groups = st.sampled_from(["", "$share/g/t"])
identifiers = st.lists(st.integers(1, 268_435_455), max_size=2).map(tuple)
wills = st.none() | st.builds(
    Will,
    topics,
    st.binary(max_size=5),
    st.integers(0, 2),
    st.booleans(),
    st.none() | st.builds(WillProperties, will_delay_interval=st.none() | st.integers(0, 2**32 - 1)),
)


class Lockstep(RuleBasedStateMachine):
    """Makes batches as the journal does.

    Idents and orders grow, nothing belongs to a session that is not there, and a flight of another message is deleted
    before its packet identifier is used again.
    """

    backend: Backend

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="mqtt_ref-"))
        self.model = MemoryStore()
        self.store: Store | None = None
        self.messages: list[StoredMessage] = []
        self.batch: list[Record] = []
        self.sessions: set[str] = set()
        self.queues: dict[str, list[int]] = {}
        self.waiting: dict[int, StoredMessage] = {}
        self.flights: dict[tuple[str, int], int] = {}
        """By client and packet identifier: the message in flight."""
        self.order = 0
        self.number = 0

    @initialize()
    def start(self) -> None:
        self.backend.begin(self.folder)
        self.store = self.backend.store()
        self.store.open()

    def teardown(self) -> None:
        if self.store is not None:
            self.store.close()
        shutil.rmtree(self.folder)

    # ---------------------------------------------------------------- records

    @rule(
        topic=topics,
        payload=st.binary(max_size=9),
        big=st.booleans(),
        qos=st.integers(0, 2),
        retain=st.booleans(),
        properties=st.sampled_from([b"", b"\x01\x01"]),
        publisher=names,
        arrived=times,
        expires=times,
    )
    def message(self, topic: str, **fields: Any) -> None:
        number = len(self.messages) + 1
        one = StoredMessage(
            number,
            topic,
            fields["payload"] * (9000 if fields["big"] else 1),
            fields["qos"],
            fields["retain"],
            fields["properties"],
            fields["publisher"],
            fields["arrived"],
            fields["expires"],
        )
        self.messages.append(one)

    def who(self, actor: int) -> str:
        if not self.sessions:
            self.session(CLIENTS[actor], 5, "", 60, (0, 0), None, True)
        return sorted(self.sessions)[actor % len(self.sessions)]

    def one(self, data: st.DataObject) -> StoredMessage:
        if not self.messages:
            self.message(
                "t", payload=b"", big=False, qos=1, retain=False, properties=b"", publisher="", arrived=1, expires=0
            )
        return data.draw(st.sampled_from(self.messages[-3:]))

    @rule(
        client=names,
        version=st.sampled_from([3, 4, 5]),
        username=st.sampled_from(["", "u"]),
        expiry=st.integers(0, 2**32 - 1),
        times=st.tuples(times, times),
        will=wills,
        connected=st.booleans(),
    )
    def session(
        self, client: str, version: int, username: str, expiry: int, times: Any, will: Any, connected: bool
    ) -> None:
        self.sessions.add(client)
        self.batch.append(SessionPut(client, version, username, expiry, times[0], will, times[1], connected))

    @rule(actor=actors)
    def session_gone(self, actor: int) -> None:
        client = self.who(actor)
        self.sessions.discard(client)
        self.queues.pop(client, None)
        self.flights = {flight: ident for flight, ident in self.flights.items() if flight[0] != client}
        self.batch.append(SessionDelete(client))

    @rule(actor=actors, topic=topics, options=st.integers(0, 255), identifier=st.integers(0, 268_435_455))
    def subscription(self, actor: int, topic: str, options: int, identifier: int) -> None:
        client = self.who(actor)
        self.batch.append(SubscriptionPut(client, topic, options, identifier))

    @rule(actor=actors, topic=topics)
    def subscription_gone(self, actor: int, topic: str) -> None:
        client = self.who(actor)
        self.batch.append(SubscriptionDelete(client, topic))

    @rule(data=st.data(), qos=st.integers(0, 2), retain=st.booleans(), identifiers=identifiers, group=groups)
    def publish(self, data: st.DataObject, qos: int, retain: bool, identifiers: Any, group: str) -> None:
        """One message for any number of sessions."""
        message = self.one(data)
        for client in sorted(self.sessions):
            if data.draw(st.booleans()):
                self.order += 1
                self.queues.setdefault(client, []).append(self.order)
                self.waiting[self.order] = message
                self.batch.append(QueuePut(client, self.order, message, qos, retain, identifiers, group))

    @rule(actor=actors, packet_id=packet_ids, data=st.data(), qos=st.integers(1, 2), state=st.integers(0, 9))
    def send(self, actor: int, packet_id: int, data: st.DataObject, qos: int, state: int) -> None:
        client = self.who(actor)
        self.order += 1
        self.fly(client, packet_id, state, self.order, self.one(data), qos)

    def fly(self, client: str, packet_id: int, state: int, order: int, message: StoredMessage, qos: int) -> None:
        if self.flights.setdefault((client, packet_id), message.ident) != message.ident:
            self.batch.append(InflightDelete(client, packet_id))
            self.flights[client, packet_id] = message.ident
        self.batch.append(InflightPut(client, packet_id, state, order, message, qos, False, (), ""))

    @rule(actor=actors, packet_id=packet_ids)
    def sent(self, actor: int, packet_id: int) -> None:
        client = self.who(actor)
        self.flights.pop((client, packet_id), None)
        self.batch.append(InflightDelete(client, packet_id))

    @rule(actor=actors, place=st.integers(0, 5))
    def taken(self, actor: int, place: int) -> None:
        """A message leaves its queue."""
        client = self.who(actor)
        orders = self.queues.get(client)
        if orders:
            self.batch.append(QueueDelete(client, orders.pop(place % len(orders))))

    @rule(actor=actors, packet_id=packet_ids)
    def taken_and_sent(self, actor: int, packet_id: int) -> None:
        """The first message of a queue is sent."""
        client = self.who(actor)
        orders = self.queues.get(client)
        if orders:
            order = orders.pop(0)
            self.batch.append(QueueDelete(client, order))
            self.fly(client, packet_id, 1, order, self.waiting[order], 1)

    @rule(actor=actors, packet_id=packet_ids)
    def received(self, actor: int, packet_id: int) -> None:
        client = self.who(actor)
        self.batch.append(ReceivedPut(client, packet_id))

    @rule(actor=actors, packet_id=packet_ids)
    def released(self, actor: int, packet_id: int) -> None:
        client = self.who(actor)
        self.batch.append(ReceivedDelete(client, packet_id))

    @rule(data=st.data())
    def retain(self, data: st.DataObject) -> None:
        self.batch.append(RetainedPut(self.one(data)))

    @rule(topic=topics)
    def retained_gone(self, topic: str) -> None:
        self.batch.append(RetainedDelete(topic))

    @rule(totals=st.dictionaries(st.sampled_from(["a", "b"]), st.integers(0, 2**63)))
    def totals(self, totals: dict[str, int]) -> None:
        self.batch.append(TotalsPut(tuple(totals.items())))

    # ---------------------------------------------------------------- what happens to them

    @rule()
    def commit_sooner(self) -> None:
        self.commit()

    @rule()
    def commit(self) -> None:
        assert self.store is not None
        self.number += 1
        self.model.commit(self.number, self.batch)
        self.store.commit(self.number, self.batch)
        self.batch = []

    @rule()
    def reopen(self) -> None:
        assert self.store is not None
        self.store.close()
        self.store = self.backend.store()
        self.store.open()
        self.same()

    @rule(actor=actors, after=st.integers(0, 60), messages=st.integers(1, 5), size=st.sampled_from([1, 20_000, 2**62]))
    def part_of_a_queue(self, actor: int, after: int, messages: int, size: int) -> None:
        assert self.store is not None
        self.commit()
        client = self.who(actor)
        found = self.store.load_queue(client, after, messages, size)
        assert found == self.model.load_queue(client, after, messages, size)

    @invariant()
    def forgets(self) -> None:
        """What the store remembers of its keys may be gone at any time."""
        if self.store is not None and self.number % 5 == 4:
            self.store._forget()

    @invariant()
    def same(self) -> None:
        if self.store is None or self.batch:
            return
        before = dict(self.store.back_end.scan(b""))
        assert sorted(map(repr, self.store.load())) == sorted(map(repr, self.model.load()))
        found = [record for record in self.store.load() if not isinstance(record, RetainedPut | TotalsPut)]
        where = {record.client_id: at for at, record in enumerate(found) if isinstance(record, SessionPut)}
        flights: dict[str, int] = {}
        queues: dict[str, int] = {}
        for at, record in enumerate(found):
            assert at >= where[record.client_id]
            orders = flights if isinstance(record, InflightPut) else queues
            if isinstance(record, InflightPut | QueuePut):
                assert orders.get(record.client_id, 0) < record.order
                orders[record.client_id] = record.order
        # The load deletes what is left over: a message that nothing refers to, say. There is to be no such.
        assert dict(self.store.back_end.scan(b"")) == before


@pytest.mark.parametrize("backend", backends(), ids=str)
def test_a_back_end_holds_what_the_memory_store_holds(backend: Backend, require: Any) -> None:
    backend.need(require)
    machine = type("Machine", (Lockstep,), {"backend": backend})
    with backend:
        run_state_machine_as_test(machine, settings=settings(max_examples=backend.examples, stateful_step_count=60))

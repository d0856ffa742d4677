# SPDX-License-Identifier: MIT
"""Nothing leaves before what it promises is stored: stores that commit late, out of step, never, or not at all."""

from __future__ import annotations

import pytest

from mqtt_ref.broker.memory import MemoryStore
from mqtt_ref.engine.options import Bounds, Options
from mqtt_ref.engine.tables import TABLES, changed
from mqtt_ref.ports import (
    InflightPut,
    QueueDelete,
    QueuePut,
    ReceivedDelete,
    ReceivedPut,
    RetainedPut,
    SessionDelete,
    SessionPut,
    SubscriptionPut,
)
from mqtt_ref.wire.packets import (
    Connect,
    ConnectProperties,
    Disconnect,
    Pingreq,
    Pingresp,
    Puback,
    Pubcomp,
    Publish,
    PublishProperties,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Subscription,
    Will,
    WillProperties,
)
from tests.sansio import SECOND, Client, World

KEEP = ConnectProperties(session_expiry_interval=3600)


def start(batches: int = 4) -> tuple[World, Client, Client]:
    """A world whose store answers by hand, with a subscriber that outlives its connection and a publisher."""
    world = World(Options(bounds=Bounds(batches=batches)), storage=MemoryStore())
    sub = world.client("sub", properties=KEEP)
    sub.subscribe("t", 2)
    pub = world.client("pub")
    world.auto = False
    return world, sub, pub


def test_acknowledgement_and_delivery_wait_for_the_commit() -> None:
    world, sub, pub = start()
    pub.send(Publish("t", b"1", 1, packet_id=5))
    assert pub.read() == []
    assert sub.read() == []
    (commit,) = world.commits
    assert [type(record) for record in commit.records] == [InflightPut]
    world.commit()
    assert pub.read() == [Puback(5)]
    assert sub.read() == [Publish("t", b"1", 1, packet_id=1)]


def test_others_do_not_wait() -> None:
    world, sub, pub = start()
    pub.send(Publish("t", b"1", 1, packet_id=5))
    other = world.client("other")
    other.subscribe("u", 1)
    other.publish("u", b"mine", 1)
    assert other.payloads() == [b"mine"]
    assert other.ask(Pingreq()) == Pingresp()
    assert sub.read() == pub.read() == []


def test_output_keeps_its_order_behind_a_batch() -> None:
    world, sub, pub = start()
    pub.send(Publish("t", b"1", 1, packet_id=5))
    pub.send(Pingreq())
    pub.send(Publish("t", b"2", 0))
    assert pub.read() == sub.read() == []
    world.commit()
    assert pub.read() == [Puback(5), Pingresp()]
    assert [p.payload for p in sub.read()] == [b"1", b"2"]
    assert pub.ask(Pingreq()) == Pingresp()


def test_batches_that_commit_out_of_step() -> None:
    world, sub, pub = start()
    other = world.client("other", clean_start=True)
    pub.send(Publish("t", b"1", 1, packet_id=1))
    other.send(Publish("t", b"2", 1, packet_id=2))
    assert [commit.batch for commit in world.commits] == sorted(commit.batch for commit in world.commits)
    assert len(world.commits) == 2
    world.commit(at=1)
    assert other.read() == [Puback(2)]
    assert pub.read() == []
    assert sub.read() == [], "the subscriber waits for the first batch too"
    world.commit()
    assert pub.read() == [Puback(1)]
    assert [p.payload for p in sub.read()] == [b"1", b"2"]


def test_batches_under_way_are_bounded_and_gather_what_comes() -> None:
    world, sub, pub = start(batches=1)
    for n in range(1, 6):
        pub.send(Publish("t", b"%d" % n, 1, packet_id=n))
    assert len(world.commits) == 1
    world.commit()
    assert pub.read() == [Puback(1)]
    (second,) = world.commits
    assert len(second.records) == 4
    world.commit()
    assert pub.read() == [Puback(n) for n in range(2, 6)]
    assert len(sub.read()) == 5


def test_a_store_that_never_answers() -> None:
    world, sub, pub = start(batches=2)
    for n in range(1, 50):
        pub.send(Publish("t", b"x", 1, packet_id=n))
    assert pub.read() == sub.read() == []
    assert len(world.commits) == 2
    other = world.client("other")
    assert other.ask(Pingreq()) == Pingresp()
    sub.drop()
    pub.drop()
    assert not other.closed


def test_a_failed_commit_closes_who_waited() -> None:
    world, sub, pub = start()
    other = world.client("other")
    pub.send(Publish("t", b"1", 1, packet_id=5))
    world.commit(fail=True)
    assert pub.closed
    assert sub.closed
    assert pub.read() == sub.read() == []
    assert not other.closed
    assert world.broker.counters.commits_failed == 1
    assert other.ask(Pingreq()) == Pingresp()


def test_pubrec_and_pubrel_states_are_stored_before_they_are_sent() -> None:
    world, sub, pub = start()
    pub.send(Publish("t", b"1", 2, packet_id=5))
    world.commit()
    assert pub.one() == Pubrec(5)
    packet_id = sub.one(Publish).packet_id
    sub.send(Pubrec(packet_id))
    assert sub.read() == []
    (commit,) = world.commits
    (record,) = commit.records
    assert isinstance(record, InflightPut)
    assert record.packet_id == packet_id
    world.commit()
    assert sub.one() == Pubrel(packet_id)


def test_received_identifiers_are_stored_for_publishers_that_stay() -> None:
    world, sub, pub = start()
    world.auto = True
    stays = world.client("stays", properties=KEEP)
    world.auto = False
    stays.send(Publish("nobody", b"1", 2, packet_id=5))
    assert stays.read() == []
    assert [type(record) for record in world.commits[0].records] == [ReceivedPut]
    world.commit()
    assert stays.one() == Pubrec(5, 0x10)
    stays.send(Pubrel(5))
    assert stays.read() == []
    assert [type(record) for record in world.commits[0].records] == [ReceivedDelete]
    world.commit()
    assert stays.one() == Pubcomp(5)
    pub.send(Publish("nobody", b"1", 2, packet_id=5))
    assert pub.one() == Pubrec(5, 0x10)
    assert sub.read() == []


def test_connack_and_suback_wait() -> None:
    world, _, _ = start()
    link = world.link()
    link.send(Connect("new", properties=KEEP), Subscribe(1, [Subscription("u", 1)]))
    assert link.read() == []
    assert [type(record) for record in world.commits[0].records] == [SessionPut, SubscriptionPut]
    world.commit()
    assert [type(p).__name__ for p in link.read()] == ["Connack", "Suback"]


def test_what_dies_with_its_connection_is_not_stored() -> None:
    world, sub, pub = start()
    brief = world.client("brief")
    assert isinstance(brief.ask(Subscribe(1, [Subscription("u", 2)])), Suback)
    pub.send(Publish("u", b"1", 2, packet_id=9))
    assert pub.one() == Pubrec(9)
    assert brief.one(Publish).payload == b"1"
    assert world.commits == []
    assert sub.read() == []


def test_queue_of_a_client_that_is_away() -> None:
    world, sub, pub = start()
    sub.drop()
    while world.commits:
        world.commit()
    pub.send(Publish("t", b"1", 1, packet_id=5))
    assert [type(record) for record in world.commits[0].records] == [QueuePut]
    world.commit()
    assert pub.one() == Puback(5)
    link = world.link()
    link.send(Connect("sub", clean_start=False, properties=KEEP))
    kinds = {type(record) for commit in world.commits for record in commit.records}
    assert kinds == {SessionPut, QueueDelete, InflightPut}
    assert link.read() == []
    while world.commits:
        world.commit()
    connack, publish = link.read()
    assert connack.session_present
    assert publish.payload == b"1"


def test_clean_start_deletes_what_was_stored_before_it_is_confirmed() -> None:
    world, sub, _ = start()
    sub.drop()
    while world.commits:
        world.commit()
    link = world.link()
    link.send(Connect("sub"))
    assert link.read() == []
    assert [type(record) for record in world.commits[0].records] == [SessionDelete]
    world.commit()
    assert not link.one().session_present


def test_retained_messages_are_stored_before_the_acknowledgement() -> None:
    world, _, pub = start()
    pub.send(Publish("r", b"1", 1, retain=True, packet_id=5))
    assert pub.read() == []
    assert [type(record) for record in world.commits[0].records] == [RetainedPut]
    world.commit()
    assert pub.one().packet_id == 5


def test_a_message_is_one_object_for_all_sessions() -> None:
    world = World(storage=MemoryStore())
    for n in range(5):
        away = world.client(f"away{n}", properties=KEEP)
        away.subscribe("t", 1)
        away.drop()
    pub = world.client("pub")
    world.auto = False
    pub.send(Publish("t", b"x" * 1000, 1, packet_id=1))
    (commit,) = world.commits
    assert len({id(record.message) for record in commit.records}) == 1  # type: ignore[attr-defined]


def test_without_a_store_nothing_is_gathered() -> None:
    world = World()
    sub = world.client("sub", properties=KEEP)
    sub.subscribe("t", 1)
    world.client("pub").publish("t", b"1", 1)
    assert world.broker.journal is None
    assert world.commits == []
    assert sub.payloads() == [b"1"]


def test_everything_comes_back_after_a_restart() -> None:
    store = MemoryStore()
    world = World(storage=store, utc_offset=77 * SECOND)
    watch_properties = PublishProperties(message_expiry_interval=100, content_type="c", user_property=[("k", "v")])
    sub = world.client("sub", properties=ConnectProperties(session_expiry_interval=500))
    sub.subscribe("t", 1, identifier=3)
    sub.drop()
    delayed = Will("t", b"will", 1, properties=WillProperties(will_delay_interval=50))
    world.client("ghost", will=delayed, properties=KEEP)
    pub = world.client("pub")
    pub.publish("t", b"queued", 1, properties=watch_properties)
    pub.publish("keep", b"retained", 1, retain=True, properties=watch_properties)
    world.pass_time(10)
    # Another clock, the same UTC.
    again = World(storage=store, now=world.now + 70 * SECOND, utc_offset=7 * SECOND)
    late = again.client("late")
    late.subscribe("keep", 1)
    (message,) = late.messages()
    assert message.payload == b"retained"
    assert message.properties == PublishProperties(
        message_expiry_interval=90, content_type="c", user_property=[("k", "v")]
    )
    assert again.broker.sessions.by_handle[again.broker.sessions.by_client_id["sub"].handle] is not None
    again.pass_time(51)
    sub = again.client("sub", clean_start=False, properties=KEEP)
    queued, will = sub.messages()
    assert (queued.payload, will.payload) == (b"queued", b"will")
    assert queued.properties is not None
    assert queued.properties.message_expiry_interval == 39
    assert queued.properties.subscription_identifier == [3]
    assert again.broker.last_message >= world.broker.last_message


def test_a_session_that_expired_meanwhile_is_gone() -> None:
    store = MemoryStore()
    world = World(storage=store)
    world.client("a", properties=ConnectProperties(session_expiry_interval=10)).drop()
    again = World(storage=store, now=world.now + 11 * SECOND)
    again.pass_time(0)
    assert not again.client("a", clean_start=False).connack.session_present
    assert [r for r in store.load() if isinstance(r, SessionPut)] == []


def test_a_session_that_was_to_end_with_its_connection_ends_at_the_restart() -> None:  # MQTT5-4.1.0-2
    """Nothing of it may come back: a later session would swallow a QoS 2 message with an identifier of the old one."""
    store = MemoryStore()
    world = World(storage=store)
    a = world.client("a", properties=KEEP)
    a.subscribe("old", 1)
    a.send(Publish("u", qos=2, packet_id=7))
    a.drop()
    world.client("a", clean_start=False)  # goes on, to the end of the connection
    second = World(storage=store)
    a = second.client("a", clean_start=False, properties=KEEP)  # before any timer was looked at
    assert not a.connack.session_present
    third = World(storage=store)
    a = third.client("a", clean_start=False, properties=KEEP)
    assert a.connack.session_present
    session = third.broker.sessions.by_client_id["a"]
    assert (session.subscriptions, session.received) == ({}, {})


@pytest.mark.parametrize("version", [3, 4, 5])
def test_a_will_is_due_though_the_server_failed(version: int) -> None:  # X5-will-defer-on-shutdown, X311-will-deferred
    """Also that of a session that ends with its connection; once."""
    store = MemoryStore()
    world = World(storage=store)
    for client_id in ("gone", "bye"):
        client = world.client(client_id, version, will=Will("w", client_id.encode(), 1))
        client.subscribe("t", 1)
    client.send(Disconnect())
    for due in ([b"gone"], []):
        again = World(storage=store, now=world.now + SECOND)
        watch = again.client("watch")
        watch.subscribe("w", 1)
        again.pass_time(1)
        assert watch.payloads() == due
    assert list(store.load()) == []


def test_what_a_failed_commit_was_about_is_stored_with_the_next_one() -> None:  # MQTT5-4.3.3-8, 4.3.3-10
    """A QoS 2 message that was not stored is repeated: its PUBREC goes out for a message that is stored by then."""
    store = MemoryStore()
    world = World(storage=store)
    for client_id, topic_filter, qos in (("online", "t", 2), ("away", "t", 1), ("early", "other", 1)):
        sub = world.client(client_id, properties=KEEP)
        sub.subscribe(topic_filter, qos)
        if client_id == "away":
            sub.drop()
    pub = world.client("pub", properties=KEEP)
    world.auto = False
    message = Publish("t", b"1", 2, retain=True, packet_id=5)
    pub.send(message, Publish("gone", b"2", 1, retain=True, packet_id=6))
    world.commit(fail=True)
    assert pub.closed
    world.auto = True
    pub = world.client("pub", clean_start=False, properties=KEEP)
    pub.send(Publish("t", b"1", 2, retain=True, dup=True, packet_id=5))
    assert pub.one(Pubrec).packet_id == 5

    again = World(storage=store)
    for client_id, payloads in (("online", [b"1"]), ("away", [b"1"]), ("early", [])):
        sub = again.client(client_id, clean_start=False, properties=KEEP)
        assert sub.connack.session_present
        assert sub.payloads() == payloads
    assert [r.message.topic for r in store.load() if isinstance(r, RetainedPut)] == ["t", "gone"]
    pub = again.client("pub", clean_start=False, properties=KEEP)
    pub.send(Publish("t", b"1", 2, retain=True, dup=True, packet_id=5))
    assert pub.one(Pubrec).packet_id == 5
    assert again.broker.counters.messages_routed == 0


def test_what_was_deleted_by_a_failed_commit_is_deleted_with_the_next_one() -> None:
    store = MemoryStore()
    world = World(storage=store)
    a = world.client("a", properties=KEEP)
    a.subscribe("t", 1)
    a.publish("t", b"kept", retain=True)
    a.drop()
    world.auto = False
    pub = world.client("pub")
    pub.send(Publish("t", b"", 1, retain=True, packet_id=1))
    link = world.link()
    link.send(Connect("a"))  # replaces the session, and ends with its connection
    world.commit(fail=True)
    world.auto = True
    world.client("other", properties=KEEP)
    assert [type(record) for record in store.load()] == [SessionPut]


def test_a_store_that_fails_again_and_again_loses_nothing_in_the_end() -> None:
    store = MemoryStore()
    world = World(storage=store)
    sub = world.client("sub", properties=KEEP)
    sub.subscribe("t", 1)
    sub.drop()
    world.auto = False
    publishers = [world.client(f"pub-{payload!r}") for payload in (b"1", b"2", b"3")]
    for pub, payload in zip(publishers, (b"1", b"2", b"3"), strict=True):
        pub.send(Publish("t", payload, 1, packet_id=1))
    journal = world.broker.journal
    assert journal is not None
    for _ in range(5):
        world.commit(fail=True)
        journal.retry()
        world.turn()
    assert all(pub.closed for pub in publishers)
    world.auto = True
    world.commit()
    assert world.client("pub").publish("t", b"4", 1).reason_code == 0
    again = World(storage=store)
    sub = again.client("sub", clean_start=False, properties=KEEP)
    assert sub.payloads() == [b"1", b"2", b"3", b"4"]


@pytest.mark.parametrize("how", ["removed", "expired", "ended with its connection"])
def test_a_session_that_is_over_does_not_come_back_behind_a_brief_one(how: str) -> None:  # MQTT5-4.1.0-2
    """Its deletion is not stored yet when its client connects again with a session that no store keeps.

    Found by the model (tests/spin): the CONNACK went out at once; then the server failed, and the old session with
    its QoS 2 packet identifiers was back, though the client had been told that there was none.
    """
    store = MemoryStore()
    world = World(Options(bounds=Bounds(batches=1)), storage=store)
    a = world.client("a", properties=KEEP)
    a.send(Publish("u", b"old", 2, packet_id=7))
    if how == "ended with its connection":
        a.drop()
        a = world.client("a", clean_start=False)
    world.auto = False
    a.drop()  # the batch that is under way
    if how == "removed":
        world.broker.sessions.remove("a", world.now)
    elif how == "expired":
        world.pass_time(3601)
    link = world.link()
    link.send(Connect("a"))
    assert link.read() == []
    while world.commits:
        world.commit()
    assert not link.one().session_present
    again = World(storage=store, now=world.now)
    assert not again.client("a", clean_start=False, properties=KEEP).connack.session_present


def test_a_session_that_is_over_does_not_come_back_after_a_commit_that_failed() -> None:  # MQTT5-4.1.0-2
    store = MemoryStore()
    world = World(storage=store)
    world.client("a", properties=KEEP).drop()
    world.auto = False
    world.broker.sessions.remove("a", world.now)
    world.turn()
    world.commit(fail=True)
    link = world.link()
    link.send(Connect("a"))
    assert link.read() == []
    world.commit()
    assert not link.one().session_present
    assert list(store.load()) == []


def test_a_brief_session_does_not_wait_for_a_deletion_that_is_stored() -> None:
    world = World(storage=MemoryStore())
    world.client("a", properties=KEEP).drop()
    world.broker.sessions.remove("a", world.now)
    world.turn()
    world.auto = False
    link = world.link()
    link.send(Connect("a"))
    assert not link.one().session_present


def test_packet_identifiers_begin_again_at_the_maximum_after_a_restart() -> None:
    """The same number as before it: found by a replay of the model (tests/spin), which has two identifiers."""
    store = MemoryStore()
    tables = changed(TABLES, limits={"packet_id_maximum": 2})
    world = World(tables=tables, storage=store)
    world.client("sub", properties=KEEP).subscribe("t", 1)
    pub = world.client("pub")
    pub.publish("t", b"1", 1)
    pub.publish("t", b"2", 1)
    again = World(tables=tables, storage=store)
    sub = again.client("sub", clean_start=False, properties=KEEP)
    assert [(p.packet_id, p.payload) for p in sub.read()] == [(1, b"1"), (2, b"2")]
    sub.send(Puback(1))
    again.client("pub").publish("t", b"3", 1)
    assert [(p.packet_id, p.payload) for p in sub.read()] == [(1, b"3")]

# SPDX-License-Identifier: MIT
"""What follows a broken rule comes from the reaction table, and others do not feel it."""

from __future__ import annotations

from mqtt_ref.engine.counters import COUNTERS, Counters
from mqtt_ref.engine.tables import TABLES, changed
from mqtt_ref.wire.packets import Connect, Disconnect, Pingreq, Pingresp, Publish
from mqtt_ref.wire.reactions import reaction
from tests.sansio import World


def test_the_table_decides() -> None:
    standard = reaction("MQTT5-3.3.1-4", 0x81, 5, "connected")
    lenient = changed(TABLES, reactions={"MQTT5-3.3.1-4": standard._replace(action="ignore")})
    other_code = changed(TABLES, reactions={"MQTT5-3.3.1-4": standard._replace(code=0x80)})
    silent = changed(TABLES, reactions={"MQTT5-3.3.1-4": standard._replace(action="close")})
    for tables, codes, closed in (
        (TABLES, [0x81], True),
        (lenient, [], False),
        (other_code, [0x80], True),
        (silent, [], True),
    ):
        a = World(tables=tables).client("a")
        a.send_raw(b"\x36\x06\x00\x01t\x00\x01\x00")
        assert [p.reason_code for p in a.read()] == codes
        assert a.closed == closed


def test_others_do_not_feel_it() -> None:  # X5-error-other-sessions
    world = World()
    a, b = world.client("a"), world.client("b")
    b.subscribe("t")
    a.send_raw(b"\x00\x00")
    assert a.closed
    assert b.ask(Pingreq()) == Pingresp()


def test_what_came_before_the_broken_packet_counts_and_what_follows_does_not() -> None:
    world = World()
    sub = world.client("sub")
    sub.subscribe("t")
    a = world.client("a")
    a.send_raw(b"\x30\x05\x00\x01t\x001" + b"\x00\x00" + b"\x30\x05\x00\x01t\x002")
    assert sub.payloads() == [b"1"]
    assert [p.reason_code for p in a.read()] == [0x81]


def test_nothing_follows_a_disconnect() -> None:  # MQTT5-3.14.4-1
    world = World()
    a = world.client("a")
    a.subscribe("t")
    a.connection.receive(b"\x00\x00", world.now)
    world.client("b").publish("t")
    assert [type(p) for p in a.read()] == [Disconnect]


def test_one_note_says_why() -> None:
    world = World()
    a = world.client("a")
    a.send_raw(b"\xc1\x00")
    (note,) = world.notes
    assert (note.client_id, note.remote, note.listener, note.code) == ("a", "peer", "test", 0x81)
    assert note.statement == "MQTT5-2.1.3-1"
    assert world.broker.counters.violations == 1
    quiet = World()
    quiet.broker.options.notes = False
    quiet.client("a").send_raw(b"\xc1\x00")
    assert quiet.notes == []


def test_counters_have_their_names() -> None:
    counters = Counters()
    assert counters.as_dict() == dict.fromkeys(COUNTERS, 0)
    world = World()
    world.client("a").send(Publish("t"))
    world.link(3).send(Connect("", protocol_version=3))
    told = world.broker.counters.as_dict()
    assert told["connections_accepted"] == 2
    assert told["connections_refused"] == 1
    assert told["messages_routed"] == 1


def test_tables_that_go_on_pass_over_what_is_broken() -> None:
    world = World(tables=changed(TABLES, go_on=True))
    sub = world.client("sub")
    sub.subscribe("t")
    a = world.client("a")
    a.send_raw(b"\x30\x05\x00\x01t\x001" + b"\xc1\x00" + b"\x30\x05\x00\x01t\x002")
    a.send(Connect("a"))
    assert a.ask(Pingreq()) == Pingresp()
    assert sub.payloads() == [b"1", b"2"]
    assert world.broker.counters.violations == 2


def test_nothing_can_go_on_where_the_end_is_not_known() -> None:
    world = World(tables=changed(TABLES, go_on=True))
    a = world.client("a")
    a.send_raw(b"\x30\xff\xff\xff\xff\x01")
    assert a.closed
    b = world.link()
    b.send_raw(b"\x10\x00")
    assert b.closed

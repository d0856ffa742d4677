# SPDX-License-Identifier: MIT
"""Sessions: every state with every input, takeover, expiry, removal, shutdown."""

from __future__ import annotations

import pytest

from mqtt_ref.broker.memory import MemoryStore
from mqtt_ref.engine.generated import session as machine
from mqtt_ref.engine.generated.events import Watch
from mqtt_ref.engine.options import Options
from mqtt_ref.wire.packets import (
    Connect,
    ConnectProperties,
    Disconnect,
    Publish,
    PublishProperties,
    Will,
    WillProperties,
)
from tests.sansio import World

KEEP = ConnectProperties(session_expiry_interval=3600)


def reach(world: World, state: str) -> None:
    if state == "absent":
        return
    a = world.client("a", properties=KEEP)
    a.subscribe("t", 1)
    if state == "dormant":
        a.drop()


@pytest.mark.parametrize("state", machine.STATES)
@pytest.mark.parametrize("name", machine.INPUTS)
def test_every_state_with_every_input(state: str, name: str) -> None:
    at = machine.STATES.index(state) * machine.WIDTH + machine.INPUTS.index(name)
    action = machine.ACTIONS[machine.ACTION[at]]
    world = World()
    reach(world, state)
    broker = world.broker
    before = broker.sessions.by_client_id.get("a")
    assert machine.STATES[before.state if before else 0] == state
    if at in machine.IMPOSSIBLE and state != "active":
        return
    present = None
    if name.startswith("connect"):
        # From active, a takeover: closed first, so it is the row of dormant that runs.
        present = world.client("a", clean_start=name == "connect_clean", properties=KEEP).connack.session_present
        action = {"active": "replace" if name == "connect_clean" else "resume"}.get(state, action)
    elif before is not None and before.connection is not None:
        if name == "closed_ending":
            before.expiry = 0
        before.connection.lost(world.now)  # type: ignore[attr-defined]
    elif name == "expired":
        world.pass_time(3601)
    elif name == "removed":
        assert broker.sessions.remove("a", world.now)
    after = broker.sessions.by_client_id.get("a")
    if action in ("create", "replace"):
        assert after is not None
        assert after is not before
        assert present is False
        assert after.subscriptions == {}
    elif action == "resume":
        assert after is before
        assert present is True
        assert after is not None
        assert after.subscriptions.keys() == {"t"}
    elif action == "keep":
        assert after is before
        assert machine.STATES[after.state if after else 0] == "dormant"
    elif action == "end":
        assert after is None
        assert len(broker.router) == 0


def test_handles_are_used_again_and_nothing_leaks() -> None:
    world = World()
    for n in range(50):
        a = world.client(f"c{n}")
        a.subscribe("t", 1)
        a.drop()
    assert len(world.broker.sessions.by_handle) == 0
    assert len(world.broker.router) == 0
    assert world.broker.connections == {}
    world.client("pub").publish("t", b"1", 1)


def test_takeover_keeps_what_was_in_flight() -> None:
    world = World()
    a = world.client("a", properties=KEEP)
    a.subscribe("t", 1)
    world.client("pub").publish("t", b"1", 1)
    packet = a.one(Publish)
    again = world.client("a", clean_start=False, properties=KEEP)
    assert again.connack.session_present
    assert again.one() == Publish("t", b"1", 1, dup=True, packet_id=packet.packet_id)
    assert a.closed


def test_packets_of_a_connection_that_was_taken_over_do_nothing() -> None:
    world = World()
    watch = world.client("watch")
    watch.subscribe("#")
    a = world.client("a")
    world.client("a")
    a.connection.receive(b"\x30\x04\x00\x01t\x00", world.now)
    world.turn()
    assert watch.read() == []


def test_a_session_that_never_ends() -> None:
    world = World()
    world.client("a", properties=ConnectProperties(session_expiry_interval=0xFFFFFFFF)).drop()
    world.pass_time(2**33)
    assert world.client("a", clean_start=False).connack.session_present


def test_remove_session() -> None:
    world = World()
    a = world.client("a", properties=KEEP)
    assert not world.broker.sessions.remove("nobody", world.now)
    assert world.broker.sessions.remove("a", world.now)
    world.turn()
    assert a.one(Disconnect).reason_code == 0x98
    assert a.closed
    assert world.broker.sessions.by_client_id == {}


@pytest.mark.parametrize("choice", ["publish", "keep"])
def test_shutdown(choice: str) -> None:  # X5-shutdown-code
    store = MemoryStore()
    world = World(Options(decisions={"shutdown_wills": choice}), storage=store)
    watch = world.client("watch", properties=KEEP)
    watch.subscribe("will", 1)
    old = world.client("old", 4)
    world.client("a", will=Will("will", b"gone", 1), properties=KEEP)
    waiting = world.link()
    world.broker.shutdown(world.now)
    world.turn()
    assert [p.reason_code for p in watch.read() if isinstance(p, Disconnect)] == [0x8B]
    assert old.closed
    assert old.read() == []
    assert waiting.closed
    assert waiting.raw == b""
    assert world.link().closed
    assert world.broker.connections == {}
    again = World(storage=store, now=world.now)
    again.pass_time(1)
    watch = again.client("watch", clean_start=False, properties=KEEP)
    assert watch.payloads() == [b"gone"]


def test_a_kept_will_of_a_session_is_published_after_the_restart_once() -> None:
    store = MemoryStore()
    world = World(storage=store)
    world.client("a", will=Will("will", b"gone", properties=WillProperties(will_delay_interval=5)), properties=KEEP)
    again = World(storage=store, now=world.now)
    watch = again.client("watch")
    watch.subscribe("will")
    again.pass_time(4)
    assert watch.payloads() == []
    again.pass_time(2)
    assert watch.payloads() == [b"gone"]
    third = World(storage=store, now=again.now)
    watch = third.client("watch")
    watch.subscribe("will")
    third.pass_time(100)
    assert watch.payloads() == []


def test_watch_is_told() -> None:
    told: list[object] = []
    world = World()
    world.broker.watch = Watch(
        on_session_established=lambda client, present: told.append(("connected", client.client_id, present)),
        on_disconnect=lambda client, code, text: told.append(("disconnected", client.client_id, code, text)),
        on_subscribed=lambda client, packet, codes: told.append(("subscribed", client.client_id, codes)),
        on_unsubscribed=lambda client, packet, codes: told.append(("unsubscribed", packet.topic_filters, codes)),
        on_published=lambda client, message, matched: told.append(("published", message.topic, matched)),
        on_client_expired=lambda client: told.append(("expired", client.client_id)),
    )
    a = world.client("a")
    a.subscribe("t", 1)
    a.publish("t", b"1")
    a.messages()
    a.unsubscribe("t")
    a.publish("t", b"2", 0, retain=True)
    a.drop()
    world.client("b", properties=KEEP).drop()
    world.pass_time(3700)
    assert told == [
        ("connected", "a", False),
        ("subscribed", "a", [1]),
        ("published", "t", True),
        ("unsubscribed", ["t"], [0]),
        ("published", "t", False),
        ("disconnected", "a", 0, "The link was lost"),
        ("connected", "b", False),
        ("disconnected", "b", 0, "The link was lost"),
        ("expired", "b"),
    ]


def test_deadlines_are_lazy() -> None:
    world = World()
    a = world.client("a", keep_alive=10)
    before = len(world.broker.timers)
    for _ in range(100):
        a.send(Publish("t"))
    assert len(world.broker.timers) == before


def test_a_connect_storm_leaves_nothing() -> None:
    world = World()
    for n in range(200):
        world.link().send(Connect(f"c{n}"))
    for link in list(world.broker.connections.values()):
        link.lost(world.now)
    assert world.broker.sessions.by_client_id == {}
    world.pass_time(100)
    assert len(world.broker.timers) == 0


def test_one_timer_for_each_session_and_one_for_retained_messages() -> None:
    world = World()
    pub = world.client("pub")
    for n in range(50):
        world.client("a", clean_start=False, properties=KEEP).drop()
        pub.publish("t", b"x", 0, retain=True, properties=PublishProperties(message_expiry_interval=600 + n))
    world.pass_time(11)
    assert len(world.broker.timers) == 2
    world.pass_time(4000)
    assert world.broker.sessions.by_client_id.keys() == {"pub"}
    assert len(world.broker.timers) == 0
    assert len(world.broker.retained.store) == 0

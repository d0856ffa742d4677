# SPDX-License-Identifier: MIT
"""SUBSCRIBE and UNSUBSCRIBE: every state with every input, codes in every version, what is refused."""

from __future__ import annotations

import pytest

from mqtt_ref.engine.access import Access
from mqtt_ref.engine.generated import subscription as machine
from mqtt_ref.engine.options import Bounds, Capabilities, Options
from mqtt_ref.wire.packets import (
    ConnectProperties,
    Disconnect,
    Publish,
    Suback,
    Subscribe,
    SubscribeProperties,
    Subscription,
    Unsuback,
    Unsubscribe,
)
from tests.sansio import World

KEEP = ConnectProperties(session_expiry_interval=3600)


@pytest.mark.parametrize("state", machine.STATES)
@pytest.mark.parametrize("name", machine.INPUTS)
def test_every_state_with_every_input(state: str, name: str) -> None:
    world = World()
    world.client("pub").publish("t", b"r", retain=True)
    a = world.client("a")
    topic_filter = "$share/g/t" if name == "shared" else "t"
    if state == "present":
        a.subscribe(topic_filter, retain_handling=2)
    at = machine.STATES.index(state) * machine.WIDTH + machine.INPUTS.index(name)
    action = machine.ACTIONS[machine.ACTION[at]]
    if name == "unsubscribe":
        assert a.unsubscribe(topic_filter).reason_codes == [{"delete": 0, "not_found": 0x11}[action]]
    else:
        a.subscribe(topic_filter, retain_handling=0 if name == "shared" else int(name[-1]))
    assert a.payloads() == ([b"r"] if action == "put_retained" else [])
    after = machine.STATES[machine.NEXT[at]]
    assert (topic_filter in world.broker.sessions.by_client_id["a"].subscriptions) == (after == "present")
    world.client("pub2").publish("t", b"live")
    assert a.payloads() == ([b"live"] if after == "present" else [])


def test_one_suback_with_a_code_for_each_filter_in_order() -> None:  # MQTT5-3.8.4-5, 3.9.3-1
    world = World(Options(refused_filters=("test/nosubscribe",)))
    asked = Subscribe(
        7, [Subscription("a", 2), Subscription("test/nosubscribe"), Subscription("b", 0), Subscription("a", 1)]
    )
    got = world.client("v5").ask(asked)
    assert (got.packet_id, got.reason_codes) == (7, [2, 0x87, 0, 1])
    assert got.properties.reason_string
    assert world.client("v4", 4).ask(asked) == Suback(7, [2, 0x80, 0, 1])
    assert world.client("v3", 3).ask(asked) == Suback(7, [2, 0, 0, 1])
    assert world.broker.sessions.by_client_id["v3"].subscriptions.keys() == {"a", "b"}


def test_resubscribing_replaces() -> None:  # MQTT5-3.8.4-3
    world = World()
    a = world.client("a")
    a.subscribe("t", 2, identifier=5)
    a.subscribe("t", 1)
    world.client("pub").publish("t", b"1", 2)
    (message,) = a.messages()
    assert message.qos == 1
    assert message.properties is None


def test_queued_messages_keep_their_identifiers() -> None:  # X5-subscription-identifier-retransmitted
    world = World()
    a = world.client("a", properties=KEEP)
    a.subscribe("t", 1, identifier=5)
    a.drop()
    world.client("pub").publish("t", b"1", 1)
    a = world.client("a", clean_start=False, properties=KEEP)
    first = a.one(Publish)
    a.subscribe("t", 1, identifier=6)
    a.drop()
    a = world.client("a", clean_start=False, properties=KEEP)
    again = a.one(Publish)
    assert first.properties.subscription_identifier == again.properties.subscription_identifier == [5]


def test_unsubscribe_completes_what_was_started() -> None:  # MQTT5-3.10.4-3
    world = World()
    a = world.client("a", properties=KEEP)
    a.subscribe("t", 1)
    world.client("pub").publish("t", b"1", 1)
    a.read()
    a.unsubscribe("t")
    a.drop()
    a = world.client("a", clean_start=False, properties=KEEP)
    assert a.payloads() == [b"1"]


@pytest.mark.parametrize("version", [3, 4])
def test_unsuback_of_old_clients_has_no_payload(version: int) -> None:
    a = World().client("a", version)
    assert a.ask(Unsubscribe(3, ["x", "y"])) == Unsuback(3, [])
    assert a.raw.endswith(b"\xb0\x02\x00\x03")


def test_no_local() -> None:  # MQTT5-3.8.3-3, ambiguity 6
    world = World()
    a = world.client("a")
    a.subscribe("t/#", 1, no_local=True, identifier=1)
    b = world.client("b")
    b.subscribe("t/#", 1, no_local=True)
    a.publish("t/1", b"1", 1)
    assert a.payloads() == []
    assert b.payloads() == [b"1"]
    a.subscribe("t/1", 0, identifier=2)
    a.publish("t/1", b"2", 1)
    (message,) = a.messages()
    assert message.qos == 0
    assert message.properties is not None
    assert message.properties.subscription_identifier == [2]


@pytest.mark.parametrize(("choice", "got"), [("apply", []), ("ignore", [b"r"])])
def test_no_local_and_retained_messages(choice: str, got: list[bytes]) -> None:
    world = World(Options(decisions={"no_local_retained": choice}))
    a = world.client("a")
    a.publish("t", b"r", retain=True)
    a.subscribe("t", no_local=True)
    assert a.payloads() == got


def test_retain_as_published() -> None:  # MQTT5-3.3.1-12, 3.3.1-13
    world = World()
    keeps, clears, old = world.client("keeps"), world.client("clears"), world.client("old", 4)
    keeps.subscribe("t", retain_as_published=True)
    clears.subscribe("t")
    old.subscribe("t")
    pub = world.client("pub")
    pub.publish("t", b"1", retain=True)
    pub.publish("t", b"2")
    assert [p.retain for p in keeps.messages()] == [True, False]
    assert [p.retain for p in clears.messages()] == [False, False]
    assert [p.retain for p in old.messages()] == [False, False]
    late = world.client("late")
    late.subscribe("t")
    assert [p.retain for p in late.messages()] == [True]


@pytest.mark.parametrize(
    ("options", "packet", "code"),
    [
        (Capabilities(wildcard_subscription_available=False), Subscribe(1, [Subscription("a/#")]), 0xA2),
        (Capabilities(shared_subscription_available=False), Subscribe(1, [Subscription("$share/g/a")]), 0x9E),
        (
            Capabilities(subscription_identifier_available=False),
            Subscribe(1, [Subscription("a")], SubscribeProperties(subscription_identifier=1)),
            0xA1,
        ),
    ],
)
def test_what_is_not_offered(options: Capabilities, packet: Subscribe, code: int) -> None:
    world = World(Options(capabilities=options))
    a = world.client("a")
    a.send(packet)
    assert a.one(Disconnect).reason_code == code
    assert a.closed
    if code != 0xA1:
        old = world.client("old", 4)
        assert old.ask(packet) == Suback(1, [0x80])
        assert not old.closed


def test_granted_qos_is_not_above_the_maximum() -> None:  # MQTT5-3.2.2-10
    world = World(Options(capabilities=Capabilities(maximum_qos=1)))
    assert world.client("a").subscribe("t", 2) == 1


def test_bounds() -> None:
    world = World(Options(bounds=Bounds(subscriptions=2, topic_levels=5)))
    a = world.client("a")
    assert [a.subscribe(name) for name in ("1", "2", "3", "2", "a/b/c/d/e/f")] == [0, 0, 0x97, 0, 0x8F]
    assert a.publish("a/b/c/d/e/f", b"", 1).reason_code == 0x90
    a.publish("a/b/c/d/e/f", b"")
    assert world.broker.counters.publish_refused == 2


def test_who_may_subscribe_and_read() -> None:
    denied = {"secret"}
    world = World()
    world.broker.set_access(
        Access(
            on_acl_check_subscribe=lambda link, name, qos: 0x87 if name == "forbidden" else 0,
            on_acl_check_read=lambda session, topic: topic not in denied,
        )
    )
    a = world.client("a")
    assert a.subscribe("forbidden") == 0x87
    assert a.subscribe("#") == 0
    pub = world.client("pub")
    for topic in ("open", "secret"):
        pub.publish(topic, topic.encode(), retain=True)
    assert a.payloads() == [b"open"]
    late = world.client("late")
    late.subscribe("#")
    assert late.payloads() == [b"open"]
    shared = world.client("shared")
    shared.subscribe("$share/g/#")
    pub.publish("secret", b"s")
    assert shared.payloads() == []
    denied.clear()
    world.broker.rules_changed()
    pub.publish("secret", b"now")
    assert a.payloads() == [b"now"]


@pytest.mark.parametrize("choice", ["share", "ordinary"])
def test_shared_filters_of_old_clients(choice: str) -> None:  # ambiguity 8
    world = World(Options(decisions={"shared_for_v3": choice}))
    a = world.client("a", 4)
    a.subscribe("$share/g/t")
    a.subscribe("$share//t")
    world.client("pub").publish("t", b"1")
    assert a.payloads() == ([b"1"] if choice == "share" else [])

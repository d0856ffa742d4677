# SPDX-License-Identifier: MIT
"""The Will Message: every state with every input that can come, and what is published."""

from __future__ import annotations

import pytest

from mqtt_ref.engine import will
from mqtt_ref.engine.generated import will as machine
from mqtt_ref.engine.options import Bounds, Capabilities, Options
from mqtt_ref.engine.session import Session
from mqtt_ref.wire.packets import (
    Connack,
    Connect,
    ConnectProperties,
    Disconnect,
    PublishProperties,
    Will,
    WillProperties,
)
from tests.sansio import Client, World

WILL = Will("will", b"gone")


@pytest.mark.parametrize("state", machine.STATES)
@pytest.mark.parametrize("name", machine.INPUTS)
def test_every_state_with_every_input(state: str, name: str) -> None:
    session = Session(World().broker, 0, "a", 5)
    session.will_state = machine.STATES.index(state)
    at = session.will_state * machine.WIDTH + machine.INPUTS.index(name)
    action = will.step(session, machine.INPUTS.index(name))
    assert action == machine.ACTION[at]
    assert session.will_state == machine.NEXT[at]
    if at in machine.IMPOSSIBLE:
        assert action == machine.BREACH
    else:
        assert action != machine.BREACH


def watched(world: World) -> Client:
    watch = world.client("watch")
    watch.subscribe("will", 2, retain_as_published=True)
    return watch


def delayed(delay: int) -> Will:
    return Will("will", b"gone", properties=WillProperties(will_delay_interval=delay))


def test_delay_ends_with_the_session_if_that_ends_first() -> None:  # X5-will-delay-first-event
    world = World()
    watch = watched(world)
    world.client("a", will=delayed(100), properties=ConnectProperties(session_expiry_interval=10)).drop()
    world.pass_time(9.9)
    assert watch.payloads() == []
    world.pass_time(0.2)
    assert watch.payloads() == [b"gone"]
    world.pass_time(200)
    assert watch.payloads() == []


def test_no_will_after_a_return_in_time() -> None:  # MQTT5-3.1.3-9
    world = World()
    watch = watched(world)
    keep = ConnectProperties(session_expiry_interval=1000)
    world.client("a", will=delayed(10), properties=keep).drop()
    world.pass_time(5)
    a = world.client("a", clean_start=False, properties=keep)
    world.pass_time(50)
    a.send(Disconnect())
    world.pass_time(2000)
    assert watch.payloads() == []


def test_return_with_clean_start_publishes_a_delayed_will() -> None:
    world = World()
    watch = watched(world)
    keep = ConnectProperties(session_expiry_interval=1000)
    world.client("a", will=delayed(10), properties=keep).drop()
    world.client("a", properties=keep)
    assert watch.payloads() == [b"gone"]


def test_the_new_will_replaces_the_old_one() -> None:
    world = World()
    watch = watched(world)
    keep = ConnectProperties(session_expiry_interval=1000)
    world.client("a", will=delayed(10), properties=keep).drop()
    a = world.client("a", clean_start=False, will=Will("will", b"newer"), properties=keep)
    a.drop()
    assert watch.payloads() == [b"newer"]
    world.pass_time(3000)
    assert watch.payloads() == []


def test_what_the_will_becomes() -> None:  # MQTT5-3.1.2-14, 3.1.2-15, 3.1.3-10
    world = World()
    watch = watched(world)
    properties = WillProperties(
        payload_format_indicator=1,
        message_expiry_interval=30,
        content_type="text/plain",
        response_topic="r",
        correlation_data=b"c",
        user_property=[("z", "1"), ("a", "2"), ("z", "3")],
    )
    world.client("a", will=Will("will", b"gone", 2, True, properties)).drop()
    (message,) = watch.messages()
    assert (message.qos, message.retain) == (2, True)
    assert message.properties == PublishProperties(
        1, 30, "text/plain", "r", b"c", user_property=[("z", "1"), ("a", "2"), ("z", "3")]
    )
    late = world.client("late")
    late.subscribe("will")
    assert late.payloads() == [b"gone"]
    world.client("b", will=WILL).drop()
    (message,) = watch.messages()
    assert (message.qos, message.retain) == (0, False)


@pytest.mark.parametrize("version", [3, 4])
def test_every_disconnect_of_old_clients_deletes_the_will(version: int) -> None:  # MQTT311-3.14.4-3
    world = World()
    watch = watched(world)
    world.client("a", version, will=WILL).send(Disconnect())
    assert watch.payloads() == []
    world.client("a", version, will=WILL).drop()
    assert watch.payloads() == [b"gone"]


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (Will("will", qos=2), 0x9B),
        (Will("will", retain=True), 0x9A),
        (Will("$SYS/x"), 0x90),
        (Will("a/b/c/d"), 0x90),
    ],
)
def test_a_will_beyond_what_is_offered_is_refused(bad: Will, code: int) -> None:  # MQTT5-3.2.2-12, 3.2.2-13
    offered = Capabilities(maximum_qos=1, retain_available=False)
    world = World(Options(capabilities=offered, bounds=Bounds(topic_levels=3)))
    link = world.link()
    link.send(Connect("a", will=bad))
    assert link.one(Connack).reason_code == code
    assert link.closed


def test_a_forbidden_will_of_an_old_client_is_dropped_when_due() -> None:  # ambiguity 32
    world = World()
    watch = world.client("watch")
    watch.subscribe("$SYS/#")
    world.client("a", 4, will=Will("$SYS/x")).drop()
    assert watch.read() == []
    assert world.broker.counters.wills_published == 0


@pytest.mark.parametrize(
    ("choice", "version", "answer"),
    [("refuse", 5, 0x90), ("refuse", 4, 5), ("refuse", 3, 5), ("drop", 5, 0), ("drop", 4, 0), ("drop", 3, 0)],
)
def test_a_will_to_a_dollar_topic_is_refused_or_lost_as_decided(choice: str, version: int, answer: int) -> None:
    world = World(Options(decisions={"unauthorized_will": choice}))
    watch = world.client("watch")
    watch.subscribe("$SYS/#")
    link = world.link(version)
    link.send(Connect("a", will=Will("$SYS/x"), protocol_version=version))
    assert link.one(Connack).reason_code == answer
    assert link.closed == (answer != 0)
    if not answer:
        link.drop()
    assert watch.read() == []


def test_no_local_applies_to_the_will() -> None:  # ambiguity 6
    world = World()
    keep = ConnectProperties(session_expiry_interval=1000)
    a = world.client("a", will=Will("will", b"mine", 1), properties=keep)
    a.subscribe("will", 1, no_local=True)
    a.drop()
    assert world.client("a", clean_start=False, properties=keep).inbox == []


@pytest.mark.parametrize(("choice", "code"), [("trust", 0), ("check", 0x99)])
def test_a_will_that_is_not_the_text_it_is_said_to_be(choice: str, code: int) -> None:  # X5-will-payload-format-checked
    world = World(Options(decisions={"payload_format": choice}))
    for payload, answer in ((b"\xff", code), ("\u00e4".encode(), 0)):
        link = world.link()
        link.send(Connect("a", will=Will("will", payload, properties=WillProperties(payload_format_indicator=1))))
        assert link.read()[0].reason_code == answer
        assert link.closed == bool(answer)


def test_a_will_topic_too_long_for_3_1() -> None:  # X31-topic-length
    world = World()
    for size, closed in ((32_767, False), (32_768, True)):
        link = world.link(3)
        link.send(Connect("a", protocol_version=3, will=Will("w" * size)))
        assert link.closed == closed
        assert len(link.read()) == 1 - closed

# SPDX-License-Identifier: MIT
"""Hooks that decide access: who may connect, publish, subscribe and read."""

from __future__ import annotations

from typing import Any

import pytest

from mqtt_ref.broker.views import Client
from mqtt_ref.hooks import AllowAll, Challenge, Decision, Hook, Reject
from mqtt_ref.hooks.dispatch import Dispatcher
from mqtt_ref.wire.packets import (
    Auth,
    AuthProperties,
    Connack,
    Connect,
    ConnectProperties,
    Publish,
    Suback,
    Subscribe,
    Subscription,
    Will,
)
from tests.sansio import World


def world_with(*hooks: Hook) -> World:
    world = World()
    Dispatcher(world.broker, hooks)
    return world


class Says(Hook):
    """Answers each question with what it was made with."""

    def __init__(self, connect: Any = None, acl: Any = None) -> None:
        self.connect = connect
        self.acl = acl
        self.asked: list[tuple[str, str, bool]] = []

    def on_connect_authenticate(self, client: Client, connect: Connect) -> Any:
        if isinstance(self.connect, Exception):
            raise self.connect
        return self.connect

    def on_acl_check(self, client: Client, topic: str, write: bool) -> Any:
        self.asked.append((client.id, topic, write))
        if isinstance(self.acl, dict):
            return self.acl.get((topic, write))
        if isinstance(self.acl, Exception):
            raise self.acl
        return self.acl


def connack_of(world: World, **more: Any) -> Connack:
    client = world.link()
    client.send(Connect("c", **more))
    got = client.read()[0]
    assert isinstance(got, Connack)
    return got


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ([], 0x87),
        ([None], 0x87),
        ([True], 0),
        ([False], 0x87),
        ([None, True], 0),
        ([False, True], 0x87),
        ([True, False], 0),
        ([Decision(True)], 0),
        ([Decision(False)], 0x87),
        ([Decision(False, 0x86, "wrong password")], 0x86),
        ([RuntimeError("a bug"), True], 0x87),
        ([Reject(0x97), True], 0x97),
        (["yes"], 0x87),
        ([1], 0x87),
        ([Challenge(b"")], 0x87),
    ],
)
def test_the_first_answer_decides_who_connects(answers: list[Any], code: int) -> None:
    assert connack_of(world_with(*map(Says, answers))).reason_code == code


def test_a_refused_client_is_told_why() -> None:
    connack = connack_of(world_with(Says(Decision(False, 0x86, "wrong password"))))
    assert connack.properties is not None
    assert connack.properties.reason_string == "wrong password"


def test_a_decision_may_change_the_user_name() -> None:
    seen = Says(Decision(True, username="carol"), True)
    world = world_with(seen)
    world.client("c", username="certificate 7")
    session = world.broker.sessions.by_client_id["c"]
    assert session.username == "carol"


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ([], 0x87),
        ([None], 0x87),
        ([True], 0),
        ([False], 0x87),
        ([None, True], 0),
        ([False, True], 0x87),
        ([True, False], 0),
        ([RuntimeError("a bug"), True], 0x87),
        ([Reject(0x99)], 0x99),
        ([Reject(0)], 0x87),
        (["yes"], 0x87),
        ([1], 0x87),
    ],
)
def test_the_first_answer_decides_who_publishes(answers: list[Any], code: int) -> None:
    world = world_with(Says(True), *(Says(acl=answer) for answer in answers))
    assert world.client("c").publish("t", qos=1).reason_code in {code, 0x10 if code == 0 else code}


@pytest.mark.parametrize(
    ("answer", "code"), [(None, 0x87), (True, 1), (False, 0x87), (ValueError(), 0x87), (Reject(0x80), 0x80)]
)
def test_who_subscribes(answer: Any, code: int) -> None:
    assert world_with(Says(True, answer)).client("c").subscribe("a/#", 1) == code


def test_each_filter_is_asked_for_without_its_share() -> None:
    hook = Says(True, {("a", False): True, ("b/#", False): False, ("c", False): True})
    client = world_with(hook).client("c")
    suback = client.ask(Subscribe(1, [Subscription("a"), Subscription("$share/g/b/#"), Subscription("$share/g/c", 2)]))
    assert isinstance(suback, Suback)
    assert suback.reason_codes == [0, 0x87, 2]
    assert hook.asked == [("c", "a", False), ("c", "b/#", False), ("c", "c", False)]


def test_reading_is_asked_for_each_topic_delivered_and_remembered() -> None:
    hook = Says(True, {("#", False): True, ("open", False): True})
    world = world_with(hook, Says(acl={("open", True): True, ("shut", True): True}))
    client = world.client("c")
    client.subscribe("#")
    hook.asked.clear()
    for topic in ("open", "shut", "open", "shut"):
        client.publish(topic)
    assert [message.topic for message in client.messages()] == ["open", "open"]
    assert [row for row in hook.asked if not row[2]] == [("c", "open", False), ("c", "shut", False)]


def test_retained_messages_are_read_topics_too() -> None:
    rules: dict[tuple[str, bool], bool] = {("#", False): True, ("open", False): True}
    hook = Says(True, rules)
    world = world_with(hook, Says(acl={("open", True): True, ("shut", True): True}))
    client = world.client("c")
    client.publish("open", b"1", retain=True)
    client.publish("shut", b"2", retain=True)
    client.subscribe("#")
    assert [message.topic for message in client.messages()] == ["open"]


@pytest.mark.parametrize(
    ("plain", "heard"), [(None, ["shut"]), (True, ["shut"]), (False, []), (ValueError(), []), (Reject(0), [])]
)
def test_what_was_said_of_the_filter_holds_where_nobody_can_be_asked(plain: Any, heard: list[str]) -> None:
    class Waits(Hook):
        filters_only = True

        async def on_acl_check(self, client: Client, topic: str, write: bool) -> bool:
            return True

    world = world_with(Says(True, {("shut", False): plain} if plain is not None else None), Waits())
    if isinstance(plain, Exception):
        world = world_with(Says(True, plain), Waits())
    client, pub = world.client("c"), world.client("pub")
    client.send(Subscribe(1, [Subscription("#")]))
    world.answer(0)
    client.read()
    pub.send(Publish("shut"))
    world.answer(0)
    assert [message.topic for message in client.messages()] == heard


def test_who_waits_says_that_filters_are_enough() -> None:
    """Or delivered topics would be let through without a question, though the hook would say no."""

    class Waits(Hook):
        async def on_acl_check(self, client: Client, topic: str, write: bool) -> bool:
            return not topic.startswith("secret")

    world = World()
    dispatcher = Dispatcher(world.broker, [AllowAll()])
    with pytest.raises(TypeError, match=r"hook Waits: on_acl_check is async def.*filters_only = True"):
        dispatcher.add(Waits())
    assert [type(hook) for hook in dispatcher.hooks] == [AllowAll]
    with pytest.raises(TypeError):
        Dispatcher(world.broker, [Waits()])


def test_the_will_is_asked_for_with_the_connect() -> None:
    world = world_with(Says(True, {("mine", True): True}))
    assert connack_of(world, will=Will("mine")).reason_code == 0
    assert connack_of(world, will=Will("theirs")).reason_code == 0x87


def test_allow_all_alone_costs_nothing() -> None:
    world = world_with(AllowAll())
    assert world.broker.access is None
    assert world_with(Hook(), AllowAll(), Says(False, False)).broker.access is None
    assert world_with(Says(False), AllowAll()).broker.access is not None


def test_rules_may_change() -> None:
    rules = {("#", False): True, ("t", False): True, ("t", True): True}
    world = world_with(Says(True, rules))
    client = world.client("c")
    client.subscribe("#")
    client.publish("t")
    rules["t", False] = False
    client.publish("t")
    assert len(client.messages()) == 2
    world.broker.rules_changed()
    client.publish("t")
    assert client.messages() == []


class Exchange(Hook):
    """Two steps: a challenge, then the answer has to be the data of the challenge backwards."""

    auth_methods = frozenset({"BACKWARDS"})

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, bytes | None, bool]] = []

    def on_auth_packet(
        self, client: Client, method: str, data: bytes | None, renewal: bool
    ) -> Challenge | Decision | None:
        self.seen.append((client.id, method, data, renewal))
        if data == b"start":
            return Challenge(b"abc")
        if data == b"cba":
            return Decision(True, username="carol", data=b"welcome")
        if data == b"bug":
            raise RuntimeError("a bug")
        return Decision(False, 0x86) if data == b"wrong" else None


class Silent(Exchange):
    auth_methods = frozenset({"OTHER"})


def auth_connect(data: bytes, method: str = "BACKWARDS") -> Connect:
    properties = ConnectProperties(authentication_method=method, authentication_data=data)
    return Connect("c", properties=properties)


def auth(code: int, data: bytes) -> Auth:
    return Auth(code, AuthProperties(authentication_method="BACKWARDS", authentication_data=data))


def test_an_exchange_and_its_renewal() -> None:
    hook, other = Exchange(), Silent()
    world = world_with(other, hook, Says(acl=True))
    client = world.link()
    challenge = client.ask(auth_connect(b"start"))
    assert isinstance(challenge, Auth)
    assert challenge.properties is not None
    assert challenge.properties.authentication_data == b"abc"
    connack = client.ask(auth(0x18, b"cba"))
    assert isinstance(connack, Connack)
    assert connack.properties is not None
    assert (connack.reason_code, connack.properties.authentication_data) == (0, b"welcome")
    assert world.broker.sessions.by_client_id["c"].username == "carol"
    assert client.ask(auth(0x19, b"start")).reason_code == 0x18
    assert client.ask(auth(0x18, b"cba")).reason_code == 0
    assert [row[3] for row in hook.seen] == [False, False, True, True]
    assert hook.seen[0] == ("c", "BACKWARDS", b"start", False)
    assert other.seen == []


@pytest.mark.parametrize(("data", "code"), [(b"wrong", 0x86), (b"bug", 0x87), (b"nobody knows", 0x87)])
def test_an_exchange_fails(data: bytes, code: int) -> None:
    client = world_with(Exchange()).link()
    assert client.ask(auth_connect(data)).reason_code == code


def test_a_method_that_no_hook_has() -> None:
    client = world_with(Exchange(), AllowAll()).link()
    assert client.ask(auth_connect(b"start", "SCRAM")).reason_code == 0x8C
    plain = world_with(AllowAll()).link()
    assert plain.ask(auth_connect(b"start")).reason_code == 0x8C


def test_a_refused_publish_goes_nowhere() -> None:
    world = world_with(Says(True, {("#", False): True, ("yes", True): True, ("yes", False): True}))
    client = world.client("c")
    client.subscribe("#")
    client.send(Publish("no"), Publish("yes"))
    assert [message.topic for message in client.messages()] == ["yes"]

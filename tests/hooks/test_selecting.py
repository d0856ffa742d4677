# SPDX-License-Identifier: MIT
"""Hooks that choose who gets a message."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from mqtt_ref.broker.inline import InlineClient
from mqtt_ref.broker.selection import Recipient, Selection
from mqtt_ref.engine.message import Message
from mqtt_ref.engine.options import Options
from mqtt_ref.hooks import AllowAll, Hook
from mqtt_ref.hooks.dispatch import Dispatcher
from mqtt_ref.wire.packets import ConnectProperties
from tests.sansio import Client, World


class Selects(Hook):
    def __init__(self, answer: Callable[[Message, Selection], Any]) -> None:
        self.answer = answer
        self.seen: list[Selection] = []

    def on_select_subscribers(self, message: Message, selection: Selection) -> Any:
        self.seen.append(selection)
        return self.answer(message, selection)


def world_with(*answers: Callable[[Message, Selection], Any], **more: Any) -> tuple[World, list[Selects]]:
    world = World(**more)
    hooks = [Selects(answer) for answer in answers]
    Dispatcher(world.broker, [AllowAll(), *hooks])
    return world, hooks


def three(world: World) -> list[Client]:
    clients = [world.client(client_id) for client_id in "abc"]
    for client in clients:
        client.subscribe("t", 1)
    return clients


@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("retain", [False, True])
def test_some_of_them(qos: int, retain: bool) -> None:
    def not_b(message: Message, selection: Selection) -> Selection:
        return Selection([one for one in selection.clients if one.client_id != "b"])

    world, (hook,) = world_with(not_b)
    clients = three(world)
    clients[0].publish("t", b"x", qos=qos, retain=retain)
    assert [client.payloads() for client in clients] == [[b"x"], [], [b"x"]]
    assert hook.seen == [Selection([Recipient(client_id, 1) for client_id in "abc"])]


def test_unchanged() -> None:
    world, _ = world_with(lambda message, selection: None)
    clients = three(world)
    clients[0].publish("t", b"x", qos=1)
    assert [client.payloads() for client in clients] == [[b"x"]] * 3


def test_others_and_differently() -> None:
    def change(message: Message, selection: Selection) -> Selection:
        return Selection([Recipient("a", 0), Recipient("d", 1, False, True, (3, 4))])

    world, _ = world_with(change)
    clients = [*three(world), world.client("d")]
    clients[3].publish("t", b"x", qos=1, retain=True)
    assert [m.qos for m in clients[0].messages()] == [0]
    assert clients[1].messages() == []
    (message,) = clients[3].messages()
    assert (message.qos, message.retain) == (1, True)
    assert message.properties is not None
    assert message.properties.subscription_identifier == [3, 4]


def test_hooks_are_chained() -> None:
    less = lambda message, selection: Selection(selection.clients[1:])  # noqa: E731
    world, hooks = world_with(less, less)
    clients = three(world)
    clients[0].publish("t", b"x")
    assert [client.payloads() for client in clients] == [[], [], [b"x"]]
    assert len(hooks[1].seen[0].clients) == 2


def test_what_stays_stays_as_it_was() -> None:
    """Also where each matching subscription gives a copy of its own."""
    same = lambda message, selection: Selection(list(selection.clients))  # noqa: E731
    world, (hook,) = world_with(same, options=Options(decisions={"overlapping": "each"}))
    client = world.client("a")
    client.subscribe("t", 1, 1)
    client.subscribe("#", 0, 2)
    client.publish("t", qos=1)
    assert [m.properties.subscription_identifier for m in client.messages() if m.properties] == [[2], [1]]
    assert sorted(hook.seen[0].clients[0].identifiers) == [1, 2]


def group_of(world: World) -> list[Client]:
    keep = ConnectProperties(session_expiry_interval=100)
    clients = [world.client(client_id, properties=keep) for client_id in "abc"]
    for client in clients:
        client.subscribe("$share/g/t", 1)
    return clients


def test_a_member_of_a_group_is_chosen() -> None:
    def always_c(message: Message, selection: Selection) -> Selection:
        selection.groups["$share/g/t"] = ["c"]
        return selection

    world, (hook,) = world_with(always_c)
    clients = group_of(world)
    for _ in range(3):
        clients[0].publish("t", b"x", qos=1)
    assert [len(client.messages()) for client in clients] == [0, 0, 3]
    assert hook.seen[0].clients == []


def test_the_first_that_can_take_it() -> None:
    def turned(message: Message, selection: Selection) -> Selection:
        return Selection([], {"$share/g/t": ["c", "b"]})

    world, _ = world_with(turned)
    clients = group_of(world)
    clients[0].publish("t", b"x", qos=1)
    clients[2].drop()
    clients[0].publish("t", b"y", qos=1)
    assert clients[1].payloads() == [b"y"]


def test_turns_go_on_where_a_group_is_left_alone() -> None:
    world, _ = world_with(lambda message, selection: Selection(selection.clients, dict(selection.groups)))
    clients = group_of(world)
    for _ in range(6):
        clients[0].publish("t", b"x", qos=1)
    assert [len(client.messages()) for client in clients] == [2, 2, 2]


def test_inline_subscriptions_are_not_in_question() -> None:
    world, (hook,) = world_with(lambda message, selection: Selection())
    clients = three(world)
    heard: list[bytes] = []
    InlineClient(world.broker, "inside").subscribe("t", lambda received: heard.append(received.payload), world.now)
    clients[0].publish("t", b"x")
    assert heard == [b"x"]
    assert [client.payloads() for client in clients] == [[], [], []]
    assert len(hook.seen[0].clients) == 3


def test_no_member_of_a_group() -> None:
    world, _ = world_with(lambda message, selection: Selection([], {"$share/g/t": []}))
    clients = group_of(world)
    assert clients[0].publish("t", b"x", qos=1).reason_code == 0x10
    assert [client.messages() for client in clients] == [[], [], []]


@pytest.mark.parametrize(
    "wrong",
    [
        Selection([Recipient("nobody")]),
        Selection([Recipient("a"), Recipient("a", 1)]),
        Selection([Recipient("a", 3)]),
        Selection([Recipient("a", 0, False, False, (0,))]),
        Selection([], {"$share/g/x": []}),
        Selection([], {"$share/g/t": ["nobody"]}),
        ["a"],
        RuntimeError("a bug"),
    ],
    ids=repr,
)
def test_a_wrong_answer_delivers_to_nobody(wrong: Any, caplog: pytest.LogCaptureFixture) -> None:
    def answer(message: Message, selection: Selection) -> Any:
        if isinstance(wrong, Exception):
            raise wrong
        return wrong

    world, _ = world_with(answer)
    clients = group_of(world)
    clients[0].subscribe("t")
    with caplog.at_level(logging.ERROR, "mqtt_ref.hooks"):
        clients[0].publish("t", b"x", qos=1)
    assert [client.messages() for client in clients] == [[], [], []]
    assert "hook Selects failed in on_select_subscribers" in caplog.text

# SPDX-License-Identifier: MIT
"""Who may read what is asked again when the client behind a session is another one than before."""

from __future__ import annotations

import pytest

from mqtt_ref.engine.access import ACCEPT, Access, Verdict
from mqtt_ref.hooks import Hook
from mqtt_ref.hooks.dispatch import Dispatcher
from mqtt_ref.wire.packets import Auth, AuthProperties, Connect, ConnectProperties, Publish
from tests.sansio import Client, World

KEPT = ConnectProperties(session_expiry_interval=100)


def melons_only() -> Access:
    return Access(on_acl_check_read=lambda session, topic: session.username == "melon" or topic != "secret")


def login(world: World, username: str) -> Client:
    link = world.link()
    link.send(Connect("a", clean_start=False, username=username, properties=KEPT))
    link.read()
    return link


@pytest.mark.parametrize("topic_filter", ["secret", "+", "#"])
def test_a_session_taken_up_by_another_user_has_that_ones_rights(topic_filter: str) -> None:
    world = World()
    world.broker.set_access(melons_only())
    sender = world.client("b")
    melon = login(world, "melon")
    melon.subscribe(topic_filter)
    sender.publish("secret", b"1")
    assert melon.payloads() == [b"1"]
    peach = login(world, "peach")
    sender.publish("secret", b"2")
    assert peach.payloads() == []
    again = login(world, "melon")
    sender.publish("secret", b"3")
    assert again.payloads() == [b"3"]


def test_only_the_topics_of_that_session_are_asked_for_again() -> None:
    asked: list[str] = []
    world = World()
    world.broker.set_access(Access(on_acl_check_read=lambda session, topic: asked.append(topic) or True))  # type: ignore[func-returns-value]
    sender = world.client("b")
    sender.subscribe("other")
    login(world, "melon").subscribe("secret")
    for topic in ("secret", "other"):
        sender.publish(topic)
    login(world, "melon")
    asked.clear()
    for topic in ("secret", "other"):
        sender.publish(topic)
    assert asked == ["secret"]


def test_so_does_who_authenticates_again_as_another_user() -> None:
    names = iter(["melon", "peach"])
    world = World()
    access = melons_only()
    access.methods = frozenset({"M"})
    access.on_auth_packet = lambda *_: Verdict(ACCEPT, username=next(names))
    world.broker.set_access(access)
    link = world.link()
    link.send(Connect("a", properties=ConnectProperties(authentication_method="M")))
    link.read()
    link.subscribe("+")
    sender = world.client("b")
    sender.publish("secret", b"1")
    assert link.payloads() == [b"1"]
    link.send(Auth(0x19, AuthProperties(authentication_method="M")))
    assert link.one(Auth).reason_code == 0
    sender.publish("secret", b"2")
    assert link.payloads() == []
    assert world.broker.sessions.by_client_id["a"].username == "peach"


class Moody(Hook):
    """Changes its mind about what may be read."""

    def __init__(self) -> None:
        self.open = False

    def on_connect_authenticate(self, client: object, connect: Connect) -> bool:
        return True

    def on_acl_check(self, client: object, topic: str, write: bool) -> bool:
        return write or self.open or topic == "#"

    def change(self) -> None:
        self.open = not self.open
        self.rules_changed()


def test_a_hook_that_changes_its_rules_is_asked_again_in_every_server_that_has_it() -> None:
    hook = Moody()
    worlds = [World(), World()]
    dispatchers = [Dispatcher(world.broker, [hook]) for world in worlds]
    clients = [world.client("a") for world in worlds]
    for client in clients:
        assert client.subscribe("#") == 0
        client.publish("t", b"1")
        assert client.payloads() == []
    hook.change()
    for client in clients:
        client.publish("t", b"2")
        assert client.payloads() == [b"2"]
    for dispatcher in dispatchers:
        dispatcher.remove(hook)
    assert hook._brokers == ()
    hook.change()


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("connected", [True, False])
def test_a_group_gives_nothing_to_a_member_that_may_not_read_it(qos: int, connected: bool) -> None:
    """Also when nobody else can take it: it is queued for one that may, or for nobody."""
    world = World()
    world.broker.set_access(melons_only())
    sender = world.client("sender")
    peaches = []
    for number in range(3):
        peach = world.link()
        peach.send(Connect(f"p{number}", username="peach", properties=KEPT))
        peach.read()
        assert peach.subscribe("$share/g/+", 2) == 2
        peaches.append(peach)
    sender.publish("secret", b"1", qos)
    assert world.broker.counters.dropped_unshared == 1
    melon = world.link()
    melon.send(Connect("m", username="melon", properties=KEPT))
    melon.read()
    melon.subscribe("$share/g/+", 2)
    if not connected:
        melon.drop()
    for number in range(5):
        sender.publish("secret", b"%d" % number, qos)
        sender.publish("open", b"x", qos)
    if not connected:
        melon = world.link()
        melon.send(Connect("m", username="melon", clean_start=False, properties=KEPT))
    got = [packet for packet in melon.read() if isinstance(packet, Publish)]
    if connected or qos:
        assert [packet.payload for packet in got if packet.topic == "secret"] == [b"%d" % n for n in range(5)]
    for peach in peaches:
        assert all(packet.topic == "open" for packet in peach.read() if isinstance(packet, Publish))
    waiting = [session for name, session in world.broker.sessions.by_client_id.items() if name.startswith("p")]
    assert all(delivery.message.topic == "open" for session in waiting for delivery in session.queue or ())

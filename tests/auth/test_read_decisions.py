# SPDX-License-Identifier: MIT
"""Who may read what is asked again when the client behind a session is another one than before."""

from __future__ import annotations

import pytest

from mqtt_ref.broker.memory import MemoryStore
from mqtt_ref.engine.access import ACCEPT, Access, Verdict
from mqtt_ref.engine.options import Options
from mqtt_ref.hooks import Hook
from mqtt_ref.hooks.dispatch import Dispatcher
from mqtt_ref.wire.packets import (
    Auth,
    AuthProperties,
    Connack,
    Connect,
    ConnectProperties,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Subscribe,
    Subscription,
)
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


def drops(world: World) -> list[tuple[str, str]]:
    """Client and reason of each message dropped from now on."""
    seen: list[tuple[str, str]] = []
    world.broker.watch.on_publish_dropped = lambda session, message, why: seen.append((session.client_id, why))
    return seen


def qos_drops(world: World) -> list[tuple[bytes, str]]:
    seen: list[tuple[bytes, str]] = []
    world.broker.watch.on_qos_dropped = lambda session, message, packet_id, why: seen.append((message.payload, why))
    return seen


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_what_waited_for_one_user_is_not_sent_to_another(qos: int) -> None:
    world = World(Options(decisions={"offline_qos0": "queue"}))
    world.broker.set_access(melons_only())
    melon = login(world, "melon")
    melon.subscribe("+", 2)
    melon.drop()
    sender = world.client("b")
    for topic, payload in (("secret", b"1"), ("open", b"2"), ("secret", b"3")):
        sender.publish(topic, payload, qos)
    seen = drops(world)
    assert login_and_read(world, "peach") == [b"2"]
    assert seen == [("a", "denied")] * 2
    assert world.broker.counters.dropped_denied == 2
    assert world.broker.counters.messages_queued == 0
    assert world.broker.counters.queued_bytes == 0
    assert login_and_read(world, "melon") == []


def login_and_read(world: World, username: str) -> list[bytes]:
    link = world.link()
    link.send(Connect("a", clean_start=False, username=username, properties=KEPT))
    connack, *link.inbox = link.read()
    assert connack.session_present
    return link.payloads()


@pytest.mark.parametrize("qos", [1, 2])
def test_what_was_sent_to_one_user_is_not_resent_to_another(qos: int) -> None:
    world = World()
    world.broker.set_access(melons_only())
    melon = login(world, "melon")
    melon.subscribe("+", 2)
    sender = world.client("b")
    for topic, payload in (("secret", b"1"), ("open", b"2")):
        sender.publish(topic, payload, qos)
    first, second = melon.read()
    melon.drop()
    seen, ended = drops(world), qos_drops(world)
    peach = world.link()
    peach.send(Connect("a", clean_start=False, username="peach", properties=KEPT))
    _, again = peach.read()
    assert again == Publish("open", b"2", qos, dup=True, packet_id=second.packet_id)
    assert (seen, ended) == ([("a", "denied")], [(b"1", "denied")])
    assert list(world.broker.sessions.by_client_id["a"].inflight) == [second.packet_id]
    assert world.broker.counters.messages_inflight == 1
    if qos == 2:  # a PUBREC that comes late ends the exchange: there is no message for it any more
        assert peach.ask(Pubrec(first.packet_id)).reason_code == 0x92


def test_an_exchange_of_which_only_the_pubrel_is_left_is_finished_with_any_user() -> None:
    world = World()
    world.broker.set_access(melons_only())
    melon = login(world, "melon")
    melon.subscribe("+", 2)
    world.client("b").publish("secret", b"1", 2)
    packet_id = melon.one(Publish).packet_id
    assert melon.ask(Pubrec(packet_id)) == Pubrel(packet_id)
    melon.drop()
    peach = world.link()
    peach.send(Connect("a", clean_start=False, username="peach", properties=KEPT))
    assert peach.read()[1:] == [Pubrel(packet_id)]
    peach.send(Pubcomp(packet_id))
    assert world.broker.sessions.by_client_id["a"].inflight == {}
    assert world.broker.counters.dropped_denied == 0


@pytest.mark.parametrize("connected", [True, False])
def test_what_waits_when_the_rules_change_is_judged_by_the_new_ones(connected: bool) -> None:
    """Of a connected client, what waits for send quota."""
    world = World()
    rules = {"secret"}
    world.broker.set_access(Access(on_acl_check_read=lambda session, topic: session.client_id != "a" or topic in rules))
    receiver = world.client(
        "a", clean_start=False, properties=ConnectProperties(session_expiry_interval=100, receive_maximum=1)
    )
    receiver.subscribe("+", 1)
    sender = world.client("b")
    sender.publish("secret", b"1", 1)
    first = receiver.one(Publish)
    sender.publish("secret", b"2", 1)
    rules.clear()
    rules.add("open")
    world.broker.rules_changed()
    sender.publish("open", b"3", 1)
    if connected:
        receiver.send(Puback(first.packet_id))
    else:
        receiver.drop()
        receiver = world.client("a", clean_start=False, properties=KEPT)
    assert receiver.payloads() == [b"3"]
    assert world.broker.counters.dropped_denied == (1 if connected else 2)


def test_nobody_is_asked_about_what_waits_while_nothing_changes() -> None:
    asked: list[str] = []
    world = World()
    world.broker.set_access(Access(on_acl_check_read=lambda session, topic: asked.append(topic) or True))  # type: ignore[func-returns-value]
    receiver = world.client("a", properties=ConnectProperties(session_expiry_interval=100, receive_maximum=1))
    receiver.subscribe("+", 1)
    sender = world.client("b")
    for number in range(10):
        sender.publish("t", b"%d" % number, 1)
    assert len(receiver.payloads()) == 10
    assert asked == ["t"]


def test_what_a_store_gives_back_is_judged_by_the_rules_of_today() -> None:
    storage = MemoryStore()
    world = World(storage=storage)
    receiver = world.client("a", clean_start=False, properties=KEPT)
    receiver.subscribe("+", 1)
    sender = world.client("b")
    sender.publish("secret", b"1", 1)
    receiver.drop()
    for topic in ("secret", "open"):
        sender.publish(topic, topic.encode(), 1)
    later = World(storage=storage)
    later.broker.set_access(Access(on_acl_check_read=lambda session, topic: topic != "secret"))
    again = later.client("a", clean_start=False, properties=KEPT)
    assert again.payloads() == [b"open"]
    assert later.broker.counters.dropped_denied == 2


@pytest.mark.parametrize("sent", [True, False])
def test_a_message_for_a_group_goes_to_another_member_if_the_one_it_waited_for_lost_the_right(sent: bool) -> None:
    world = World()
    world.broker.set_access(melons_only())
    melon = login(world, "melon")
    melon.subscribe("$share/g/+", 1)
    if not sent:
        melon.drop()
    world.client("sender").publish("secret", b"1", 1)
    if sent:
        assert melon.one(Publish).payload == b"1"
        melon.drop()
    other = world.link()
    other.send(Connect("other", username="melon"))
    other.read()
    other.subscribe("$share/g/+", 1)
    assert login_and_read(world, "peach") == []
    assert other.payloads() == [b"1"]
    assert world.broker.counters.dropped_denied == 0


class ByFilter(Hook):
    """Its answer for a filter is valid for every topic that matches it, and for the user who asked."""

    filters_only = True

    def on_connect_authenticate(self, client: object, connect: Connect) -> bool:
        return True

    async def on_acl_check(self, client: object, topic: str, write: bool) -> bool:
        return True


def test_another_user_gets_a_new_session_where_only_filters_are_checked() -> None:
    world = World()
    Dispatcher(world.broker, [ByFilter()])
    login(world, "melon").send(Subscribe(1, [Subscription("secret", 1)]))
    world.answer(0)
    world.client("b").send(Publish("secret", b"1", 1, packet_id=1))
    world.answer(0)
    same = world.link()
    same.send(Connect("a", clean_start=False, username="melon", properties=KEPT))
    connack, message = same.read()
    assert connack.session_present
    assert message.payload == b"1"
    peach = world.link()
    peach.send(Connect("a", clean_start=False, username="peach", properties=KEPT))
    assert not peach.one(Connack).session_present
    assert world.broker.sessions.by_client_id["a"].subscriptions == {}

# SPDX-License-Identifier: MIT
"""Random clients of a real broker, held against the model after every step."""

from __future__ import annotations

import sys
from itertools import count

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mqtt_ref.broker.memory import MemoryStore
from mqtt_ref.engine.tables import TABLES, Tables
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import (
    Connect,
    ConnectProperties,
    Disconnect,
    Packet,
    Pingreq,
    Puback,
    Pubcomp,
    Publish,
    PublishProperties,
    Pubrec,
    Pubrel,
    Subscribe,
    SubscribeProperties,
    Subscription,
    Unsubscribe,
    Will,
    WillProperties,
)
from mqtt_ref.wire.primitives import V5
from tests.model import state
from tests.model.link import Seen, shortened
from tests.model.model import Model
from tests.model.state import NEVER, SECOND, SESSION_TAKEN_OVER, Finding
from tests.sansio import World

__all__ = ["Clients", "machine"]

IDS = ("ann", "ben", "cid")
TOPICS = ("a", "a/b", "a/c", "d")
FILTERS = ("a", "a/b", "a/+", "a/#", "#", "+/b", "d", "$share/g/a/b", "$share/g/a/#", "$share/h/a/b")
IDENTIFIERS = st.sampled_from(IDS)
LONG = 1000


class Clients(RuleBasedStateMachine):
    """Clients that connect, subscribe, publish, fall silent and come back, in all versions at once."""

    tables: Tables = TABLES
    examples = 0
    """How many of these machines came to their end."""
    steps = 0
    """How many steps they did."""

    def __init__(self) -> None:
        super().__init__()
        self.serial = 0
        self.closing: dict[str, int] = {}
        """By client: the Reason Code of the DISCONNECT that it may get."""
        self.links: dict[str, Seen] = {}
        self.ids: dict[str, int] = {}
        self.half: dict[str, list[Publish]] = {}

    @initialize(
        stored=st.sampled_from(("none", "at once", "late")),
        crowd=st.lists(
            st.tuples(st.sampled_from((5, 5, 4, 3)), st.integers(0, 2), st.sampled_from(("#", "a/#", "$share/g/a/#"))),
            max_size=3,
        ),
    )
    def begin(self, stored: str, crowd: list[tuple[int, int, str]]) -> None:
        """A broker that stores nothing, at once, or when it is told to; some clients may be there already."""
        self.late = stored == "late"
        storage = None if stored == "none" else MemoryStore()
        self.world = World(tables=self.tables, storage=storage, auto=not self.late)
        self.model = Model(self.close, self.late)
        for client_id, (version, qos, topic_filter) in zip(IDS, crowd, strict=False):
            self._connect(client_id, version, False, LONG, 2, 1, 0, None)
            self._subscribe(client_id, state.Subscription(topic_filter, qos), 0)

    # ---------------------------------------------------------------- what comes

    def close(self, client_id: str, code: int) -> None:
        """The model says that the broker has to end this link."""
        self.closing[client_id] = code

    def settle(self) -> None:
        """After a step: what had to be closed is closed, nothing else is, and nothing that was due is missing."""
        for client_id, link in list(self.links.items()):
            if link.closed and client_id not in self.closing:
                raise Finding(f"{client_id} was disconnected for no reason")
        for client_id in self.closing:
            old = self.links.pop(client_id, None)
            if old is not None and not old.closed and not self.world.commits:
                raise Finding(f"{client_id} had to be disconnected and was not")
            if old is not None:
                old.over = True
        self.closing.clear()
        if self.world.commits:
            return
        for client_id, link in self.links.items():
            if link.expected:
                raise Finding(f"{client_id} does not get {link.expected[0]}")
        self.model.check(self.world.now)

    # ---------------------------------------------------------------- what clients do

    def send(self, link: Seen, *packets: Packet) -> None:
        """Send in one write."""
        session = self.model.sessions.get(link.client_id)
        if session is not None:
            session.heard = self.world.now
        link.send_raw(b"".join(encode(link.version, p) for p in packets))

    def packet_id(self, client_id: str) -> int:
        """An identifier that this client does not use, taken from few, so that they come again."""
        link = self.links.get(client_id)
        used = set() if link is None else {e[1] for e in link.expected}
        used.update(packet.packet_id for packet in self.half.get(client_id, ()))
        number = next(n for n in count(self.ids.get(client_id, 0) % 16 + 1) if n not in used)
        self.ids[client_id] = number
        return number

    @rule(
        client_id=IDENTIFIERS,
        version=st.sampled_from((5, 5, 5, 4, 3)),
        clean=st.booleans(),
        expiry=st.sampled_from((0, 2, LONG, NEVER)),
        receive_maximum=st.sampled_from((1, 2, 3, 100)),
        aliases=st.sampled_from((0, 1, 5)),
        keep_alive=st.sampled_from((0, 0, 4)),
        will=st.none()
        | st.tuples(st.sampled_from(TOPICS), st.integers(0, 2), st.booleans(), st.sampled_from((0, 1, 3))),
    )
    def connect(
        self, client_id: str, version: int, clean: bool, expiry: int, receive_maximum: int, aliases: int,
        keep_alive: int, will: tuple[str, int, bool, int] | None,
    ) -> None:  # fmt: skip
        """Connect, resume, start clean, or take an older connection over."""
        self._connect(client_id, version, clean, expiry, receive_maximum, aliases, keep_alive, will)

    @precondition(lambda self: self.model.sessions)
    @rule(
        data=st.data(),
        how=st.sampled_from(("lost", "lost unseen", "taken over")),
        pause=st.sampled_from((0, 0, 1, 2)),
        receive_maximum=st.sampled_from((1, 2, 100)),
    )
    def come_back(self, data: st.DataObject, how: str, pause: int, receive_maximum: int) -> None:
        """Lose a link, or be away already, and go on with the session after a while."""
        client_id = data.draw(st.sampled_from(sorted(self.model.sessions)))
        version = self.model.sessions[client_id].version
        if client_id in self.links and how != "taken over":
            self._leave(client_id, how, 1)
        if pause:
            self._pass(pause * SECOND)
        self._connect(client_id, version, False, LONG, receive_maximum, 1, 0, None)

    def _connect(
        self, client_id: str, version: int, clean: bool, expiry: int, receive_maximum: int, aliases: int,
        keep_alive: int, will: tuple[str, int, bool, int] | None,
    ) -> None:  # fmt: skip
        if version != V5:
            expiry, receive_maximum, aliases = (0 if clean else NEVER), 65_535, 0
        properties = None
        if version == V5:
            properties = ConnectProperties(
                session_expiry_interval=expiry, receive_maximum=receive_maximum, topic_alias_maximum=aliases
            )
        left = self._will(will, version)
        wanted = None
        if left is not None and will is not None:
            wanted = state.Will(left.topic, left.payload, left.qos, left.retain, will[3] if version == V5 else 0)
        limit = min(receive_maximum, 1024)
        kept = self.model.sessions.get(client_id)
        if kept is not None and kept.connected and self.world.commits:
            self.model.unseen(client_id)
        present = self.model.connect(client_id, version, clean, expiry, self.world.now, wanted, limit, keep_alive)
        session = self.model.sessions[client_id]
        if session is not kept:
            self.half.pop(client_id, None)
        old = self.links.pop(client_id, None)
        if old is not None:
            old.over = old.over or self.late
        link = Seen(self, client_id, version, aliases)
        self.links[client_id] = link
        link.expected.append(("connack", 0, present if version != 3 else False))
        link.send_raw(
            encode(version, Connect(client_id, protocol_version=version, clean_start=clean, keep_alive=keep_alive,
                                    will=left, properties=properties))
        )  # fmt: skip
        if old is not None:
            old.over = True
            if not old.closed and not self.world.commits:
                raise Finding(f"{client_id} was taken over and not disconnected")
            if old.version == V5 and old.farewell != SESSION_TAKEN_OVER and not self.late:
                raise Finding(f"{client_id} was taken over and not told so")
            self.closing.pop(client_id, None)
        session.uncertain = bool(self.world.commits)
        self.settle()

    def _will(self, will: tuple[str, int, bool, int] | None, version: int) -> Will | None:
        if will is None:
            return None
        topic, qos, retain, delay = will
        self.serial += 1
        properties = WillProperties(will_delay_interval=delay) if version == V5 and delay else None
        return Will(topic, b"w%d" % self.serial, qos, retain, properties)

    def connected(self) -> list[str]:
        """The clients that can do something."""
        return [c for c in self.links if not self.links[c].closed]

    @precondition(lambda self: self.connected())
    @rule(
        data=st.data(),
        topic_filter=st.sampled_from(FILTERS),
        qos=st.integers(0, 2),
        no_local=st.booleans(),
        as_published=st.booleans(),
        handling=st.integers(0, 2),
        identifier=st.sampled_from((0, 0, 1, 77)),
    )
    def subscribe(
        self, data: st.DataObject, topic_filter: str, qos: int, no_local: bool, as_published: bool, handling: int,
        identifier: int,
    ) -> None:  # fmt: skip
        """Subscribe, or replace a subscription."""
        client_id = data.draw(st.sampled_from(self.connected()))
        link = self.links[client_id]
        if link.version != V5:
            no_local, as_published, handling, identifier = False, False, 0, 0
        if topic_filter.startswith("$share/"):
            no_local = False
        self._subscribe(client_id, state.Subscription(topic_filter, qos, no_local, as_published, identifier), handling)

    def _subscribe(self, client_id: str, wanted: state.Subscription, handling: int) -> None:
        link = self.links[client_id]
        self.model.subscribe(client_id, wanted, handling, self.world.now)
        number = self.packet_id(client_id)
        link.expected.append(("suback", number, (wanted.qos,)))
        properties = SubscribeProperties(subscription_identifier=wanted.identifier) if wanted.identifier else None
        entry = Subscription(wanted.topic_filter, wanted.qos, wanted.no_local, wanted.retain_as_published, handling)
        self.send(link, Subscribe(number, [entry], properties))
        self.settle()

    @precondition(lambda self: self.connected())
    @rule(data=st.data(), topic_filter=st.sampled_from(FILTERS))
    def unsubscribe(self, data: st.DataObject, topic_filter: str) -> None:
        """Unsubscribe, whether subscribed or not."""
        client_id = data.draw(st.sampled_from(self.connected()))
        link = self.links[client_id]
        there = self.model.unsubscribe(client_id, topic_filter)
        number = self.packet_id(client_id)
        link.expected.append(("unsuback", number, (0 if there else 0x11,) if link.version == V5 else ()))
        self.send(link, Unsubscribe(number, [topic_filter]))
        self.settle()

    @precondition(lambda self: self.connected())
    @rule(
        data=st.data(),
        topic=st.sampled_from(TOPICS),
        qos=st.integers(0, 2),
        retain=st.booleans(),
        empty=st.sampled_from((False, False, False, True)),
        expiry=st.sampled_from((None, None, 1, 3, LONG)),
        alias=st.sampled_from((0, 0, 1)),
        count=st.integers(1, 4),
    )
    def publish(
        self, data: st.DataObject, topic: str, qos: int, retain: bool, empty: bool, expiry: int | None, alias: int,
        count: int,
    ) -> None:  # fmt: skip
        """Publish a few messages in one write; QoS 2 ones are left half done sometimes."""
        client_id = data.draw(st.sampled_from(self.connected()))
        link = self.links[client_id]
        empty = empty and retain and not self.model.under_way(topic, b"")
        if empty:
            # Empty payloads cannot be told apart, so that only one of them is under way at a time.
            expiry, count = None, 1
        packets: list[Packet] = []
        finish = data.draw(st.booleans())
        for _ in range(count):
            packet = self._message(link, topic, qos, retain, empty, expiry, alias)
            packets.append(shortened(link, packet))
            self._accepted(link, packet)
            if qos == 2 and finish:
                packets.append(Pubrel(packet.packet_id))
                link.expected.append(("pubcomp", packet.packet_id, 0))
                self.half[client_id].remove(packet)
        self.send(link, *packets)
        self.settle()

    def _message(
        self, link: Seen, topic: str, qos: int, retain: bool, empty: bool, expiry: int | None, alias: int
    ) -> Publish:
        self.serial += 1
        properties = None
        if link.version == V5 and (expiry is not None or alias):
            properties = PublishProperties(message_expiry_interval=expiry, topic_alias=alias or None)
        payload = b"" if empty else b"m%d" % self.serial
        number = self.packet_id(link.client_id) if qos else 0
        return Publish(topic, payload, qos, retain, packet_id=number, properties=properties)

    def _accepted(self, link: Seen, packet: Publish) -> None:
        """The model takes the message in, and the client expects its answer."""
        expiry = packet.properties.message_expiry_interval if packet.properties else None
        client_id = link.client_id
        self.model.publish(packet.topic, packet.payload, packet.qos, packet.retain, client_id, self.world.now, expiry)
        if packet.qos == 1:
            link.expected.append(("puback", packet.packet_id, 0))
        elif packet.qos == 2:
            link.expected.append(("pubrec", packet.packet_id, 0))
            self.half.setdefault(client_id, []).append(packet)

    @precondition(lambda self: any(self.half.get(c) for c in self.connected()))
    @rule(data=st.data(), again=st.booleans())
    def finish(self, data: st.DataObject, again: bool) -> None:
        """Go on with a QoS 2 message: repeat its PUBLISH, or send its PUBREL."""
        client_id = data.draw(st.sampled_from([c for c in self.connected() if self.half.get(c)]))
        link = self.links[client_id]
        packet = self.half[client_id][0]
        number = packet.packet_id
        if again and link.version in (5, 4, 3):
            repeat = Publish(packet.topic, packet.payload, 2, packet.retain, True, number)
            link.expected.append(("pubrec", number, 0))
            self.send(link, repeat)
        else:
            self.half[client_id].remove(packet)
            link.expected.append(("pubcomp", number, 0))
            self.send(link, Pubrel(number))
        self.settle()

    @precondition(lambda self: any(self.links[c].unacknowledged for c in self.connected()))
    @rule(data=st.data(), count=st.integers(1, 6), refuse=st.sampled_from((False, False, False, True)))
    def acknowledge(self, data: st.DataObject, count: int, refuse: bool) -> None:
        """Answer some of what came, oldest first, as a client has to."""
        client_id = data.draw(st.sampled_from([c for c in self.connected() if self.links[c].unacknowledged]))
        self._acknowledge(self.links[client_id], count, refuse)
        self.settle()

    @precondition(lambda self: self.model.still_to_come_again())
    @rule(data=st.data(), refuse=st.sampled_from((False, False, True)))
    def answer_early(self, data: st.DataObject, refuse: bool) -> None:
        """Answer what came on an earlier connection before it had its turn to come again."""
        found = self.model.still_to_come_again()
        client_id, delivery = found[data.draw(st.integers(0, len(found) - 1))]
        code = 0x83 if refuse and self.links[client_id].version == V5 else 0
        answer = Puback if delivery.qos == 1 else Pubrec
        if delivery.qos == 1 or code:
            self.model.acknowledged(client_id, delivery.packet_id)
        else:
            self.model.received(client_id, delivery.packet_id)
        self.send(self.links[client_id], answer(delivery.packet_id, code))
        self.settle()

    def _acknowledge(self, link: Seen, count: int, refuse: bool = False) -> None:
        answers: list[Packet] = []
        some, link.unacknowledged = link.unacknowledged[:count], link.unacknowledged[count:]
        code = 0x83 if refuse and link.version == V5 else 0
        for packet in some:
            if isinstance(packet, Pubrel):
                self.model.acknowledged(link.client_id, packet.packet_id)
                answers.append(Pubcomp(packet.packet_id))
            elif isinstance(packet, Publish) and packet.qos == 1:
                self.model.acknowledged(link.client_id, packet.packet_id)
                answers.append(Puback(packet.packet_id, code))
            elif isinstance(packet, Publish):
                if code:
                    self.model.acknowledged(link.client_id, packet.packet_id)
                else:
                    self.model.received(link.client_id, packet.packet_id)
                answers.append(Pubrec(packet.packet_id, code))
        self.send(link, *answers)

    @precondition(lambda self: self.connected())
    @rule(data=st.data(), how=st.sampled_from(("goodbye", "with will", "lost", "lost unseen", "half a packet")))
    def leave(self, data: st.DataObject, how: str) -> None:
        """Disconnect, or lose the link: before, after or in the middle of a packet."""
        client_id = data.draw(st.sampled_from(self.connected()))
        self._leave(client_id, how, data.draw(st.integers(1, 20)) if how == "half a packet" else 0)

    def _leave(self, client_id: str, how: str, cut: int) -> None:
        link = self.links.pop(client_id)
        now = self.world.now
        if self.world.commits:
            self.model.unseen(client_id)
        if how == "goodbye" or (how == "with will" and link.version != V5):
            self.model.disconnected(client_id, now, with_will=False)
            link.over = True
            self.send(link, Disconnect())
        elif how == "with will":
            self.model.disconnected(client_id, now, with_will=True)
            link.over = True
            self.send(link, Disconnect(0x04))
        elif how == "lost unseen":
            # The broker takes this message in, and everything it says back is lost with the link.
            packet = self._message(link, "a/b", 1, False, False, None, 0)
            self._accepted(link, packet)
            link.over = True
            self.model.unseen(client_id)
            link.connection.receive(encode(link.version, packet), now)
            self.model.disconnected(client_id, now, with_will=True)
            link.drop()
        else:
            if how == "half a packet":
                whole = encode(link.version, Publish("a", b"never whole", 1, packet_id=9))
                link.send_raw(whole[: min(cut, len(whole) - 1)])
            self.model.disconnected(client_id, now, with_will=True)
            link.over = True
            link.drop()
        self.closing.pop(client_id, None)
        self.settle()

    @precondition(lambda self: self.connected())
    @rule(data=st.data())
    def ping(self, data: st.DataObject) -> None:
        """Show a sign of life."""
        client_id = data.draw(st.sampled_from(self.connected()))
        self.links[client_id].expected.append(("pingresp", 0, 0))
        self.send(self.links[client_id], Pingreq())
        self.settle()

    @rule(seconds=st.sampled_from((0.5, 1.0, 2.0, 4.0)))
    def pass_time(self, seconds: float) -> None:
        """Let time pass: wills, sessions, messages and silent clients run out."""
        self._pass(int(seconds * SECOND))

    @invariant()
    def tick(self) -> None:
        """No two clients do anything at the same instant, so that nothing of theirs falls due at the same instant."""
        type(self).steps += 1
        self._pass(1000)

    def _pass(self, nanoseconds: int) -> None:
        until = self.world.now + nanoseconds
        while True:
            due = min((e[0] for e in self.model.events() if e[0] <= until), default=None)
            step = until if due is None else due
            # Both sides are taken to the same instant, so that what the broker sends meets what is owed by then.
            self.model.pass_time(step)
            if step > self.world.now:
                # Half a nanosecond more: what is cut off from a float must not make this one too few.
                self.world.pass_time((step - self.world.now + 0.5) / SECOND)
            else:
                self.world.pass_time(0)
            self.settle()
            if due is None:
                break

    @precondition(lambda self: self.world.commits)
    @rule()
    def commit(self) -> None:
        """The store has done one of the batches that are under way."""
        self.world.commit(0)
        if not self.world.commits:
            for session in self.model.sessions.values():
                session.uncertain = False
        self.settle()

    def commit_all(self) -> None:
        """The store has done everything."""
        while self.world.commits:
            self.commit()

    # ---------------------------------------------------------------- the end

    def teardown(self) -> None:
        """Everything that is owed to a session arrives once its client comes back and acknowledges all."""
        if not hasattr(self, "world") or sys.exc_info()[0] is not None:
            # A step has failed: what it found must not be hidden by what comes of it.
            return
        type(self).examples += 1
        self.commit_all()
        for client_id, session in list(self.model.sessions.items()):
            if client_id not in self.links:
                self._connect(client_id, session.version, False, NEVER, 1000, 0, 0, None)
                self.commit_all()
        for _ in range(200):
            busy = [link for link in self.links.values() if link.unacknowledged and not link.closed]
            for link in busy:
                self._acknowledge(link, 1000)
            self.commit_all()
            if not busy:
                break
        self.settle()
        for session in self.model.sessions.values():
            left = session.in_flight() + session.pending(self.world.now)
            if left:
                raise Finding(f"{session.client_id} never gets {left[0].message.payload!r}")


def machine(tables: Tables) -> type[Clients]:
    """The same clients for a broker that keeps other rules."""
    return type("ChangedClients", (Clients,), {"tables": tables})

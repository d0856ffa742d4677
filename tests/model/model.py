# SPDX-License-Identifier: MIT
"""What each client must and may receive, written as plainly as it can be: the model that the broker is held against.

It knows sessions, subscriptions, retained messages and wills, and for each session the list of what it is owed. It
predicts nothing that the standards leave open; where several outcomes are legal it accepts all of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from mqtt_ref.broker.topics import matches
from tests.model.state import (
    KEEP_ALIVE_TIMEOUT,
    NEVER,
    SECOND,
    SESSION_TAKEN_OVER,
    Delivery,
    Finding,
    Form,
    Group,
    Message,
    Session,
    Shared,
    Subscription,
    Will,
    split,
)

__all__ = ["Model"]


class Model:
    """The plain model. Every method is told the time; `close` is called when the broker has to end a link, with the
    Reason Code that a DISCONNECT has then.

    Where the store is `late` a packet is seen later than the broker sent it, so its age says nothing.
    """

    def __init__(self, close: Callable[[str, int], None], late: bool = False) -> None:
        self.close = close
        self.late = late
        self.sessions: dict[str, Session] = {}
        self.retained: dict[str, Message] = {}
        self.groups: dict[tuple[str, str], Group] = {}
        self.shared: list[Shared] = []
        self.sequence = 0

    # ---------------------------------------------------------------- connections

    def connect(
        self, client_id: str, version: int, clean: bool, expiry: int, now: int, will: Will | None,
        receive_maximum: int, keep_alive: int,
    ) -> bool:  # fmt: skip
        """A CONNECT is accepted; returns the Session Present that the client has to be told."""
        old = self.sessions.get(client_id)
        if old is not None and old.connected:
            self._taken_over(old, clean, now)
        old = self.sessions.get(client_id)
        if old is not None and clean:
            if old.will is not None and old.will_at is not None:
                self._publish_will(old, now)
            self._end(old)
            old = None
        present = old is not None
        session = old or Session(client_id, version, expiry)
        self.sessions[client_id] = session
        session.version, session.expiry, session.connected, session.ends = version, expiry, True, None
        session.will, session.will_at = will, None
        session.receive_maximum, session.keep_alive, session.heard = receive_maximum, keep_alive, now
        session.resumed, session.resent = present, set()
        for delivery in session.owed:
            delivery.charged = delivery.unreleased = False
        return present

    def _taken_over(self, old: Session, clean: bool, now: int) -> None:
        self.close(old.client_id, SESSION_TAKEN_OVER)
        old.connected = False
        old.lose_qos0()
        if old.will is not None and (old.will.delay == 0 or old.expiry == 0 or clean):
            self._publish_will(old, now)
        if old.expiry == 0:
            self._end(old)

    def unseen(self, client_id: str) -> None:
        """What was on its way to the client may be lost with the link, and may have been sent."""
        for delivery in self.sessions[client_id].owed:
            delivery.maybe = delivery.maybe or delivery.state == "pending"
        for shared in self.shared:
            if client_id in shared.members and not shared.taken_by:
                shared.maybe.add(client_id)

    def disconnected(self, client_id: str, now: int, *, with_will: bool) -> None:
        """The link ended: by a DISCONNECT that discards the will, or in any other way."""
        session = self.sessions[client_id]
        if not session.connected:
            return
        session.connected = False
        for shared in self.shared:
            if any(client_id in group.members for group in shared.groups):
                shared.due = False
        session.lose_qos0()
        if not with_will:
            session.will = None
        if session.will is not None:
            delay = session.will.delay
            if delay == 0 or session.expiry == 0:
                self._publish_will(session, now)
            else:
                session.will_at = now + delay * SECOND
        if session.expiry == 0:
            self._end(session)
        elif session.expiry != NEVER:
            session.ends = now + session.expiry * SECOND

    def _end(self, session: Session) -> None:
        self.sessions.pop(session.client_id, None)
        for group in self.groups.values():
            group.members.pop(session.client_id, None)
        waiting = [s for s in self.shared if session.client_id in s.members and not s.taken_by]
        for shared in waiting:
            # It may have waited for this member, and may go to one who joined later now that this one is gone.
            shared.join(self._groups(session.client_id, shared.message, None))
        for delivery in session.owed:
            if delivery.groups and delivery.qos == 1 and delivery.state == "sent":
                # A QoS 1 message of a group may go to another member when the session ends.
                for shared in self.shared:
                    # It takes the room that others may have been meant for.
                    shared.due = False
                self.shared.append(Shared(delivery.message, delivery.groups))

    def _groups(self, client_id: str, message: Message, form: Form | None) -> tuple[Group, ...]:
        """The groups by any of which a member may get a message, or may get it in this form."""
        found = [s for s in self.shared if s.message is message and client_id in s.members]
        if form is not None:
            found = [s for s in found if form in self._forms(s, client_id)]
        return tuple(group for shared in found for group in shared.groups)

    def _publish_will(self, session: Session, now: int) -> None:
        will, session.will, session.will_at = session.will, None, None
        assert will is not None
        self.publish(will.topic, will.payload, will.qos, will.retain, session.client_id, now)

    # ---------------------------------------------------------------- time

    def events(self) -> Iterator[tuple[int, int, str, str]]:
        """What will happen by itself, and when."""
        for session in self.sessions.values():
            if session.connected and session.keep_alive:
                yield session.heard + session.keep_alive * 3 * SECOND // 2, 0, "silence", session.client_id
            if session.will_at is not None:
                yield session.will_at, 1, "will", session.client_id
            if session.ends is not None and not session.connected:
                yield session.ends, 2, "end", session.client_id

    def pass_time(self, until: int) -> None:
        """Let everything happen that is due."""
        while due := min((e for e in self.events() if e[0] <= until), default=None):
            when, _, what, client_id = due
            session = self.sessions[client_id]
            if what == "silence":
                if self.late:
                    self.unseen(client_id)
                self.close(client_id, KEEP_ALIVE_TIMEOUT)
                self.disconnected(client_id, when, with_will=True)
            elif what == "will":
                self._publish_will(session, when)
            else:
                if session.will is not None:
                    self._publish_will(session, when)
                self._end(session)

    # ---------------------------------------------------------------- subscriptions

    def subscribe(self, client_id: str, wanted: Subscription, retain_handling: int, now: int) -> None:
        """A subscription is made or replaced; retained messages become owed."""
        session = self.sessions[client_id]
        group = split(wanted.topic_filter)
        if group is not None:
            shared = self.groups.setdefault(group, Group(*group))
            shared.members[client_id] = wanted
            session.subscriptions[wanted.topic_filter] = wanted
            return
        new = wanted.topic_filter not in session.subscriptions
        session.subscriptions[wanted.topic_filter] = wanted
        if retain_handling == 2 or (retain_handling == 1 and not new):
            return
        for topic, message in self.retained.items():
            if message.expired(now) or not matches(wanted.topic_filter, topic):
                continue
            if wanted.no_local and message.publisher == client_id:
                continue
            qos = min(message.qos, wanted.qos)
            identifiers = (wanted.identifier,) if wanted.identifier else ()
            session.owed.append(Delivery(message, qos, True, identifiers, "retained"))

    def unsubscribe(self, client_id: str, topic_filter: str) -> bool:
        """A subscription is deleted; whether there was one."""
        group = split(topic_filter)
        if group is not None and group in self.groups:
            self.groups[group].members.pop(client_id, None)
        return self.sessions[client_id].subscriptions.pop(topic_filter, None) is not None

    # ---------------------------------------------------------------- messages

    def publish(
        self, topic: str, payload: bytes, qos: int, retain: bool, publisher: str, now: int, expiry: int | None = None
    ) -> Message:
        """A message is accepted: it becomes owed to every session that matches, and retained if it says so."""
        self.sequence += 1
        message = Message(self.sequence, topic, payload, qos, retain, publisher, now, expiry)
        if retain:
            self.retained.pop(topic, None)
            if payload:
                self.retained[topic] = message
        for session in self.sessions.values():
            self._owe(session, message)
        for group in self.groups.values():
            if group.members and matches(group.topic_filter, topic):
                self.shared.append(Shared(message, (group,), due=self._ready(group)))
        return message

    def under_way(self, topic: str, payload: bytes) -> bool:
        """Whether somebody may still get this message."""
        owed = (d.message for s in self.sessions.values() for d in s.owed if d.state != "done")
        waiting = (s.message for s in self.shared if not s.taken_by)
        return any((m.topic, m.payload) == (topic, payload) for m in (*owed, *waiting))

    def _ready(self, group: Group) -> bool:
        """Whether a member is there that can take a message at once, whatever other groups give it."""
        members = [self.sessions[c] for c in group.members]
        waiting = sum(not s.taken_by for s in self.shared) + len(self.groups)
        return any(
            s.connected and len(s.in_flight()) + len(s.pending(0)) + waiting <= s.receive_maximum for s in members
        )

    def _owe(self, session: Session, message: Message) -> None:
        found = [
            s
            for f, s in session.subscriptions.items()
            if split(f) is None
            and matches(f, message.topic)
            and not (s.no_local and message.publisher == session.client_id)
        ]
        if not found:
            return
        qos = min(message.qos, max(s.qos for s in found))
        if qos == 0 and not session.connected:
            return
        retain = message.retain and any(s.retain_as_published for s in found)
        identifiers = tuple(s.identifier for s in found if s.identifier)
        session.owed.append(Delivery(message, qos, retain, identifiers))

    # ---------------------------------------------------------------- what is seen

    def sent(self, client_id: str, topic: str, payload: bytes, qos: int, retain: bool, dup: bool, packet_id: int,
             identifiers: tuple[int, ...], expiry: int | None, now: int) -> Delivery:  # fmt: skip
        """A PUBLISH reached the client: it has to be one that is owed, in order, once.

        Raises:
            Finding: it is not.
        """
        session = self.sessions.get(client_id)
        if session is None:
            raise Finding(f"{client_id} has no session and gets {topic} {payload!r}")
        if dup:
            delivery = self._again(session, topic, payload, packet_id, qos, retain, identifiers)
        else:
            delivery = self._first(session, topic, payload, qos, retain, packet_id, identifiers, now)
        if session.version != 5 and qos and not delivery.packet_id:
            delivery.perhaps = self._perhaps(session, delivery)
        elif session.version == 5 and sum(identifiers) in delivery.perhaps:
            delivery.identifiers, delivery.perhaps = identifiers, frozenset()
        seen = (topic, payload, qos, retain, Counter(identifiers))
        message = delivery.message
        kept = delivery.identifiers if session.version == 5 else ()
        wanted = (message.topic, message.payload, delivery.qos, delivery.retain, Counter(kept))
        if seen != wanted:
            raise Finding(f"{client_id} gets {seen}, is owed {wanted}")
        if session.version == 5 and message.expiry is not None and not self.late:
            left = max(0, message.expiry - (now - message.at) // SECOND)
            if expiry != left:
                raise Finding(f"{client_id} gets Message Expiry Interval {expiry}, {left} is left of {message.expiry}")
        session.sent_order += 1
        if qos == 0:
            delivery.state = "done"
        else:
            delivery.state, delivery.packet_id, delivery.maybe = "sent", packet_id, False
            delivery.order = delivery.order or session.sent_order
            delivery.charged = True
            session.resent.add(packet_id)
            if session.quota() < 0:
                raise Finding(f"{client_id} gets more than its Receive Maximum of {session.receive_maximum}")
        return delivery

    def _again(self, session: Session, topic: str, payload: bytes, packet_id: int, qos: int, retain: bool,
               identifiers: tuple[int, ...]) -> Delivery:  # fmt: skip
        if not session.resumed:
            raise Finding(f"{session.client_id} gets DUP 1 for {payload!r} on a session that was not resumed")
        if packet_id in session.resent:
            raise Finding(f"{session.client_id} gets packet {packet_id} twice on one connection")
        for delivery in session.owed:
            if (delivery.message.topic, delivery.message.payload) != (topic, payload) or delivery.qos == 0:
                continue
            if delivery.state == "sent" and delivery.packet_id == packet_id:
                earlier = [d for d in session.in_flight() if d.state == "sent" and d.order < delivery.order]
                if any(d.packet_id not in session.resent for d in earlier):
                    raise Finding(f"{session.client_id} gets {payload!r} again out of order")
                return delivery
            seen = (qos, retain, Counter(identifiers))
            kept = delivery.identifiers if session.version == 5 else ()
            if (
                delivery.maybe
                and delivery.state == "pending"
                and (delivery.qos, delivery.retain, Counter(kept)) == seen
            ):
                return delivery
        form = (qos, retain, sum(identifiers))
        shared = self._claim(session.client_id, form, Message(0, topic, payload, qos, retain, "", 0), set(), True)
        if shared is not None:
            return self._take(shared, session, form, again=True)
        raise Finding(f"{session.client_id} gets {payload!r} with DUP 1, which it was never sent with id {packet_id}")

    def _first(self, session: Session, topic: str, payload: bytes, qos: int, retain: bool, packet_id: int,
               identifiers: tuple[int, ...], now: int) -> Delivery:  # fmt: skip
        if qos and any(d.packet_id == packet_id for d in session.in_flight()):
            raise Finding(f"{session.client_id} gets packet id {packet_id}, which is in use")
        candidates = [
            d for d in session.owed if d.state == "pending" and (d.message.topic, d.message.payload) == (topic, payload)
        ]
        exact = [
            d
            for d in candidates
            if (d.qos, d.retain) == (qos, retain)
            and (session.version != 5 or Counter(d.identifiers) == Counter(identifiers))
        ]
        for delivery in exact:
            if delivery.message.expired(now) and not self.late:
                raise Finding(f"{session.client_id} gets {payload!r}, which has expired")
            self._in_order(session, delivery, now)
            return delivery
        like = Message(0, topic, payload, qos, retain, "", now)
        form = (qos, retain, sum(identifiers))
        shared = self._claim(session.client_id, form, like, set(), False)
        if shared is not None:
            return self._take(shared, session, form, again=False)
        if candidates:
            return candidates[0]
        raise Finding(f"{session.client_id} gets {topic} {payload!r} QoS {qos}, which it is not owed")

    def _claim(self, client_id: str, form: Form, like: Message, tried: set[int], again: bool) -> Shared | None:
        """The group's message that a client gets in this form: QoS, RETAIN and Subscription Identifier.

        A client may be in several groups that match, and nothing tells which one a copy is for. Where the other members
        need it so, those who have theirs already are thought to have had it by another group.
        """
        taken: list[Shared] = []
        for shared in sorted(self.shared, key=lambda s: (bool(s.maybe), not s.due)):
            message = shared.message
            same = (message.topic, message.payload) == (like.topic, like.payload)
            if not same or id(shared) in tried or form not in self._forms(shared, client_id):
                continue
            if again and client_id not in shared.maybe:
                continue
            if not shared.taken_by:
                return shared
            taken.append(shared)
        for shared in taken:
            tried.add(id(shared))
            other = self._claim(shared.taken_by, shared.form, shared.message, tried, shared.again)
            if other is not None:
                other.taken_by, other.form, other.again = shared.taken_by, shared.form, shared.again
                shared.taken_by = ""
                return shared
        return None

    def _forms(self, shared: Shared, client_id: str) -> dict[Form, list[int]]:
        """How a member may get a message of its group: by its subscription of then, or by the one of now.

        The values are the Subscription Identifiers, which matter once the client speaks 5.0 again.
        """
        session = self.sessions.get(client_id)
        if session is None or client_id not in shared.members:
            return {}
        forms: dict[Form, list[int]] = {}
        now = [group.members[client_id] for group in shared.groups if client_id in group.members]
        for member in (*shared.members[client_id], *now):
            retain = shared.message.retain and member.retain_as_published
            identifier = member.identifier if session.version == 5 else 0
            forms.setdefault((min(shared.message.qos, member.qos), retain, identifier), []).append(member.identifier)
        return forms

    def _take(self, shared: Shared, session: Session, form: Form, *, again: bool) -> Delivery:
        """A member of a group gets the group's message, or that of another one of its groups: nothing tells which."""
        shared.taken_by, shared.form, shared.again = session.client_id, form, again
        qos, retain, identifier = form
        groups = self._groups(session.client_id, shared.message, form)
        kept = (identifier,) if identifier else ()
        delivery = Delivery(shared.message, qos, retain, kept, "shared", groups=groups)
        session.owed.append(delivery)
        return delivery

    def _perhaps(self, session: Session, delivery: Delivery) -> frozenset[int]:
        """By which subscriptions this may have come, since 3.x does not tell copies of a message apart by them."""
        message, qos, retain = delivery.message, delivery.qos, delivery.retain
        own = [d for d in session.owed if (d.message, d.qos, d.retain) == (message, qos, retain)]
        found = {sum(d.identifiers) for d in own}
        for shared in self.shared:
            if shared.message is message:
                found.update(self._forms(shared, session.client_id).get((qos, retain, 0), ()))
        return frozenset(found)

    def _in_order(self, session: Session, delivery: Delivery, now: int) -> None:
        """Per publisher, topic and QoS messages keep their order; an old retained one never follows a newer."""
        message = delivery.message
        for other in session.owed:
            if other is delivery:
                return
            waits = other.state == "pending" and not other.maybe and not other.message.expired(now)
            if (
                not waits
                or delivery.kind != "live"
                or (other.message.topic, other.qos) != (message.topic, delivery.qos)
            ):
                continue
            same = (other.message.publisher, other.message.qos) == (message.publisher, message.qos)
            if other.kind == "retained" or (other.kind == "live" and same):
                raise Finding(f"{session.client_id} gets {message.payload!r} before {other.message.payload!r}")

    def acknowledged(self, client_id: str, packet_id: int) -> None:
        """The client sent PUBACK, PUBCOMP, or a PUBREC of 0x80 or above."""
        for delivery in self.sessions[client_id].in_flight():
            if delivery.packet_id == packet_id:
                delivery.state = "done"

    def received(self, client_id: str, packet_id: int) -> None:
        """The client sent a PUBREC: a PUBREL is owed."""
        for delivery in self.sessions[client_id].in_flight():
            if delivery.packet_id == packet_id:
                delivery.state, delivery.unreleased = "released", True

    def still_to_come_again(self) -> list[tuple[str, Delivery]]:
        """What was sent before its client reconnected, is not acknowledged, and waits for its turn."""
        return [
            (session.client_id, delivery)
            for session in self.sessions.values()
            if session.connected and session.resumed and not self.late
            for delivery in session.in_flight()
            if delivery.state == "sent" and delivery.packet_id not in session.resent
        ]

    def released(self, client_id: str, packet_id: int) -> None:
        """A PUBREL reached the client.

        Raises:
            Finding: none is owed for this identifier.
        """
        session = self.sessions[client_id]
        found = [d for d in session.in_flight() if d.packet_id == packet_id and d.state == "released"]
        if not found:
            raise Finding(f"{client_id} gets a PUBREL for {packet_id}, which is not owed")
        found[0].unreleased = False
        session.resent.add(packet_id)

    # ---------------------------------------------------------------- what has to have happened

    def check(self, now: int) -> None:
        """Once the broker has nothing more to do: nothing that could have been sent is still pending.

        Raises:
            Finding: something is held back.
        """
        for session in self.sessions.values():
            if not session.connected or session.uncertain:
                continue
            flying = session.in_flight()
            for delivery in flying:
                if delivery.unreleased:
                    raise Finding(f"{session.client_id} does not get a PUBREL for packet {delivery.packet_id}")
            pending = session.pending(now)
            for delivery in pending:
                if delivery.qos == 0:
                    raise Finding(f"{session.client_id} does not get {delivery.message.payload!r} (QoS 0)")
            if session.resumed:
                for missing in (d for d in flying if d.packet_id not in session.resent):
                    if missing.state == "released" or session.quota() > 0:
                        raise Finding(f"{session.client_id} resumed and does not get packet {missing.packet_id} again")
            if pending and session.quota() > 0:
                raise Finding(f"{session.client_id} does not get {pending[0].message.payload!r}, though it has quota")
        for shared in self.shared:
            if shared.due and not shared.taken_by and not shared.maybe and not shared.message.expired(now):
                raise Finding(f"nobody of group {shared.groups[0].name} gets {shared.message.payload!r}")
            shared.due = False

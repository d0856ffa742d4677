# SPDX-License-Identifier: MIT
"""Deliver a message: which subscribers get it, and at which QoS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mqtt_ref.broker.fanout import Fanout, OwnFanouts
from mqtt_ref.broker.inline import Deliver, Received
from mqtt_ref.broker.matching import Subscribers
from mqtt_ref.broker.shared import Group
from mqtt_ref.broker.subscription import Entry, subscriptions, without_no_local
from mqtt_ref.engine import qos_send
from mqtt_ref.engine.generated.decisions import (
    OFFLINE_QOS0_DROP,
    OVERLAPPING_EACH,
    PUBLISH_UNSUBSCRIBED_SHARED_QUEUE,
)
from mqtt_ref.engine.message import NEVER, Message

if TYPE_CHECKING:
    from mqtt_ref.broker.broker import Broker
    from mqtt_ref.engine.session import Delivery, Session

__all__ = ["Deliverer"]


class Deliverer:
    """Delivers each message to its subscribers."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self.each = broker.decisions.overlapping == OVERLAPPING_EACH
        """True if a client gets one copy for each of its subscriptions that match."""
        self.one_copy = not self.each and broker.limits.granted_maximum == 2
        """True if a client gets one copy, at a QoS that only its subscriptions limit."""
        self._at_once = broker.turn // 4
        """Subscribers of one message that get it in one turn, whatever is left of that."""
        self.own = OwnFanouts(broker)
        self.fanout: Fanout | None = None
        """The message whose delivery `publish` did not finish."""
        self.stored = False
        """True if the store has to take something because of the last message."""

    def publish(self, message: Message, now: int, waits: bool = False) -> int:
        """Store a message if it is to be retained, and deliver it. Return 0 if it has no subscribers, else 1.

        A message with so many subscribers that a turn would take too long is delivered in several turns. With `waits`,
        its publisher waits for that: the result is -1, and `go_on` continues with `fanout`.

        Cites: MQTT5-4.5.0-1, MQTT311-4.5.0-1, MQTT311-3.3.5-1, X5-message-to-every-match, MQTT5-3.3.2-3,
        MQTT311-3.3.2-3, X311-deliver-to-matching, X311-topic-creation
        """
        broker = self._broker
        journal = broker.journal
        written = 0 if journal is None else journal.written
        if message.retain:
            broker.retained.keep(message, now)
        router = broker.router
        counters = broker.counters
        counters.messages_routed += 1
        counters.payload_routed_bytes += len(message.payload)
        match = router.at_once(message.topic)
        if match is None:
            return self._search(message, waits, now)
        chosen: list[Session | None] | None = None
        if broker.intercept.on_select_subscribers is not None:
            match, chosen = self.select(message, match)
        count = len(match.plain) + len(match.shared)
        broker.work -= count + router.spent + match.extra
        router.spent = 0
        if count > self._at_once or self.own.fanouts:
            later = self._in_turns(message, match, chosen, waits, now)
            if later:
                return later
        by_handle = broker.sessions.by_handle
        highest = message.qos
        if highest > broker.limits.granted_maximum:
            highest = broker.limits.granted_maximum
        special = message.retain or self.each
        for entry in match.plain:
            session = by_handle[entry.subscriber]
            if session is None or entry.special or special:
                self.deliver(entry, message, now)
            else:
                qos = entry.qos if entry.qos < highest else highest
                qos_send.deliver(session.connection, session, message, qos, False, entry.identifiers, now)
        # Each group gets the message once [X5-shared-one-receiver, X5-shared-independent, X5-shared-and-nonshared].
        for group in match.shared:
            self.to_group(group, message, now)
        if message.places and (message.places > 1 or message.retain):
            self._settle(message)
        if journal is not None:
            self.stored = journal.written != written
        watch = broker.watch
        if watch.on_published is not None:
            watch.on_published(broker.sessions.publisher(message), message, count > 0)
        return 1 if count else 0

    def _settle(self, message: Message) -> None:
        """Everyone has a message that is kept. One that is retained needs its encoded forms no longer."""
        if message.retain:
            message.forget_forms()
        self._broker.budget.follow(message)

    def select(self, message: Message, match: Subscribers) -> tuple[Subscribers, list[Session | None] | None]:
        """Let the hooks select subscribers. Return those, and their sessions if hooks have selected them."""
        intercept = self._broker.intercept
        if intercept.on_select_subscribers is None:
            return match, None
        chosen = intercept.on_select_subscribers(message, match)
        if chosen is None:
            return match, None
        match = chosen if isinstance(chosen, Subscribers) else Subscribers([], [])
        by_handle = self._broker.sessions.by_handle
        return match, [by_handle[entry.subscriber] for entry in match.plain]

    def _search(self, message: Message, waits: bool, now: int) -> int:
        """Begin to look for the subscribers of a message in several turns. Return what `publish` returns."""
        broker = self._broker
        broker.work -= broker.router.spent
        broker.router.spent = 0
        fanout = Fanout(message, Subscribers([], []), None)
        fanout.matching = broker.router.matching(message.topic)
        return self._begin(fanout, waits, now)

    def _begin(self, fanout: Fanout, waits: bool, now: int) -> int:
        if fanout.message.retain and self._broker.journal is not None:
            fanout.stored = True
        if not waits:
            self.own.add(fanout)
            return 1
        self.fanout = fanout
        return self.go_on(fanout, now)

    def _in_turns(
        self, message: Message, match: Subscribers, chosen: list[Session | None] | None, waits: bool, now: int
    ) -> int:
        """Begin to deliver a message in several turns. Return 0 if that is not needed, else what `publish` returns."""
        broker = self._broker
        own = self.own
        held = own.hold(message.publisher) if waits else len(own.fanouts) > 0
        count = len(match.plain) + len(match.shared)
        if count == 0 or (not held and count <= self._at_once):
            return 0
        broker.work += count  # it is charged as it is done
        fanout = Fanout(message, match, chosen)
        fanout.changes = broker.router.changes
        return self._begin(fanout, waits, now)

    def go_on(self, progress: object, now: int) -> int:
        """Continue with a `Fanout`. Return -1 if it is not finished, else 0 if it has no subscribers, else 1."""
        assert isinstance(progress, Fanout)
        if self.own.hold(progress.message.publisher) or not progress.go_on(self._broker, now):
            return -1
        self.published(progress, now)
        return 1 if progress.at else 0

    def finish(self, progress: object) -> None:
        """Finish a `Fanout` whose publisher has gone. Other progress ends with its connection."""
        if isinstance(progress, Fanout):
            self.own.add(progress)

    def published(self, fanout: Fanout, now: int) -> None:
        """Say that everyone has a message."""
        broker = self._broker
        self.stored = fanout.stored
        if fanout.message.places:
            self._settle(fanout.message)
        watch = broker.watch
        if watch.on_published is not None:
            watch.on_published(broker.sessions.publisher(fanout.message), fanout.message, fanout.at > 0)

    def deliver(self, entry: Entry, message: Message, now: int) -> None:
        """Deliver to one subscriber: once at the highest granted QoS, or once for each subscription if so decided.

        Cites: MQTT5-3.3.4-2, MQTT5-3.3.4-3, MQTT5-3.3.4-4, MQTT5-3.3.4-5, MQTT311-3.3.5-1, X5-overlapping-extra-copies,
        X311-overlap-further-copies, X5-subscription-identifier-identical, X5-subscription-identifier-foreign
        """
        session = self._broker.sessions.by_handle[entry.subscriber]
        if session is None:
            self._hand_over(entry.subscriber, message)
            return
        if entry.no_local and message.publisher == session.client_id:
            # Subscriptions without No Local of the same session still get it [MQTT5-3.8.3-3].
            kept = without_no_local(entry)
            if kept is None:
                return
            entry = kept
        if self.each:
            for part in subscriptions(entry):
                self._copy(session, part, message, "", now)
        else:
            self._copy(session, entry, message, "", now)

    def _copy(self, session: Session, entry: Entry, message: Message, group: str, now: int) -> None:
        """Deliver one copy at the lower of the published and the granted QoS, with RETAIN only if kept as published.

        Cites: MQTT5-3.8.4-8, MQTT5-3.3.1-12, MQTT5-3.3.1-13, MQTT311-3.8.4-6, MQTT311-3.3.1-9, X31-delivery-qos,
        X5-unsolicited-qos, X311-outbound-qos, X311-retain-empty-live, X31-retain-live,
        X5-subscription-identifier-shared
        """
        qos = min(message.qos, entry.qos, self._broker.limits.granted_maximum)
        retain = message.retain and entry.retain_as_published
        qos_send.deliver(session.connection, session, message, qos, retain, entry.identifiers, now, group)

    def _hand_over(self, handle: int, message: Message) -> None:
        """Deliver to an inline subscription."""
        subscription = self._broker.inline.get(handle)
        if subscription is not None:
            received = Received(message, False, subscription.topic_filter, subscription.identifier)
            self._broker.effects.append(Deliver(subscription, received))

    # ---------------------------------------------------------------- shared subscriptions

    def to_group(self, group: Group, message: Message, now: int) -> None:
        """Deliver to a member that may read it, is connected and has send quota; else queue it for one, if so decided.

        If the message is too large for the chosen member, no other member gets it.

        Cites: X5-shared-choice, X5-shared-packet-too-large, X5-shared-granted-qos
        """
        broker = self._broker
        handle = group.pick(lambda subscriber: self._available(group, subscriber, message))
        if handle < 0:
            if broker.decisions.publish_unsubscribed_shared == PUBLISH_UNSUBSCRIBED_SHARED_QUEUE and (
                message.qos or broker.decisions.offline_qos0 != OFFLINE_QOS0_DROP
            ):
                handle = group.queue_for(lambda subscriber: self._keeps(group, subscriber, message))
            if handle < 0:
                broker.counters.dropped_unshared += 1
                if broker.watch.on_publish_dropped is not None:
                    broker.watch.on_publish_dropped(None, message, "unshared")
                return
        member = group.member(handle)
        session = broker.sessions.by_handle[handle]
        if session is None:
            self._hand_over(handle, message)
        elif member is not None:
            # The QoS granted to this member holds [MQTT5-4.8.2-3].
            self._copy(session, member, message, f"$share/{group.name}/{group.topic_filter}", now)

    def _available(self, group: Group, handle: int, message: Message) -> bool:
        """True if a member can be sent the message now. QoS 0 needs no send quota."""
        broker = self._broker
        if handle in broker.inline:
            return True
        connection = broker.sessions.connections[handle]
        if connection is None or connection.outbox.choked or (connection.quota <= 0 and _qos(group, handle, message)):
            return False
        return self._entitled(handle, message.topic)

    def _keeps(self, group: Group, handle: int, message: Message) -> bool:
        """True if the message can be queued for a member that cannot be sent it now: QoS 0 may be dropped instead."""
        if not _qos(group, handle, message):
            broker = self._broker
            if broker.sessions.connections[handle] is not None or broker.decisions.offline_qos0 == OFFLINE_QOS0_DROP:
                return False
        return self._entitled(handle, message.topic)

    def _entitled(self, handle: int, topic: str) -> bool:
        """True if a member may read the topic. This is asked for each message, since only one member gets it."""
        broker = self._broker
        session = broker.sessions.by_handle[handle]
        return session is not None and broker.reading.may_read(session, topic)

    def share_again(self, deliveries: list[Delivery], now: int) -> None:
        """Deliver messages of a member whose session ended to other members: queued ones, and those sent with QoS 1.

        Before its end they wait for its client. Messages sent with QoS 2 are discarded. Messages that have expired are
        dropped, since their delivery to another member has not begun.

        Cites: X5-shared-qos1-wait, MQTT5-4.8.2-5, X5-shared-qos1-session-end, MQTT5-3.3.2-5
        """
        broker = self._broker
        for delivery in deliveries:
            if not delivery.group or (delivery.packet_id and delivery.qos == 2):
                continue
            message = delivery.message
            if message.expires_at != NEVER and now >= message.expires_at:
                broker.counters.dropped_expired += 1
                if broker.watch.on_publish_dropped is not None:
                    broker.watch.on_publish_dropped(None, message, "expired")
                continue
            group = broker.router.group(delivery.group)
            if group is not None:
                self.to_group(group, message, now)


def _qos(group: Group, handle: int, message: Message) -> int:
    """Return the QoS at which a member of a group gets a message."""
    member = group.member(handle)
    return 0 if member is None else min(message.qos, member.qos)

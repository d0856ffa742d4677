# SPDX-License-Identifier: MIT
"""From a message to its subscribers: who gets it, at which QoS, and once encoded for all that get the same form."""

from __future__ import annotations

from collections.abc import Callable

from mqtt_ref.broker.inline import Deliver, InlineSubscription, Received
from mqtt_ref.broker.retained import Retained
from mqtt_ref.broker.router import Entry, Group, Match, Router
from mqtt_ref.engine import qos_send
from mqtt_ref.engine.generated.decisions import (
    OFFLINE_QOS0_DROP,
    OVERLAPPING_EACH,
    PUBLISH_UNSUBSCRIBED_SHARED_QUEUE,
)
from mqtt_ref.engine.hub import Hub
from mqtt_ref.engine.link import Link
from mqtt_ref.engine.message import NEVER, PLAIN_MAXIMUM, Message
from mqtt_ref.engine.options import Options
from mqtt_ref.engine.session import Delivery, Session
from mqtt_ref.engine.tables import Tables
from mqtt_ref.wire.fast import encode_publish
from mqtt_ref.wire.primitives import V5, V311

__all__ = ["Deliverer"]

_NO_PREFIXES: list[bytes] = [b"", b"", b"", b""]


class Deliverer(Hub):
    """The part of the broker that brings messages to subscribers. Subscribers are the handles of sessions."""

    def __init__(self, options: Options, tables: Tables) -> None:
        super().__init__(options, tables)
        self.select: Callable[[Message, Match], Match] | None = None
        """Changes who gets a message."""
        self.plain_delivery = self.decisions.overlapping != OVERLAPPING_EACH and self.limits.granted_maximum == 2
        """Whether a subscriber gets one copy, at a QoS that nothing but its subscriptions bounds."""
        self.short_ways = self.plain_delivery
        """Whether messages may take the short ways: nobody changes who gets them either."""
        self.router = Router(refine=self._readable)
        self.retained_messages: Retained[Message] = Retained(options.bounds.retained_messages, measure=_size)
        self.sessions: list[Session | None] = []
        """By handle."""
        self.links: list[Link | None] = []
        """By handle of the session: the connection that is open."""
        self.inline: dict[int, InlineSubscription] = {}
        """By handle: subscribers inside this process, which have neither session nor connection."""

    def forward_qos0(self, link: Link, topic: str, payloads: list[bytes], now: int) -> None:
        """Deliver QoS 0 messages without properties that are not to be retained [X5-nonshared-own-copy].

        However many messages: for each subscriber they are one item in a list, and for each version they are encoded
        once.
        """
        match = self.router.match(topic)
        watch = self.watch
        size = sum([len(payload) for payload in payloads])
        if (
            match.shared
            or not self.short_ways
            or size > PLAIN_MAXIMUM
            or (watch is not None and watch.published is not None)
        ):
            for payload in payloads:
                self.forward(link, topic, payload, 0, now)
            return
        links = self.links
        dirty = self.dirty
        form3 = b""
        form5 = b""
        others: list[Entry] | None = None
        sent = 0
        for entry in match.plain:
            target = links[entry.subscriber]
            fast = 0 if target is None or entry.special else target.fast
            if target is None or fast == 0:
                if others is None:
                    others = []
                others.append(entry)
                continue
            if fast == 2:
                if not form5:
                    form5 = _encoded(V5, topic, payloads)
                target.out.append(form5)
            else:
                if not form3:
                    form3 = _encoded(V311, topic, payloads)
                target.out.append(form3)
            sent += 1
            if not target.queued:
                target.queued = True
                dirty.append(target)
        counters = self.counters
        count = len(payloads)
        counters.messages_routed += count
        counters.messages_sent += sent * count
        counters.packets_sent += sent * (count - 1)  # the driver counts one for each item that it writes
        counters.payload_routed_bytes += size
        counters.payload_sent_bytes += size * sent
        if others is not None:
            for payload in payloads:
                self.last_message += 1
                message = Message(self.last_message, topic, payload, 0, False, None, link.client_id, now)
                for entry in others:
                    self._deliver(entry, message, now)

    def forward(self, link: Link, topic: str, payload: bytes, qos: int, now: int) -> bool:
        """Deliver a message without properties that is not to be retained; False if nobody had subscribed.

        Subscribers that get the same form of it get the same bytes but for the packet identifier.
        [X5-nonshared-own-copy, X5-in-flight-several]
        """
        size = len(payload)
        if not self.short_ways or size > PLAIN_MAXIMUM:
            self.last_message += 1
            return self.publish(Message(self.last_message, topic, payload, qos, False, None, link.client_id, now), now)
        match = self.router.match(topic)
        counters = self.counters
        counters.messages_routed += 1
        counters.payload_routed_bytes += size
        links = self.links
        dirty = self.dirty
        form3 = b""
        form5 = b""
        prefixes = _NO_PREFIXES
        suffixes = _NO_PREFIXES
        message: Message | None = None
        sent = 0
        for entry in match.plain:
            target = links[entry.subscriber]
            if target is not None and target.fast and not entry.special:
                if qos == 0 or entry.qos == 0:
                    if target.fast == 2:
                        if not form5:
                            form5 = encode_publish(V5, topic.encode(), payload, 0, False, False, 0, None)
                        target.out.append(form5)
                    else:
                        if not form3:
                            form3 = encode_publish(V311, topic.encode(), payload, 0, False, False, 0, None)
                        target.out.append(form3)
                    sent += 1
                    if not target.queued:
                        target.queued = True
                        dirty.append(target)
                    continue
                session = target.session
                if session is not None and target.quota > 0 and session.queue is None and session.resending is None:
                    if message is None:
                        self.last_message += 1
                        message = Message(self.last_message, topic, payload, qos, False, None, link.client_id, now)
                    granted = entry.qos if entry.qos < qos else qos
                    at = target.fast * 2 + granted - 3
                    prefix = prefixes[at]
                    if not prefix:
                        version = V5 if target.fast == 2 else V311
                        form = encode_publish(version, message.encoded_topic, payload, granted, False, False, 0, None)
                        head = len(form) - size - target.fast + 1
                        if prefixes is _NO_PREFIXES:
                            prefixes = [b"", b"", b"", b""]
                            suffixes = [b"", b"", b"", b""]
                        prefix = prefixes[at] = form[: head - 2]
                        suffixes[at] = form[head:]
                    sent += 1
                    qos_send.start_plain(target, session, message, granted, prefix, suffixes[at])
                    continue
            if message is None:
                self.last_message += 1
                message = Message(self.last_message, topic, payload, qos, False, None, link.client_id, now)
            self._deliver(entry, message, now)
        counters.messages_sent += sent
        counters.payload_sent_bytes += sent * size
        if match.shared:
            if message is None:
                self.last_message += 1
                message = Message(self.last_message, topic, payload, qos, False, None, link.client_id, now)
            self._share(match, message, now)
        watch = self.watch
        if watch is not None and watch.published is not None:
            if message is None:
                self.last_message += 1
                message = Message(self.last_message, topic, payload, qos, False, None, link.client_id, now)
            watch.published(message, bool(match.plain or match.shared))
        return bool(match.plain or match.shared)

    def publish(self, message: Message, now: int) -> bool:
        """Keep a message if it is retained, and deliver it to everyone who subscribed [MQTT5-4.5.0-1].

        [MQTT311-4.5.0-1, MQTT311-3.3.5-1, X5-message-to-every-match]
        [MQTT5-3.3.2-3, MQTT311-3.3.2-3, X311-deliver-to-matching, X311-topic-creation]
        """
        if message.retain:
            self._retain(message, now)
        match = self.router.match(message.topic)
        if self.select is not None:
            match = self.select(message, match)
        self.counters.messages_routed += 1
        self.counters.payload_routed_bytes += len(message.payload)
        for entry in match.plain:
            self._deliver(entry, message, now)
        if match.shared:
            self._share(match, message, now)
        matched = bool(match.plain or match.shared)
        watch = self.watch
        if watch is not None and watch.published is not None:
            watch.published(message, matched)
        return matched

    def _deliver(self, entry: Entry, message: Message, now: int) -> None:
        """Deliver to one subscriber: once at the maximum granted QoS, or once for each subscription if so decided.

        [MQTT5-3.3.4-2, MQTT5-3.3.4-3, MQTT5-3.3.4-4, MQTT5-3.3.4-5, MQTT311-3.3.5-1]
        [X5-overlapping-extra-copies, X311-overlap-further-copies, X5-subscription-identifier-identical,
        X5-subscription-identifier-foreign]
        """
        session = self.sessions[entry.subscriber]
        if session is None:
            self._hand_over(entry.subscriber, message)
            return
        if entry.no_local and message.publisher == session.client_id:
            # Subscriptions without No Local of the same session still get it [MQTT5-3.8.3-3].
            kept = entry.local()
            if kept is None:
                return
            entry = kept
        if self.decisions.overlapping == OVERLAPPING_EACH:
            for part in entry.parts:
                self._copy(session, part, message, "", now)
        else:
            self._copy(session, entry, message, "", now)

    def _copy(self, session: Session, entry: Entry, message: Message, group: str, now: int) -> None:
        """One copy at the lower of the published and the granted QoS; RETAIN only where it is kept as published.

        [MQTT5-3.8.4-8, MQTT5-3.3.1-12, MQTT5-3.3.1-13, MQTT311-3.8.4-6, MQTT311-3.3.1-9, X31-delivery-qos]
        [X5-unsolicited-qos, X311-outbound-qos, X311-retain-empty-live, X31-retain-live,
        X5-subscription-identifier-shared]
        """
        granted = min(entry.qos, self.limits.granted_maximum)
        qos = min(message.qos, granted)
        retain = message.retain and entry.retain_as_published
        qos_send.deliver(self.links[session.handle], session, message, qos, retain, entry.identifiers, now, group)

    def _hand_over(self, handle: int, message: Message) -> None:
        """Deliver to a subscriber inside this process."""
        subscription = self.inline.get(handle)
        if subscription is not None:
            received = Received(message, False, subscription.topic_filter, subscription.identifier)
            self.effects.append(Deliver(subscription, received))

    # ---------------------------------------------------------------- retained messages

    def _retain(self, message: Message, now: int) -> None:
        """Replace the retained message of the topic, or remove it if the payload is empty.

        [MQTT5-3.3.1-5, MQTT5-3.3.1-6, MQTT5-3.3.1-7, MQTT5-3.3.1-8, MQTT311-3.3.1-5, MQTT311-3.3.1-10,
        MQTT311-3.3.1-11, MQTT311-3.3.1-12]. A message that expires at once is not kept.
        [X5-retained-qos0-stored, X311-retain-qos0-store, MQTT311-3.3.1-7, X311-retained-kept, X31-retain-delete]
        """
        held = self.retained_messages
        self.limit_expiry(message)
        if not message.payload or (message.expires_at and message.expires_at <= now):
            if not held.remove(message.topic):
                return
            self.retain_removed(message.topic)
            stored = False
        elif held.put(message.topic, message, message.expires_at):
            self.retain_put(message)
            stored = True
        else:
            self.counters.retained_refused += 1
            return
        watch = self.watch
        if watch is not None and watch.retained is not None:
            watch.retained(message, stored)

    def retain_put(self, message: Message) -> None:
        """A message is the retained one of its topic from now on."""
        raise NotImplementedError

    def retain_removed(self, topic: str) -> None:
        """A topic has no retained message from now on."""
        raise NotImplementedError

    def remove_retained(self, topic: str) -> bool:
        """Forget the retained message of a topic without a word to its subscribers; False if there is none."""
        if not self.retained_messages.remove(topic):
            return False
        self.retain_removed(topic)
        return True

    def remove_all_retained(self) -> int:
        """Forget all retained messages but what `$SYS` says; how many there were."""
        held = self.retained_messages
        topics = [topic for topic, _ in held.scan(0, len(held)) if not topic.startswith("$SYS/")]
        return sum([self.remove_retained(topic) for topic in topics])

    def retained(self, topic_filter: str, now: int) -> list[Message]:
        self.expire_retained(now)
        return [message for _, message in self.retained_messages.match(topic_filter)]

    def retained_full(self, topic: str) -> bool:
        return self.retained_messages.full(topic)

    def expire_retained(self, now: int) -> None:
        """Drop retained messages whose expiry interval has passed [X5-retained-expired]."""
        held = self.retained_messages
        when = held.next_expiry()
        if when and when <= now:
            watch = self.watch
            for topic in held.expire(now):
                self.counters.dropped_expired += 1
                self.retain_removed(topic)
                if watch is not None and watch.retained_expired is not None:
                    watch.retained_expired(topic)

    # ---------------------------------------------------------------- shared subscriptions

    def _share(self, match: Match, message: Message, now: int) -> None:
        """Each group gets the message once [X5-shared-one-receiver].

        [X5-shared-independent, X5-shared-and-nonshared]
        """
        for group in match.shared:
            self._to_group(group, message, now)

    def _to_group(self, group: Group, message: Message, now: int) -> None:
        """Choose a member that may read it, is connected and has send quota, else one to queue for [X5-shared-choice].

        If it takes no packet of that size, nobody gets the message [X5-shared-packet-too-large].
        [X5-shared-granted-qos]
        """
        handle = group.pick(lambda subscriber: self._available(group, subscriber, message))
        if handle < 0:
            if self.decisions.publish_unsubscribed_shared == PUBLISH_UNSUBSCRIBED_SHARED_QUEUE and (
                message.qos or self.decisions.offline_qos0 != OFFLINE_QOS0_DROP
            ):
                handle = group.queue_for(lambda subscriber: self._keeps(group, subscriber, message))
            if handle < 0:
                self.counters.dropped_unshared += 1
                self.tell_dropped(None, message, "unshared")
                return
        member = group.member(handle)
        session = self.sessions[handle]
        if session is None:
            self._hand_over(handle, message)
        elif member is not None:
            # The QoS granted to this member holds [MQTT5-4.8.2-3].
            self._copy(session, member, message, f"$share/{group.name}/{group.topic_filter}", now)

    def _available(self, group: Group, handle: int, message: Message) -> bool:
        """Whether a member can be sent the message now; with QoS 0 it needs no send quota."""
        link = self.links[handle]
        if handle in self.inline:
            return True
        if link is None or link.choked or (link.quota <= 0 and _qos(group, handle, message)):
            return False
        return self._entitled(handle, message.topic)

    def _keeps(self, group: Group, handle: int, message: Message) -> bool:
        """Whether the message would wait for a member that cannot be sent it now, and not be dropped for its QoS."""
        if not _qos(group, handle, message):
            if self.links[handle] is not None or self.decisions.offline_qos0 == OFFLINE_QOS0_DROP:
                return False
        return self._entitled(handle, message.topic)

    def _entitled(self, handle: int, topic: str) -> bool:
        """Whether the member of a group may read the topic: asked for each message, since only one of them gets it."""
        session = self.sessions[handle]
        return session is not None and self.may_read(session, topic)

    def share_again(self, deliveries: list[Delivery], now: int) -> None:
        """The session of a group's member ended: others get what was queued for it or sent with QoS 1.

        Until then it waits for its client [X5-shared-qos1-wait]. What was sent with QoS 2 is discarded [MQTT5-4.8.2-5,
        X5-shared-qos1-session-end]. What has expired goes to nobody: for the others its delivery has not begun
        [MQTT5-3.3.2-5].
        """
        for delivery in deliveries:
            if not delivery.group or (delivery.packet_id and delivery.qos == 2):
                continue
            message = delivery.message
            if message.expires_at != NEVER and now >= message.expires_at:
                self.counters.dropped_expired += 1
                self.tell_dropped(None, message, "expired")
                continue
            for group in self.router.match(message.topic).shared:
                if f"$share/{group.name}/{group.topic_filter}" == delivery.group:
                    self._to_group(group, message, now)

    # ---------------------------------------------------------------- read access

    def may_read(self, session: Session, topic: str) -> bool:
        access = self.access
        if access is None or access.read is None:
            return True
        return access.read(session, topic)

    def _readable(self, topic: str, match: Match) -> Match:
        """Leave out subscribers that may not read the topic; the router remembers the answer with the match."""
        access = self.access
        if access is None or access.read is None:
            return match
        plain: list[Entry] = []
        for entry in match.plain:
            session = self.sessions[entry.subscriber]
            if session is None:
                plain.append(entry)  # inline: no rules hold for it
            elif access.read(session, topic):
                plain.append(entry)
        if len(plain) == len(match.plain):
            return match
        return Match(plain, match.shared)


def _encoded(version: int, topic: str, payloads: list[bytes]) -> bytes:
    """QoS 0 messages of one topic, without properties, one after the other."""
    name = topic.encode()
    if len(payloads) == 1:
        return encode_publish(version, name, payloads[0], 0, False, False, 0, None)
    size = -1
    head = b""
    parts: list[bytes] = []
    for payload in payloads:
        if len(payload) != size:
            # What stands before the payload depends on nothing else.
            size = len(payload)
            form = encode_publish(version, name, payload, 0, False, False, 0, None)
            head = form[: len(form) - size]
        parts.append(head)
        parts.append(payload)
    return b"".join(parts)


def _qos(group: Group, handle: int, message: Message) -> int:
    """The QoS at which a member of a group gets a message."""
    member = group.member(handle)
    return 0 if member is None else min(message.qos, member.qos)


def _size(message: Message) -> int:
    return message.size

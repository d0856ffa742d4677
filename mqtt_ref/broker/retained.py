# SPDX-License-Identifier: MIT
"""The retained messages of the broker, with their journal records, timer and hooks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from mqtt_ref.broker.replay import Replay, Wanted
from mqtt_ref.broker.retained_store import RetainedStore

if TYPE_CHECKING:
    from mqtt_ref.broker.broker import Broker
    from mqtt_ref.engine.message import Message
    from mqtt_ref.engine.session import Session

__all__ = ["RetainedMessages"]

OWN = "$SYS/"
"""Prefix of the server's own topics, which are not stored."""


EXPIRED: Final = 1000
"""Messages that are dropped at once when many expire."""


class RetainedMessages:
    """One message for each topic. `store` holds them; this class informs the journal, the timers and the hooks."""

    def __init__(self, broker: Broker, maximum: int) -> None:
        self._broker = broker
        self.store: RetainedStore[Message] = RetainedStore(maximum, measure=_size)
        self.wake_at = 0
        """Time that the timer is set to, or 0."""

    def keep(self, message: Message, now: int) -> None:
        """Replace the retained message of the topic, or remove it if the payload is empty.

        A message that has expired already is not kept.

        Cites: MQTT5-3.3.1-5, MQTT5-3.3.1-6, MQTT5-3.3.1-7, MQTT5-3.3.1-8, MQTT311-3.3.1-5, MQTT311-3.3.1-10,
        MQTT311-3.3.1-11, MQTT311-3.3.1-12, X5-retained-qos0-stored, X311-retain-qos0-store, MQTT311-3.3.1-7,
        X311-retained-kept, X31-retain-delete
        """
        broker = self._broker
        message.limit_expiry(broker.options.bounds.message_expiry)
        if not message.payload or (message.expires_at and message.expires_at <= now):
            if not self.remove(message.topic):
                return
            stored = False
        elif self._put(message):
            if broker.journal is not None and not message.topic.startswith(OWN):
                broker.journal.retained(message)
            self.watch_over()
            stored = True
        else:
            broker.counters.retained_refused += 1
            # Nothing at all is better than an old value.
            if not self.remove(message.topic):
                return
            stored = False
        watch = broker.watch
        if watch.on_retain_message is not None:
            watch.on_retain_message(broker.sessions.publisher(message), message, stored)

    def restore(self, message: Message) -> None:
        """Keep a message that the store already has."""
        before = self.store.get(message.topic)
        if self.store.put(message.topic, message, message.expires_at):
            self._count(message, before)
        if message.expires_at:
            self.watch_over()

    def _put(self, message: Message) -> bool:
        """Keep a message in place of the previous one. Return False if there is no room for it."""
        topic = message.topic
        if self.full(topic, message.size):
            return False
        before = self.store.get(topic)
        self.store.put(topic, message, message.expires_at)
        self._count(message, before)
        return True

    def _count(self, message: Message, before: Message | None) -> None:
        budget = self._broker.budget
        if before is not None:
            budget.forget(before)
        budget.retain(message)

    def full(self, topic: str, size: int) -> bool:
        """True if a message of `size` bytes cannot be retained: there are too many, or the memory is used up.

        A message that replaces a larger one always can. Those of the server have room too.
        """
        if self.store.full(topic):
            return True
        if topic.startswith(OWN):
            return False
        return not self._broker.budget.affords_retained(size, self.store.get(topic))

    def wanted(self, name: str, topic_filter: str, granted: int, no_local: bool, identifier: int) -> Wanted:
        """Note that the messages of a filter are to be sent."""
        return Wanted(self._broker, name, topic_filter, granted, no_local, identifier)

    def replay(self, session: Session, wanted: list[Wanted], now: int) -> None:
        """Send the messages of filters, as fast as the client takes them."""
        if session.replay is None:
            session.replay = Replay(self._broker, session)
        session.replay.add(wanted, now)

    def matching(self, topic_filter: str, now: int) -> list[Message]:
        """Return the messages that match the filter and have not expired."""
        self.expire(now)
        return [message for _, message in self.store.match(topic_filter)]

    def remove(self, topic: str) -> bool:
        """Remove the message of a topic, without informing subscribers. Return False if there is none."""
        message = self.store.get(topic)
        if message is None:
            return False
        self.store.remove(topic)
        self._broker.budget.forget(message)
        if self._broker.journal is not None:
            self._broker.journal.retained_gone(topic)
        return True

    def clear(self, topic_filter: str) -> Iterator[int]:
        """Remove the messages that match, except those under `$SYS`. Yield after each one, with their number so far."""
        removed = 0
        for topic in [topic for topic, _ in self.store.match(topic_filter) if not topic.startswith(OWN)]:
            removed += self.remove(topic)
            yield removed

    def remove_all(self) -> int:
        """Remove all messages except those under `$SYS`. Return how many there were."""
        topics = [topic for topic, _ in self.store.scan(0, len(self.store)) if not topic.startswith(OWN)]
        return sum([self.remove(topic) for topic in topics])

    def expire(self, now: int, most: int = 0) -> None:
        """Drop messages whose expiry interval has passed, at most `most` (0: all).

        Cites: X5-retained-expired
        """
        when = self.store.next_expiry()
        if when and when <= now:
            broker = self._broker
            watch = broker.watch
            for topic, message in self.store.take_expired(now, most):
                broker.work -= 1
                broker.budget.forget(message)
                broker.counters.dropped_expired += 1
                if broker.journal is not None:
                    broker.journal.retained_gone(topic)
                if watch.on_retained_expired is not None:
                    watch.on_retained_expired(topic)

    def watch_over(self) -> None:
        """Set the timer for the first message that expires. One timer is enough for all."""
        when = self.store.next_expiry()
        if when and (not self.wake_at or when < self.wake_at):
            self.wake_at = when
            self._broker.timers.add_retained(when)

    def on_deadline(self, now: int) -> None:
        """Handle the timer: remove expired messages and set it again."""
        self.wake_at = 0
        self.expire(now, EXPIRED)
        self.watch_over()


def _size(message: Message) -> int:
    return message.size

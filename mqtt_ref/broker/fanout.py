# SPDX-License-Identifier: MIT
"""One message on its way to more subscribers than one turn may serve."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from mqtt_ref.broker.subscription import Entry, Merged, Subscribed
from mqtt_ref.engine.turns import Job

if TYPE_CHECKING:
    from mqtt_ref.broker.broker import Broker
    from mqtt_ref.broker.router import Subscribers
    from mqtt_ref.engine.message import Message
    from mqtt_ref.engine.session import Session

__all__ = ["Fanout", "OwnFanouts"]

GROUP: Final = 4
"""Units of work of one shared subscription group."""
CHUNK: Final = 64
"""Subscribers between two looks at the work that is left."""


class Fanout:
    """A message, and the subscribers that do not have it yet.

    Subscriptions may end meanwhile: then their subscribers do not get it. `chosen` are the sessions of subscribers that
    a hook selected; they get it unless their session ends.
    """

    __slots__ = ("at", "chosen", "match", "message", "stored")

    def __init__(self, message: Message, match: Subscribers, chosen: list[Session | None] | None) -> None:
        self.message = message
        self.match = match
        self.chosen = chosen
        self.at = 0
        """Subscribers and groups that have it."""
        self.stored = False
        """True if the store has to take something because of it."""

    def go_on(self, broker: Broker, now: int) -> bool:
        """Deliver until the work of the turn is used up. Return True if everyone has it."""
        plain = self.match.plain
        shared = self.match.shared
        message = self.message
        deliverer = broker.deliverer
        count = len(plain)
        total = count + len(shared)
        journal = broker.journal
        written = 0 if journal is None else journal.written
        while self.at < total and broker.work > 0:
            start = self.at
            self.at = min(total, start + CHUNK)
            broker.work -= self.at - start
            for at in range(start, self.at):
                if at < count:
                    entry = self._current(broker, at)
                    if entry is not None:
                        deliverer.deliver(entry, message, now)
                elif len(shared[at - count]):
                    broker.work -= GROUP
                    deliverer.to_group(shared[at - count], message, now)
        if journal is not None and journal.written != written:
            self.stored = True
        return self.at == total

    def _current(self, broker: Broker, at: int) -> Entry | None:
        """Return the entry of a subscriber as it is now, None if it does not want the message any more."""
        entry = self.match.plain[at]
        if self.chosen is not None:
            session = self.chosen[at]
            return entry if session is None or broker.sessions.by_handle[entry.subscriber] is session else None
        router = broker.router
        if isinstance(entry, Merged):
            left = [part for part in entry.parts if router.subscription(part.subscriber, part.topic_filter) is part]
            if len(left) == len(entry.parts):
                return entry
            if not left:
                return None
            return left[0] if len(left) == 1 else Merged(tuple(left))
        if isinstance(entry, Subscribed) and router.subscription(entry.subscriber, entry.topic_filter) is entry:
            return entry
        return None


class OwnFanouts(Job):
    """Messages for which no connection waits: of the server, of wills, and of clients that have left.

    One is finished before the next begins, so that the messages of a publisher keep their order.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self.fanouts: deque[Fanout] = deque()
        """The first one is under way."""

    def add(self, fanout: Fanout) -> None:
        """Deliver a message after those that are here."""
        if not self.fanouts:
            self._broker.turns.add(self)
        self.fanouts.append(fanout)

    def hold(self, publisher: str) -> bool:
        """True if a message of this publisher is here. Its later ones have to wait."""
        return any(fanout.message.publisher == publisher for fanout in self.fanouts)

    def step(self, now: int) -> bool:
        """Deliver in a turn of its own."""
        broker = self._broker
        while self.fanouts and broker.work > 0:
            if not self.fanouts[0].go_on(broker, now):
                return False
            broker.deliverer.published(self.fanouts.popleft(), now)
        return not self.fanouts

# SPDX-License-Identifier: MIT
"""One message on its way to more subscribers than one turn may serve."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from mqtt_ref.broker.subscription import Entry, Merged, Subscribed
from mqtt_ref.engine.turns import Job

if TYPE_CHECKING:
    from mqtt_ref.broker.broker import Broker
    from mqtt_ref.broker.matching import Matching, Subscribers
    from mqtt_ref.engine.message import Message
    from mqtt_ref.engine.session import Session

__all__ = ["Fanout", "OwnFanouts"]

GROUP: Final = 4
"""Units of work of one shared subscription group."""
SMALL: Final = 4
"""Subscriptions that cost a unit to look up."""
MANY: Final = 1000
"""Subscriptions of one subscriber of which each is looked up. Of more, one is enough."""
CHUNK: Final = 64
"""Subscribers between two looks at the work that is left."""


class Fanout:
    """A message, and the subscribers that do not have it yet.

    Subscriptions may end meanwhile: then their subscribers do not get it. `chosen` are the sessions of subscribers that
    a hook selected; they get it unless their session ends.
    """

    __slots__ = ("at", "changes", "chosen", "match", "matching", "message", "stored")

    def __init__(self, message: Message, match: Subscribers, chosen: list[Session | None] | None) -> None:
        self.message = message
        self.match = match
        self.chosen = chosen
        self.matching: Matching | None = None
        """The search for its subscribers, if that takes more than one turn."""
        self.changes = -1
        """`Router.changes` when the answer was right."""
        self.at = 0
        """Subscribers and groups that have it."""
        self.stored = False
        """True if the store has to take something because of it."""

    def go_on(self, broker: Broker, now: int) -> bool:
        """Deliver until the work of the turn is used up. Return True if everyone has it."""
        matching = self.matching
        if matching is not None:
            broker.work = matching.step(broker.work)
            if broker.work <= 0:
                return False
            self.matching = None
            self.changes = matching.changes
            self.match, self.chosen = broker.deliverer.select(self.message, matching.match)
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
                if broker.work <= -CHUNK:
                    self.at = at
                    break
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
        if router.changes == self.changes:
            return entry
        if isinstance(entry, Merged):
            broker.work -= len(entry.parts) // SMALL
            if len(entry.parts) > MANY:
                for part in entry.parts:
                    if router.subscription(part.subscriber, part.topic_filter) is part:
                        return entry
                return None
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

# SPDX-License-Identifier: MIT
"""The retained messages for the filters of a SUBSCRIBE, sent as fast as the client takes them."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from mqtt_ref.broker.topics import is_wildcard
from mqtt_ref.engine import qos_send
from mqtt_ref.engine.generated.decisions import NO_LOCAL_RETAINED_APPLY
from mqtt_ref.engine.message import NEVER
from mqtt_ref.engine.turns import Job

if TYPE_CHECKING:
    from mqtt_ref.broker.broker import Broker
    from mqtt_ref.broker.tree import Walk
    from mqtt_ref.engine.connection import Connection
    from mqtt_ref.engine.message import Message
    from mqtt_ref.engine.session import Session

__all__ = ["Replay", "Wanted"]

CHUNK: Final = 256
"""Nodes of the tree that are looked at before what was found is sent."""
QUEUED: Final = 256
"""Messages that may wait for the session before the others are left where they are."""
COST: Final = 64
"""Bytes added to the size of a message when it is counted: a short one costs work and memory too."""

SMALL: Final = 1024
"""Bytes of a retained message up to which its encoded forms are kept for the next subscriber."""


class Wanted:
    """A filter whose retained messages are to be sent, and how.

    `topic_filter` is without `$share/name/`; `name` is what the client subscribed to.
    """

    __slots__ = ("granted", "identifiers", "name", "newest", "no_local", "topic_filter")

    def __init__(
        self, broker: Broker, name: str, topic_filter: str, granted: int, no_local: bool, identifier: int
    ) -> None:
        self.name = name
        self.topic_filter = topic_filter
        self.granted = granted
        self.no_local = no_local
        self.identifiers = (identifier,) if identifier else ()
        self.newest = broker.last_message
        """A newer message is left out: the client gets it because of its subscription."""


class Replay(Job):
    """Finds and sends the retained messages that a session waits for, one filter after the other."""

    def __init__(self, broker: Broker, session: Session) -> None:
        self._broker = broker
        self._session = session
        self._wanted: deque[Wanted] = deque()
        self._walk: Walk[str] | None = None
        self._searched = False
        """True if all topics of the first filter were found."""
        self._topics: list[str] = []
        """Topics of the first filter whose messages are to be sent, the last one first."""
        self._in_turn = False

    def __len__(self) -> int:
        return len(self._wanted)

    def add(self, wanted: list[Wanted], now: int) -> None:
        """Send the messages of more filters. Those that fit into this turn are sent at once."""
        self._wanted.extend(wanted)
        if not self._in_turn and not self._go_on(now):
            self.wake()

    def wake(self) -> None:
        """Ask for a turn: the client takes more."""
        session = self._session
        connection = session.connection
        if self._in_turn or (connection is not None and self._full(connection)):
            return
        self._in_turn = True
        self._broker.turns.add(self)

    def step(self, now: int) -> bool:
        """Send until the turn is over or the client has to take something first."""
        self._in_turn = False
        if not self._go_on(now):
            self.wake()
        return True

    def _full(self, connection: Connection) -> bool:
        """True if the client has to read, or to acknowledge, before it is sent more."""
        return connection.outbox.choked or self._session.queued > QUEUED

    def _go_on(self, now: int) -> bool:
        """Send what this turn allows. Return True if all was sent."""
        broker = self._broker
        session = self._session
        store = broker.retained.store
        wanted = self._wanted
        while wanted and broker.sessions.by_handle[session.handle] is session:
            topics = self._topics
            if wanted[0].name not in session.subscriptions:
                topics.clear()  # it is unsubscribed
                self._searched = True
            while topics:
                connection = session.connection
                if broker.work <= 0:
                    return False
                if connection is not None and (self._full(connection) or connection.sated):
                    return False
                broker.work -= 1
                message = store.get(topics.pop())
                if message is not None and message.ident <= wanted[0].newest:
                    self._send(connection, message, wanted[0], now)
            if self._searched:
                self._searched = False
                self._walk = None
                wanted.popleft()
            elif broker.work <= 0:
                return False
            else:
                self._search(wanted[0].topic_filter)
        session.replay = None
        return True

    def _search(self, topic_filter: str) -> None:
        """Find more topics of a filter."""
        broker = self._broker
        if not is_wildcard(topic_filter):
            broker.work -= 1
            self._topics = [topic_filter]
            self._searched = True
            return
        walk = self._walk
        if walk is None:
            walk = self._walk = broker.retained.store.walk(topic_filter)
        before = walk.visits
        self._searched = walk.step(CHUNK)
        broker.work -= walk.visits - before
        walk.found.sort(reverse=True)
        self._topics = walk.found
        walk.found = []

    def _send(self, connection: Connection | None, message: Message, wanted: Wanted, now: int) -> None:
        """Send a message with RETAIN 1, at the lower of its QoS and the granted one.

        Cites: MQTT5-3.3.1-9, MQTT5-3.8.4-8, MQTT5-3.3.4-3, MQTT311-3.3.1-6, MQTT311-3.3.1-8, MQTT311-3.8.4-6,
        X5-retained-on-subscribe, X5-retained-retain-flag
        """
        broker = self._broker
        session = self._session
        if message.expires_at != NEVER and message.expires_at <= now:
            return
        hide = wanted.no_local and broker.decisions.no_local_retained == NO_LOCAL_RETAINED_APPLY
        if hide and message.publisher == session.client_id:
            return  # [MQTT5-3.8.3-3]
        watch = broker.watch
        if not broker.reading.may_read(session, message.topic):
            broker.counters.dropped_denied += 1
            if watch.on_publish_dropped is not None:
                watch.on_publish_dropped(session, message, "denied")
            return
        if watch.on_retain_published is not None:
            watch.on_retain_published(session, message)
        if connection is not None:
            connection.outbox.burst += message.size + COST
        qos = min(message.qos, wanted.granted, broker.limits.retained_qos_maximum)
        qos_send.deliver(connection, session, message, qos, True, wanted.identifiers, now)
        if message.size > SMALL:
            message.forget_forms()
        broker.budget.follow(message)

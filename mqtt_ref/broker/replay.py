# SPDX-License-Identifier: MIT
"""The retained messages for the filters of one SUBSCRIBE, sent as fast as the client takes them."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from mqtt_ref.broker.topics import is_wildcard
from mqtt_ref.engine import qos_send
from mqtt_ref.engine.connection import REPLAYED
from mqtt_ref.engine.generated.decisions import NO_LOCAL_RETAINED_APPLY
from mqtt_ref.engine.message import NEVER

if TYPE_CHECKING:
    from mqtt_ref.broker.broker import Broker
    from mqtt_ref.broker.tree import Walk
    from mqtt_ref.engine.connection import Connection
    from mqtt_ref.engine.message import Message
    from mqtt_ref.engine.session import Session

__all__ = ["Replay"]

CHUNK: Final = 256
"""Nodes of the tree that are looked at before what was found is sent."""
COST: Final = 64
"""Bytes added to the size of a message when it is counted: a short one costs work and memory too."""


class _Wanted:
    """One filter, and how its messages are sent."""

    __slots__ = ("granted", "no_local", "topic_filter")

    def __init__(self, topic_filter: str, granted: int, no_local: bool) -> None:
        self.topic_filter = topic_filter
        self.granted = granted
        self.no_local = no_local


class Replay:
    """Finds and sends retained messages. One that is replaced meanwhile is left out: the client got the new one."""

    def __init__(self, broker: Broker, identifier: int) -> None:
        self._broker = broker
        self._identifiers = (identifier,) if identifier else ()
        self._newest = broker.last_message
        self._wanted: deque[_Wanted] = deque()
        self._walk: Walk[str] | None = None
        self._searched = False
        """True if all topics of the first filter were found."""
        self._topics: list[str] = []
        """Topics of the first filter whose messages are to be sent, the last one first."""

    def add(self, topic_filter: str, granted: int, no_local: bool) -> None:
        """Send the messages of a filter, without `$share/name/`, after those of the filters before."""
        self._wanted.append(_Wanted(topic_filter, granted, no_local))

    def go_on(self, connection: Connection, session: Session, now: int) -> bool:
        """Send until the turn is over or the client has to take something first. Return True if all was sent."""
        broker = self._broker
        store = broker.retained.store
        wanted = self._wanted
        while wanted:
            topics = self._topics
            while topics:
                if broker.work <= 0 or self._waits(connection, session):
                    return False
                broker.work -= 1
                message = store.get(topics.pop())
                if message is not None and message.ident <= self._newest:
                    self._send(connection, session, message, now)
            if self._searched:
                self._searched = False
                self._walk = None
                wanted.popleft()
            elif broker.work <= 0:
                return False
            else:
                self._search(wanted[0].topic_filter)
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

    def _waits(self, connection: Connection, session: Session) -> bool:
        """True if the client has to take something before it is sent more. When its link is lost, all is queued."""
        if connection.gone:
            return False
        return connection.outbox.choked or connection.sated or session.queued > REPLAYED

    def _send(self, connection: Connection, session: Session, message: Message, now: int) -> None:
        """Send a message with RETAIN 1, at the lower of its QoS and the granted one.

        Cites: MQTT5-3.3.1-9, MQTT5-3.8.4-8, MQTT5-3.3.4-3, MQTT311-3.3.1-6, MQTT311-3.3.1-8, MQTT311-3.8.4-6,
        X5-retained-on-subscribe, X5-retained-retain-flag
        """
        broker = self._broker
        wanted = self._wanted[0]
        if message.expires_at != NEVER and message.expires_at <= now:
            return
        hide = wanted.no_local and broker.decisions.no_local_retained == NO_LOCAL_RETAINED_APPLY
        if hide and message.publisher == connection.client_id:
            return  # [MQTT5-3.8.3-3]
        watch = broker.watch
        if not broker.reading.may_read(session, message.topic):
            broker.counters.dropped_denied += 1
            if watch.on_publish_dropped is not None:
                watch.on_publish_dropped(session, message, "denied")
            return
        if watch.on_retain_published is not None:
            watch.on_retain_published(session, message)
        connection.outbox.burst += message.size + COST
        qos = min(message.qos, wanted.granted, broker.limits.retained_qos_maximum)
        qos_send.deliver(connection, session, message, qos, True, self._identifiers, now)

# SPDX-License-Identifier: MIT
"""What one connection needs of the broker around it: an interface that the broker fills in."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mqtt_ref.engine.counters import Counters
from mqtt_ref.engine.generated.decisions import DISALLOWED_UNICODE_ACCEPT, DOLLAR_PUBLISH_REFUSE
from mqtt_ref.engine.message import NEVER, SECOND
from mqtt_ref.engine.options import Options
from mqtt_ref.engine.tables import Tables, decided

if TYPE_CHECKING:
    from mqtt_ref.engine.access import Access
    from mqtt_ref.engine.effects import Effect
    from mqtt_ref.engine.intercept import Intercept, Pending
    from mqtt_ref.engine.link import Link
    from mqtt_ref.engine.message import Message
    from mqtt_ref.engine.session import Delivery, Session
    from mqtt_ref.engine.watch import Watch
    from mqtt_ref.wire.packets import Connect, Packet

__all__ = ["Hub", "Keeper"]


class Keeper:
    """Takes down what must be stored before anything that follows from it may be sent (4.1, 4.3).

    Each change belongs to the batch of this tick. The connection of the session that changes waits for it; `touch`
    names another one that does. `written` grows with every change that has to be stored.
    """

    written: int = 0

    def touch(self, link: Link) -> None:
        """Hold back what `link` was given in this tick until the batch is committed."""
        raise NotImplementedError

    def session(self, session: Session) -> None:
        """The session came into being, or its expiry, owner or will changed."""
        raise NotImplementedError

    def session_gone(self, session: Session) -> None:
        """The session ended, with everything in it."""
        raise NotImplementedError

    def subscription(self, session: Session, topic_filter: str, options: int, identifier: int) -> None:
        """A subscription was made or replaced."""
        raise NotImplementedError

    def subscription_gone(self, session: Session, topic_filter: str) -> None:
        """A subscription was deleted."""
        raise NotImplementedError

    def queued(self, session: Session, delivery: Delivery) -> None:
        """A message waits for the session."""
        raise NotImplementedError

    def unqueued(self, session: Session, delivery: Delivery) -> None:
        """A message left the queue: sent, expired or dropped."""
        raise NotImplementedError

    def inflight(self, session: Session, delivery: Delivery) -> None:
        """A packet identifier was assigned, or its exchange went a step further."""
        raise NotImplementedError

    def inflight_gone(self, session: Session, delivery: Delivery) -> None:
        """A packet identifier is free again."""
        raise NotImplementedError

    def received(self, session: Session, packet_id: int) -> None:
        """A QoS 2 message was taken in and its PUBREL is awaited."""
        raise NotImplementedError

    def received_gone(self, session: Session, packet_id: int) -> None:
        """The PUBREL came."""
        raise NotImplementedError

    def retained(self, message: Message) -> None:
        """A message is kept for its topic."""
        raise NotImplementedError

    def retained_gone(self, topic: str) -> None:
        """A topic has no retained message any more."""
        raise NotImplementedError


class Hub:
    """The broker as its connections see it."""

    def __init__(self, options: Options, tables: Tables) -> None:
        self.options = options
        self.tables = decided(tables, options.decisions)
        self.decisions = self.tables.decisions
        self.limits = self.tables.limits
        self.counters = Counters()
        self.access: Access | None = None
        self.watch: Watch | None = None
        self.intercept: Intercept | None = None
        self.output: Callable[[Link, list[bytes]], list[bytes]] | None = None
        """Sees, and may change, the packets that are handed to the transport."""
        self.keeper: Keeper | None = None
        self.dirty: list[Link] = []
        self.effects: list[Effect] = []
        self.strict_text = self.decisions.disallowed_unicode != DISALLOWED_UNICODE_ACCEPT
        self.tapped = False
        """Whether packets take the way on which each may be looked at, or have to wait for an answer."""
        self.plain_publish = not self.strict_text
        """Whether a plain PUBLISH may take the short way: nobody decides about it, and its text is not checked."""
        self.prompt_publish = self.plain_publish
        """Whether one may at least be decided about at once: whoever is asked answers without waiting."""
        self.topic_levels = options.bounds.topic_levels
        self.topic_plain = min(self.topic_levels - 1, self.limits.topic_v31)
        """Characters of a topic that is short enough for every rule about its length or its levels."""
        self.last_message = 0
        """The identifier of the newest message: 64 bits, growing."""

    def limit_expiry(self, message: Message) -> None:
        """Bound how long a message that has to wait is kept, if the operator does."""
        seconds = self.options.bounds.message_expiry
        if seconds:
            latest = message.arrived + seconds * SECOND
            if message.expires_at == NEVER or message.expires_at > latest:
                message.expires_at = latest

    def tell_dropped(self, session: Session | None, message: Message, why: str) -> None:
        """Say that a subscriber, or a group, does not get a message."""
        watch = self.watch
        if watch is not None and watch.dropped is not None:
            watch.dropped(session, message, why)

    def publish(self, message: Message, now: int) -> bool:
        """Deliver to everyone who subscribed and keep it if it is retained; False if nobody had subscribed."""
        raise NotImplementedError

    def forward_qos0(self, link: Link, topic: str, payloads: list[bytes], now: int) -> None:
        """The same for QoS 0 messages without properties that are not to be retained: the shortest way."""
        raise NotImplementedError

    def forward(self, link: Link, topic: str, payload: bytes, qos: int, now: int) -> bool:
        """The same for a message without properties that is not to be retained: the short way."""
        raise NotImplementedError

    def subscribe(self, session: Session, topic_filter: str, options: int, identifier: int) -> bool:
        """Make or replace a subscription; True if it is new."""
        raise NotImplementedError

    def unsubscribe(self, session: Session, topic_filter: str) -> bool:
        """Delete a subscription; False if there was none."""
        raise NotImplementedError

    def retained(self, topic_filter: str, now: int) -> list[Message]:
        """The retained messages that match the filter and have not expired."""
        raise NotImplementedError

    def refuses_topic(self, topic: str) -> bool:
        """Whether no client may publish there: to a `$` topic, where that is decided, or one of too many levels.

        [X5-dollar-topic-clients, X311-dollar-exchange]
        """
        if topic[0] == "$" and self.decisions.dollar_publish == DOLLAR_PUBLISH_REFUSE:
            return True
        return topic.count("/") >= self.topic_levels

    def retained_full(self, topic: str) -> bool:
        """Whether there is no room for a retained message of this topic, which has none."""
        raise NotImplementedError

    def is_shared(self, session: Session, topic_filter: str) -> bool:
        """Whether this filter makes a Shared Subscription for this client."""
        raise NotImplementedError

    def new_client_id(self) -> str:
        """A client identifier that no session has and nobody can guess [MQTT5-3.2.2-16]."""
        raise NotImplementedError

    def admit(self, link: Link, connect: Connect, client_id: str, now: int) -> bool:
        """Give the connection its session, taking it over from an older one; True if it was resumed."""
        raise NotImplementedError

    def settle(self, link: Link, now: int, how: int) -> None:
        """The connection is over: settle its will and its session; `how` is a constant of `link`."""
        raise NotImplementedError

    def ask(self, link: Link, connect: Connect, method: str, data: bytes | None, renewal: bool, now: int) -> None:
        """Let the question who may connect leave as an effect; the answer comes back to `Connection.answered`."""
        raise NotImplementedError

    def suspend(
        self, link: Link, pending: Pending, event: str, now: int, subject: Packet, topic: str = "", write: bool = False
    ) -> None:
        """Let a question about a packet leave as an effect; the connection waits for `Connection.resume`."""
        raise NotImplementedError

    def wake(self, link: Link, when: int) -> None:
        """Call the connection's `on_deadline` at `when` or later."""
        raise NotImplementedError

    def may_read(self, session: Session, topic: str) -> bool:
        """Whether this client may have messages of this topic; asked for each topic delivered."""
        raise NotImplementedError

    def reconsider(self, session: Session) -> None:
        """Forget what this client may read: it may be somebody else, or somewhere else, than before."""
        raise NotImplementedError

    def online(self, session: Session) -> None:
        """The connection of the session, or what it can take, changed."""
        raise NotImplementedError

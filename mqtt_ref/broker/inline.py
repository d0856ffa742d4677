# SPDX-License-Identifier: MIT
"""Inline clients: the embedding program publishes and subscribes without a connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mqtt_ref.broker.topics import split_shared, valid_topic_filter, valid_topic_name
from mqtt_ref.engine.effects import Effect
from mqtt_ref.engine.message import PLAIN_MAXIMUM

if TYPE_CHECKING:
    from mqtt_ref.broker.broker import Broker
    from mqtt_ref.engine.message import Message
    from mqtt_ref.wire.packets import PublishProperties

__all__ = ["Deliver", "InlineClient", "InlineSubscription", "Received"]


class Received:
    """A message as an inline subscriber gets it.

    Attributes:
        topic: its Topic Name.
        payload: its payload.
        qos: the QoS it was published with.
        retain: True if it is a retained message, sent because the subscription is new.
        properties: its properties; None if it has none.
        publisher: the Client Identifier of its publisher; empty for the broker itself.
        topic_filter: the filter of the subscription.
        identifier: the identifier of the subscription.
    """

    __slots__ = ("identifier", "payload", "properties", "publisher", "qos", "retain", "topic", "topic_filter")

    def __init__(self, message: Message, retain: bool, topic_filter: str, identifier: int) -> None:
        self.topic = message.topic
        self.payload = message.payload
        self.qos = message.qos
        self.retain = retain
        self.properties: PublishProperties | None = message.properties
        self.publisher = message.publisher
        self.topic_filter = topic_filter
        self.identifier = identifier

    def __repr__(self) -> str:
        return f"Received({self.topic!r}, {self.payload!r}, qos={self.qos}, retain={self.retain})"


class InlineSubscription:
    """One handler and its filter. Each inline subscription gets its own copy of every message that matches."""

    __slots__ = ("client_id", "handle", "handler", "identifier", "topic_filter")

    def __init__(
        self, client_id: str, handle: int, topic_filter: str, identifier: int, handler: Callable[[Received], object]
    ) -> None:
        self.client_id = client_id
        self.handle = handle
        self.topic_filter = topic_filter
        self.identifier = identifier
        self.handler = handler

    def __repr__(self) -> str:
        return f"InlineSubscription({self.client_id!r}, {self.topic_filter!r}, {self.identifier})"


class Deliver(Effect):
    """Call the handler with the message, after the tick in which it came."""

    __slots__ = ("received", "subscription")

    def __init__(self, subscription: InlineSubscription, received: Received) -> None:
        self.subscription = subscription
        self.received = received

    def __repr__(self) -> str:
        return f"Deliver({self.subscription!r}, {self.received!r})"


class InlineClient:
    """A client inside the broker. Access rules do not apply to it, and it may publish to `$SYS` topics.

    A subscription is identified by its filter and identifier. It is not stored, and the client has no session.
    """

    __slots__ = ("_broker", "_subscriptions", "client_id")

    def __init__(self, broker: Broker, client_id: str) -> None:
        self.client_id = client_id
        self._broker = broker
        self._subscriptions: dict[tuple[str, int], InlineSubscription] = {}

    def __repr__(self) -> str:
        return f"InlineClient({self.client_id!r}, {len(self._subscriptions)} subscriptions)"

    def publish(
        self,
        topic: str,
        payload: bytes,
        now: int,
        *,
        qos: int = 0,
        retain: bool = False,
        properties: PublishProperties | None = None,
    ) -> bool:
        """Publish a message. Return False if it has no subscribers.

        Raises:
            TypeError: the payload is not bytes.
            ValueError: the topic is not a valid Topic Name, the QoS is not 0, 1 or 2, the payload is too large, or a
                client could not send these properties.
        """
        if not valid_topic_name(topic):
            raise ValueError(f"not a Topic Name: {topic!r}")
        if not 0 <= qos <= 2:
            raise ValueError(f"a QoS is 0, 1 or 2, not {qos}")
        if not isinstance(payload, bytes):
            raise TypeError(f"a payload is bytes, not {type(payload).__name__}: {payload!r}")
        if len(payload) > PLAIN_MAXIMUM:
            raise ValueError(f"a payload has at most {PLAIN_MAXIMUM:,} bytes, not {len(payload):,}")
        if properties is not None and properties.topic_alias is not None:
            raise ValueError(f"a Topic Alias belongs to a connection: {properties!r}")
        return self._broker.inject(
            topic, payload, now, qos=qos, retain=retain, properties=properties, publisher=self.client_id
        )

    def subscribe(
        self, topic_filter: str, handler: Callable[[Received], object], now: int, *, identifier: int = 0
    ) -> InlineSubscription:
        """Call `handler` for each message that matches. Retained ones come first, unless the filter is shared.

        A subscription with the same filter and identifier is replaced.

        Raises:
            TypeError: the handler is not callable.
            ValueError: the filter is not a valid Topic Filter.
        """
        if not valid_topic_filter(topic_filter):
            raise ValueError(f"not a Topic Filter: {topic_filter!r}")
        if not callable(handler):
            raise TypeError(f"a handler is a function, not {handler!r}")
        self.unsubscribe(topic_filter, identifier)
        broker = self._broker
        handle = broker.sessions.claim_handle()
        made = InlineSubscription(self.client_id, handle, topic_filter, identifier, handler)
        self._subscriptions[topic_filter, identifier] = made
        broker.inline[handle] = made
        broker.router.subscribe(handle, topic_filter, 2, 0, True)
        if split_shared(topic_filter) is None:
            for message in broker.retained.matching(topic_filter, now):
                broker.effects.append(Deliver(made, Received(message, True, topic_filter, identifier)))
        return made

    def unsubscribe(self, topic_filter: str, identifier: int = 0) -> bool:
        """Delete a subscription. Return False if there is none with this filter and identifier."""
        made = self._subscriptions.pop((topic_filter, identifier), None)
        if made is None:
            return False
        broker = self._broker
        broker.router.remove(made.handle)
        del broker.inline[made.handle]
        broker.sessions.free_handle(made.handle)
        return True

    def subscriptions(self) -> list[InlineSubscription]:
        """Return all subscriptions of this client."""
        return list(self._subscriptions.values())

    def close(self) -> None:
        """Delete all subscriptions."""
        for topic_filter, identifier in list(self._subscriptions):
            self.unsubscribe(topic_filter, identifier)

# SPDX-License-Identifier: MIT
"""An inline client on the event loop: it knows the time, and has what it causes written out."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from time import monotonic_ns
from types import TracebackType
from typing import TYPE_CHECKING, Final

from mqtt_ref.broker.inline import InlineClient, Received
from mqtt_ref.wire.packets import Publish

if TYPE_CHECKING:
    from mqtt_ref.broker.broker import Broker
    from mqtt_ref.wire.packets import Packet, PublishProperties

__all__ = ["Inline", "Messages"]

WAITING: Final = 10_000
"""Messages that may wait for a loop over them."""
_OWN_IDENTIFIERS: Final = 1 << 32
"""Identifiers from here on are ours: they tell iterators apart, and nobody else's get in their way."""


class Inline:
    """A client of the embedding program, without a connection. All of it belongs to the event loop of the server.

    No access rules hold for it, and it may publish to `$SYS` topics. Its subscriptions are told apart by filter and
    identifier, so that a filter may have several handlers; each gets every message that matches.
    """

    def __init__(
        self, broker: Broker, client_id: str, wake: Callable[[], None], now: Callable[[], int] = monotonic_ns
    ) -> None:
        self._client = InlineClient(broker, client_id)
        self._wake = wake
        self._now = now
        self._next = _OWN_IDENTIFIERS

    def __repr__(self) -> str:
        return repr(self._client)

    @property
    def client_id(self) -> str:
        """What subscribers that have No Local, and hooks, know it by."""
        return self._client.client_id

    def publish(
        self,
        topic: str,
        payload: bytes | str = b"",
        *,
        qos: int = 0,
        retain: bool = False,
        properties: PublishProperties | None = None,
    ) -> bool:
        """Publish a message; False if nobody had subscribed.

        Raises:
            TypeError: the payload is neither bytes nor text.
            ValueError: the topic is no Topic Name, the QoS is not 0, 1 or 2, or no client could send these properties.
        """
        data = payload.encode() if isinstance(payload, str) else payload
        matched = self._client.publish(topic, data, self._now(), qos=qos, retain=retain, properties=properties)
        self._wake()
        return matched

    def inject(self, packet: Packet) -> None:
        """Publish what a PUBLISH says, as if this client had sent it.

        Raises:
            ValueError: it is another packet, or no legal PUBLISH.
        """
        if not isinstance(packet, Publish):
            raise ValueError(f"an inline client sends no packet but PUBLISH; for others it has methods: {packet!r}")
        self.publish(packet.topic, packet.payload, qos=packet.qos, retain=packet.retain, properties=packet.properties)

    def subscribe(self, topic_filter: str, handler: Callable[[Received], object], *, identifier: int = 0) -> None:
        """Have `handler`, a function or an `async` one, called with each message that matches.

        Retained messages come first; with `$share/name/` in front, the subscription is shared and gets none. A
        subscription with the same filter and identifier is replaced. What a handler raises is logged.

        Raises:
            TypeError: the handler cannot be called.
            ValueError: the filter is no Topic Filter.
        """
        self._client.subscribe(topic_filter, handler, self._now(), identifier=identifier)
        self._wake()

    def unsubscribe(self, topic_filter: str, identifier: int = 0) -> bool:
        """Delete a subscription; False if there is none with this filter and identifier."""
        return self._client.unsubscribe(topic_filter, identifier)

    def messages(self, topic_filter: str, *, waiting: int = WAITING) -> Messages:
        """The messages that match, to be looped over; it subscribes at once.

            async with server.messages("sensors/#") as messages:
                async for message in messages: ...

        Of more than `waiting` messages that nobody has taken yet, the oldest are dropped and counted.

        Raises:
            ValueError: the filter is no Topic Filter.
        """
        self._next += 1
        identifier = self._next
        messages = Messages(waiting, lambda: self.unsubscribe(topic_filter, identifier))
        self.subscribe(topic_filter, messages.put, identifier=identifier)
        return messages

    def close(self) -> None:
        """Delete all subscriptions."""
        self._client.close()


class Messages:
    """What a subscription brings, as an asynchronous iterator; it ends when it is closed."""

    def __init__(self, waiting: int, unsubscribe: Callable[[], object]) -> None:
        self.dropped = 0
        """Messages that were lost because nobody took them."""
        self._waiting: deque[Received] = deque(maxlen=waiting)
        self._unsubscribe = unsubscribe
        self._came = asyncio.Event()
        self._closed = False

    def put(self, received: Received) -> None:
        """Add a message."""
        if len(self._waiting) == self._waiting.maxlen:
            self.dropped += 1
        self._waiting.append(received)
        self._came.set()

    def close(self) -> None:
        """End the subscription; what has come can still be taken."""
        if not self._closed:
            self._closed = True
            self._unsubscribe()
            self._came.set()

    def __aiter__(self) -> Messages:
        return self

    async def __anext__(self) -> Received:
        while not self._waiting:
            if self._closed:
                raise StopAsyncIteration
            self._came.clear()
            await self._came.wait()
        return self._waiting.popleft()

    async def __aenter__(self) -> Messages:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

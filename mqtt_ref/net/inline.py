# SPDX-License-Identifier: MIT
"""The inline client on the event loop: passes the time to the broker and wakes the driver."""

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
"""Default limit of messages that wait in a `Messages` iterator."""
_OWN_IDENTIFIERS: Final = 1 << 32
"""Identifiers from here on belong to iterators, so that they differ from those of the program."""


class Inline:
    """The embedding program as a client, without a connection. Use it only in the event loop of the server.

    Access rules do not apply to it, and it may publish to `$SYS` topics. Filter and identifier together identify a
    subscription, so a filter may have several handlers. Each of them gets every message that matches.
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
        """Its Client Identifier, as hooks and No Local see it."""
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
        """Publish a message. Return False if no subscription matched.

        Raises:
            TypeError: the payload is neither bytes nor text.
            ValueError: the topic is not a Topic Name, the QoS is not 0, 1 or 2, or a property is illegal.
        """
        data = payload.encode() if isinstance(payload, str) else payload
        matched = self._client.publish(topic, data, self._now(), qos=qos, retain=retain, properties=properties)
        self._wake()
        return matched

    def inject(self, packet: Packet) -> None:
        """Publish the message of a PUBLISH, as if this client had sent it.

        Raises:
            ValueError: the packet is not a PUBLISH, or is not a legal one.
        """
        if not isinstance(packet, Publish):
            raise ValueError(f"an inline client can inject only PUBLISH, not {packet!r}; use its methods instead")
        self.publish(packet.topic, packet.payload, qos=packet.qos, retain=packet.retain, properties=packet.properties)

    def subscribe(self, topic_filter: str, handler: Callable[[Received], object], *, identifier: int = 0) -> None:
        """Call `handler`, a function or an `async` one, with each message that matches.

        Retained messages come first. With `$share/name/` in front, the subscription is shared and gets no retained
        messages. A subscription with the same filter and identifier is replaced. Exceptions of a handler are logged.

        Raises:
            TypeError: the handler is not callable.
            ValueError: the filter is not a Topic Filter.
        """
        self._client.subscribe(topic_filter, handler, self._now(), identifier=identifier)
        self._wake()

    def unsubscribe(self, topic_filter: str, identifier: int = 0) -> bool:
        """Delete a subscription. Return False if none has this filter and identifier."""
        return self._client.unsubscribe(topic_filter, identifier)

    def messages(self, topic_filter: str, *, waiting: int = WAITING) -> Messages:
        """Subscribe at once, and return an iterator over the messages that match.

            async with server.messages("sensors/#") as messages:
                async for message in messages: ...

        If more than `waiting` messages wait to be taken, the oldest are dropped and counted.

        Raises:
            ValueError: the filter is not a Topic Filter.
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
    """The messages of a subscription, as an asynchronous iterator. It ends after `close`."""

    def __init__(self, waiting: int, unsubscribe: Callable[[], object]) -> None:
        self.dropped = 0
        """Messages that were dropped because too many waited to be taken."""
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
        """End the subscription. Messages that wait can still be taken."""
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

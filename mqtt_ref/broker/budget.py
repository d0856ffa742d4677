# SPDX-License-Identifier: MIT
"""The memory that the broker holds for clients: one budget for all of it, and shares at which something gives way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mqtt_ref.engine.message import FLIGHT, MESSAGE, PLACE

if TYPE_CHECKING:
    from mqtt_ref.engine.connection import Connection
    from mqtt_ref.engine.counters import Counters
    from mqtt_ref.engine.message import Message
    from mqtt_ref.engine.session import Session
    from mqtt_ref.wire.packets import Will

__all__ = ["ALIAS", "CONNECTION", "IDENTIFIER", "PAIR", "RETAINED", "SESSION", "SHARED", "SUBSCRIPTION", "Budget"]

# What is held besides texts, payloads and properties, in bytes. Measured with CPython 3.11; compiled, it is less.
CONNECTION: Final = 6_000
"""An open link: connection, channel, transport."""
SESSION: Final = 1_000
SUBSCRIPTION: Final = 600
SHARED: Final = 500
"""What a Shared Subscription takes more: its group, and the membership."""
RETAINED: Final = 300
"""The place of a retained message."""
ALIAS: Final = 100
"""A Topic Alias."""
IDENTIFIER: Final = 80
"""The Packet Identifier of a QoS 2 message that awaits PUBREL."""
PAIR: Final = 200
"""A User Property of a will, which is kept decoded."""

UNLIMITED: Final = 1 << 60


class Budget:
    """Counts what is held, as it comes and goes. Nothing here decides: others compare `used` with the limits.

    A message counts once, with its encoded forms, while something holds it: queues, exchanges in flight, the retained
    messages. Each place where it is held counts too. Most messages are light and only pass through: while such a one
    is in flight, it counts `FLIGHT` bytes for each client, and is not looked at.

    Attributes:
        exact: the bytes that are counted one by one: all but `FLIGHT` for each exchange in flight, also of others.
        most: exchanges in flight with one client, at most.
        flights: the same; 0 if `used` had reached `maximum` when packets or a measurement last came.
        state: those of `used` for connections, sessions, subscriptions, wills and the places of retained messages.
        output: those of `used` that the driver has measured: output that the kernel has not taken, incomplete packets.
        queue_limit: from here on, no message is queued.
        state_limit: from here on, there are no new sessions, subscriptions, retained messages and wills.
        maximum: from here on, no message is sent that has to be kept until it is acknowledged, and no link is accepted.
            Above it, the driver closes the connection with the most output.
    """

    __slots__ = ("_counters", "exact", "flights", "maximum", "most", "output", "queue_limit", "state", "state_limit")

    def __init__(self, maximum: int, most: int, counters: Counters) -> None:
        """Set the limits. `maximum` is in bytes; 0: no limit. `counters` are those of the broker."""
        self._counters = counters
        self.maximum: int = maximum or UNLIMITED
        self.queue_limit: int = self.maximum // 4 * 3
        self.state_limit: int = self.maximum // 10 * 9
        self.exact: int = 0
        self.most = most
        self.flights: int = most
        self.state: int = 0
        self.output: int = 0

    @property
    def limited(self) -> bool:
        """True if there is a limit."""
        return self.maximum < UNLIMITED

    @property
    def used(self) -> int:
        """All bytes that are counted."""
        return self.exact + FLIGHT * self._counters.messages_inflight

    @property
    def messages(self) -> int:
        """The bytes of messages, and of their places in queues and in flight."""
        return self.used - self.state - self.output

    # ---------------------------------------------------------------- messages

    def hold(self, message: Message) -> None:
        """Count a place of a message, and what the message has grown by since it was last counted."""
        message.places += 1
        weight = message.weight
        self.exact += PLACE + weight - message.counted
        message.counted = weight

    def release(self, message: Message) -> None:
        """A place of a message is gone. With the last one, the message is."""
        message.places -= 1
        if message.places:
            self.exact -= PLACE
        else:
            self.exact -= PLACE + message.counted
            message.counted = 0

    def fly(self, message: Message) -> None:
        """Count a message in flight that is not light, in place of `FLIGHT` bytes. What it grows by is counted later.

        `Deliverer` and `qos_send` call `follow` when all have it.
        """
        if message.places:
            self.exact += PLACE - FLIGHT
        else:
            message.counted = weight = message.weight
            self.exact += PLACE - FLIGHT + weight
        message.places += 1

    def land(self, message: Message) -> None:
        """A message that is not light is not in flight any more."""
        message.places -= 1
        if message.places:
            self.exact += FLIGHT - PLACE
        else:
            self.exact += FLIGHT - PLACE - message.counted
            message.counted = 0

    def follow(self, message: Message) -> None:
        """Count what a message that is held has grown by: more encoded forms of it were made."""
        if message.places:
            weight = message.weight
            self.exact += weight - message.counted
            message.counted = weight

    def cost(self, message: Message) -> int:
        """Return what another place of a message would cost."""
        return PLACE + message.weight - message.counted

    def retain(self, message: Message) -> None:
        """Count a message that is retained."""
        message.places += 1
        weight = message.weight
        self.exact += weight - message.counted
        message.counted = weight
        self.change(_retained_size(message))

    def forget(self, message: Message) -> None:
        """A message is not retained any more."""
        message.places -= 1
        if not message.places:
            self.exact -= message.counted
            message.counted = 0
        self.change(-_retained_size(message))

    def affords_retained(self, message_size: int, before: Message | None) -> bool:
        """True if a message of `message_size` bytes may be retained, in place of an older one."""
        size = message_size + MESSAGE
        if before is not None:
            size -= before.weight
        else:
            size += RETAINED
        return size <= 0 or self.used + size <= self.state_limit

    # ---------------------------------------------------------------- state

    def change(self, size: int) -> None:
        """Count `size` more bytes of state; fewer if it is negative."""
        self.exact += size
        self.state += size

    def _charge(self, session: Session, size: int) -> None:
        """Count bytes that belong to a session and end with it."""
        session.held_bytes += size
        # `change`, without a call.
        self.exact += size
        self.state += size

    def created(self, session: Session) -> None:
        """Count a new session."""
        self._charge(session, _session_size(session.client_id))

    def ended(self, session: Session) -> None:
        """All state of a session is gone."""
        self.change(-session.held_bytes)
        session.held_bytes = 0

    def subscribed(self, session: Session, topic_filter: str) -> None:
        """Count a new subscription. Its filter is in the session, in the router and perhaps in a tree."""
        self._charge(session, _subscription_size(topic_filter))

    def unsubscribed(self, session: Session, topic_filter: str) -> None:
        """A subscription is gone."""
        self._charge(session, -_subscription_size(topic_filter))

    def armed(self, session: Session, will: Will) -> None:
        """Count the will of a session."""
        self._charge(session, _will_size(will))

    def disarmed(self, session: Session, will: Will) -> None:
        """The will of a session is gone."""
        self._charge(session, -_will_size(will))

    def identified(self, session: Session, count: int) -> None:
        """Count more Packet Identifiers of QoS 2 messages that await PUBREL, or fewer."""
        size = count * IDENTIFIER  # `_charge`, without a call
        session.held_bytes += size
        self.exact += size
        self.state += size

    def affords(self, session: Session | None, client_id: str, will: Will | None) -> bool:
        """True if a client may connect with this will. `session` is the one that it has already.

        A client that only comes back to its session always may, as far as the state is concerned.
        """
        size = 0 if will is None else _will_size(will)
        if session is None:
            size += _session_size(client_id)
        elif session.will is not None:
            size -= _will_size(session.will)
        return size <= 0 or self.used + size <= self.state_limit

    # ---------------------------------------------------------------- links

    def opened(self, connection: Connection) -> None:
        """Count a link."""
        self._charge_link(connection, CONNECTION)

    def closed(self, connection: Connection) -> None:
        """A link is gone, with all that belongs to it."""
        self.change(-connection.held_bytes)
        connection.held_bytes = 0

    def aliased(self, connection: Connection, topic: str, before: str) -> None:
        """Count a Topic Alias of a client, in place of an older one."""
        size = ALIAS + _text_size(topic)
        if before:
            size -= ALIAS + _text_size(before)
        self._charge_link(connection, size)

    def measured(self, output: int) -> None:
        """The driver has measured the bytes that wait in the links."""
        self.exact += output - self.output
        self.output = output
        self.flights = self.most if self.used < self.maximum else 0

    def _charge_link(self, connection: Connection, size: int) -> None:
        connection.held_bytes += size
        self.change(size)


def _text_size(text: str) -> int:
    """Return how many bytes a text takes, at most."""
    return len(text) if text.isascii() else 4 * len(text)


def _session_size(client_id: str) -> int:
    return SESSION + _text_size(client_id)


def _subscription_size(topic_filter: str) -> int:
    size = SUBSCRIPTION + 2 * _text_size(topic_filter)
    return size + SHARED if topic_filter.startswith("$share/") else size


def _will_size(will: Will) -> int:
    size = MESSAGE + _text_size(will.topic) + len(will.payload)
    properties = will.properties
    if properties is not None:
        for name, value in properties.user_property:
            size += PAIR + _text_size(name) + _text_size(value)
        if properties.content_type is not None:
            size += _text_size(properties.content_type)
        if properties.response_topic is not None:
            size += _text_size(properties.response_topic)
        if properties.correlation_data is not None:
            size += len(properties.correlation_data)
    return size


def _retained_size(message: Message) -> int:
    """Return the bytes of the place of a retained message: its topic is in a tree too."""
    return RETAINED + 2 * _text_size(message.topic)

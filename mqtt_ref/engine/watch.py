# SPDX-License-Identifier: MIT
"""Who is told what happens: callables that are None unless somebody asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mqtt_ref.broker.broker import Broker
    from mqtt_ref.engine.connection import Connection
    from mqtt_ref.engine.message import Message
    from mqtt_ref.engine.session import Session
    from mqtt_ref.wire.packets import Connect, Packet, Subscribe, Unsubscribe

__all__ = ["Watch", "tell_dropped"]


class Watch:
    """Told after the fact, in the middle of the broker's work: what is called must neither raise nor call back.

    Whoever wants to decide uses `Access`; to change something, `Intercept`.
    """

    __slots__ = (
        "connected",
        "disconnected",
        "dropped",
        "establishing",
        "exhausted",
        "processed",
        "published",
        "qos_complete",
        "qos_dropped",
        "qos_publish",
        "retained",
        "retained_expired",
        "retained_sent",
        "session_ended",
        "subscribed",
        "sys_info",
        "unsubscribed",
        "will_sent",
    )

    def __init__(
        self,
        *,
        establishing: Callable[[Connection, Connect], None] | None = None,
        connected: Callable[[Connection, Session, bool], None] | None = None,
        disconnected: Callable[[Connection, Session, int], None] | None = None,
        processed: Callable[[Connection, Packet], None] | None = None,
        subscribed: Callable[[Connection, Subscribe, list[int]], None] | None = None,
        unsubscribed: Callable[[Connection, Unsubscribe, list[int]], None] | None = None,
        published: Callable[[Message, bool], None] | None = None,
        dropped: Callable[[Session | None, Message, str], None] | None = None,
        retained: Callable[[Message, bool], None] | None = None,
        retained_sent: Callable[[Session, Message], None] | None = None,
        retained_expired: Callable[[str], None] | None = None,
        qos_publish: Callable[[Session, Message, int, bool], None] | None = None,
        qos_complete: Callable[[Session, Message, int], None] | None = None,
        qos_dropped: Callable[[Session, Message, int, str], None] | None = None,
        exhausted: Callable[[Session, Message], None] | None = None,
        will_sent: Callable[[Session, Message], None] | None = None,
        session_ended: Callable[[Session, str], None] | None = None,
        sys_info: Callable[[Mapping[str, str]], None] | None = None,
    ) -> None:
        self.establishing = establishing
        self.connected = connected
        self.disconnected = disconnected
        self.processed = processed
        self.subscribed = subscribed
        self.unsubscribed = unsubscribed
        self.published = published
        self.dropped = dropped
        self.retained = retained
        self.retained_sent = retained_sent
        self.retained_expired = retained_expired
        self.qos_publish = qos_publish
        self.qos_complete = qos_complete
        self.qos_dropped = qos_dropped
        self.exhausted = exhausted
        self.will_sent = will_sent
        self.session_ended = session_ended
        self.sys_info = sys_info


def tell_dropped(broker: Broker, session: Session | None, message: Message, why: str) -> None:
    """Say that a subscriber, or a group, does not get a message."""
    watch = broker.watch
    if watch is not None and watch.dropped is not None:
        watch.dropped(session, message, why)

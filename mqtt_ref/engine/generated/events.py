# SPDX-License-Identifier: MIT
# Written by `python -m codegen` from `mqtt_ref/hooks/hook.py`. Change that, then run it again.
"""Hook events as the engine calls them: a callable for each event, or None if no hook has a handler."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mqtt_ref.broker.matching import Subscribers
    from mqtt_ref.engine.connection import Connection
    from mqtt_ref.engine.intercept import Refusal
    from mqtt_ref.engine.message import Message
    from mqtt_ref.engine.session import Session
    from mqtt_ref.wire.packets import Connect, Packet, Publish, Subscribe, Unsubscribe, Will

__all__ = ["Intercept", "Watch"]


class Watch:
    """Notification hooks, each with the name of its event. A callable must not raise, and must not call the broker.

    Where the declaration has a `Client`, the engine passes its connection or its session.
    """

    __slots__ = (
        "on_client_expired",
        "on_disconnect",
        "on_packet_id_exhausted",
        "on_packet_processed",
        "on_packet_sent",
        "on_publish_dropped",
        "on_published",
        "on_qos_complete",
        "on_qos_dropped",
        "on_qos_publish",
        "on_retain_message",
        "on_retain_published",
        "on_retained_expired",
        "on_session_establish",
        "on_session_established",
        "on_subscribed",
        "on_sys_info_tick",
        "on_unsubscribed",
        "on_will_sent",
    )

    def __init__(
        self,
        *,
        on_sys_info_tick: Callable[[Mapping[str, str]], None] | None = None,
        on_session_establish: Callable[[Connection | Session, Connect], None] | None = None,
        on_session_established: Callable[[Connection | Session, bool], None] | None = None,
        on_disconnect: Callable[[Connection | Session, int, str], None] | None = None,
        on_packet_sent: Callable[[Connection | Session, Packet, bytes], None] | None = None,
        on_packet_processed: Callable[[Connection | Session, Packet], None] | None = None,
        on_subscribed: Callable[[Connection | Session, Subscribe, list[int]], None] | None = None,
        on_unsubscribed: Callable[[Connection | Session, Unsubscribe, list[int]], None] | None = None,
        on_published: Callable[[Connection | Session | None, Message, bool], None] | None = None,
        on_publish_dropped: Callable[[Connection | Session | None, Message, str], None] | None = None,
        on_retain_message: Callable[[Connection | Session | None, Message, bool], None] | None = None,
        on_retain_published: Callable[[Connection | Session, Message], None] | None = None,
        on_qos_publish: Callable[[Connection | Session, Message, int, bool], None] | None = None,
        on_qos_complete: Callable[[Connection | Session, Message, int], None] | None = None,
        on_qos_dropped: Callable[[Connection | Session, Message, int, str], None] | None = None,
        on_packet_id_exhausted: Callable[[Connection | Session, Message], None] | None = None,
        on_will_sent: Callable[[Connection | Session, Message], None] | None = None,
        on_client_expired: Callable[[Connection | Session], None] | None = None,
        on_retained_expired: Callable[[str], None] | None = None,
    ) -> None:
        self.on_sys_info_tick = on_sys_info_tick
        self.on_session_establish = on_session_establish
        self.on_session_established = on_session_established
        self.on_disconnect = on_disconnect
        self.on_packet_sent = on_packet_sent
        self.on_packet_processed = on_packet_processed
        self.on_subscribed = on_subscribed
        self.on_unsubscribed = on_unsubscribed
        self.on_published = on_published
        self.on_publish_dropped = on_publish_dropped
        self.on_retain_message = on_retain_message
        self.on_retain_published = on_retain_published
        self.on_qos_publish = on_qos_publish
        self.on_qos_complete = on_qos_complete
        self.on_qos_dropped = on_qos_dropped
        self.on_packet_id_exhausted = on_packet_id_exhausted
        self.on_will_sent = on_will_sent
        self.on_client_expired = on_client_expired
        self.on_retained_expired = on_retained_expired


class Intercept:
    """Hooks that change or refuse, each with the name of its event. None changes nothing and costs nothing.

    A callable returns the replacement of its last argument, None to keep it, a `Refusal`, or `LATER`. After `LATER`, an
    `Ask` is emitted, the connection is suspended, and the answer arrives through `Broker.answer`. A replacement must be
    legal. If `waits` is false, none of them returns `LATER`.
    """

    __slots__ = (
        "on_connect",
        "on_packet_read",
        "on_publish",
        "on_select_subscribers",
        "on_subscribe",
        "on_unsubscribe",
        "on_will",
        "waits",
    )

    def __init__(
        self,
        *,
        waits: bool = True,
        on_connect: Callable[[Connection | Session, Connect], Refusal | None] | None = None,
        on_packet_read: Callable[[Connection | Session, Packet], Packet | Refusal | None] | None = None,
        on_subscribe: Callable[[Connection | Session, Subscribe], Subscribe | Refusal | None] | None = None,
        on_select_subscribers: Callable[[Message, Subscribers], Subscribers | Refusal | None] | None = None,
        on_unsubscribe: Callable[[Connection | Session, Unsubscribe], Unsubscribe | Refusal | None] | None = None,
        on_publish: Callable[[Connection | Session, Publish], Publish | Refusal | None] | None = None,
        on_will: Callable[[Connection | Session, Will], Will | Refusal | None] | None = None,
    ) -> None:
        self.waits = waits
        self.on_connect = on_connect
        self.on_packet_read = on_packet_read
        self.on_subscribe = on_subscribe
        self.on_select_subscribers = on_select_subscribers
        self.on_unsubscribe = on_unsubscribe
        self.on_publish = on_publish
        self.on_will = on_will

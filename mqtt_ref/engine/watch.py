# SPDX-License-Identifier: MIT
"""Who is told what happens: callables that are None unless somebody asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mqtt_ref.engine.link import Link
    from mqtt_ref.engine.message import Message
    from mqtt_ref.engine.session import Session

__all__ = ["Watch"]


class Watch:
    """Told after the fact; whoever wants to decide uses `Access`."""

    __slots__ = ("connected", "disconnected", "dropped", "published", "session_ended", "subscribed", "unsubscribed")

    def __init__(
        self,
        *,
        connected: Callable[[Link, Session, bool], None] | None = None,
        disconnected: Callable[[Link, Session, int], None] | None = None,
        subscribed: Callable[[Session, str, int], None] | None = None,
        unsubscribed: Callable[[Session, str], None] | None = None,
        published: Callable[[Message, bool], None] | None = None,
        dropped: Callable[[Session, Message, str], None] | None = None,
        session_ended: Callable[[Session, str], None] | None = None,
    ) -> None:
        self.connected = connected
        self.disconnected = disconnected
        self.subscribed = subscribed
        self.unsubscribed = unsubscribed
        self.published = published
        self.dropped = dropped
        self.session_ended = session_ended

# SPDX-License-Identifier: MIT
"""Read permissions: asked for each topic that is delivered, and remembered by the router.

A waiting message is checked again before it is sent if its client or the rules have changed since it was queued.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mqtt_ref.broker.matching import Subscribers
from mqtt_ref.broker.subscription import Entry

if TYPE_CHECKING:
    from mqtt_ref.broker.broker import Broker
    from mqtt_ref.engine.session import Delivery, Session

__all__ = ["ReadAccess"]


class ReadAccess:
    """Asks `Access.on_acl_check_read`, if it is set."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def may_read(self, session: Session, topic: str) -> bool:
        """True if this client may get messages of this topic."""
        access = self._broker.access
        if access is None or access.on_acl_check_read is None:
            return True
        return access.on_acl_check_read(session, topic)

    def still(self, session: Session, delivery: Delivery) -> bool:
        """True if a message in the queue of a session may be sent to its client.

        Hooks are asked only if the client or the rules have changed since the message was queued.
        """
        if session.rules != self._broker.rules:
            session.rules = self._broker.rules
            session.doubted = session.next_order
        return delivery.order >= session.doubted or self.may_read(session, delivery.message.topic)

    def strange(self, session: Session, username: str) -> bool:
        """True if a session belongs to another user, and hooks with `filters_only` have checked its filters.

        Their answers are valid only for the user who subscribed, and they cannot be asked again for each message.
        """
        access = self._broker.access
        return access is not None and access.waits and session.username != username

    def refine(self, topic: str, match: Subscribers) -> Subscribers:
        """Leave out subscribers that may not read the topic. The router remembers the result."""
        access = self._broker.access
        if access is None or access.on_acl_check_read is None:
            return match
        by_handle = self._broker.sessions.by_handle
        plain: list[Entry] = []
        for entry in match.plain:
            session = by_handle[entry.subscriber]
            if session is None:
                plain.append(entry)  # inline: access rules do not apply to it
            elif access.on_acl_check_read(session, topic):
                plain.append(entry)
        if len(plain) == len(match.plain):
            return match
        return Subscribers(plain, match.shared)

    def reconsider(self, session: Session) -> None:
        """Ask again what this client may read: its user or its address may have changed."""
        session.doubted = session.next_order
        access = self._broker.access
        if access is not None and access.on_acl_check_read is not None:
            self._broker.router.reconsider(session.handle)

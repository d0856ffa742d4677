# SPDX-License-Identifier: MIT
"""Read permissions: asked for each topic that is delivered, and remembered by the router."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mqtt_ref.broker.router import Entry, Subscribers

if TYPE_CHECKING:
    from mqtt_ref.broker.broker import Broker
    from mqtt_ref.engine.session import Session

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
        access = self._broker.access
        if access is not None and access.on_acl_check_read is not None:
            self._broker.router.reconsider(session.handle)

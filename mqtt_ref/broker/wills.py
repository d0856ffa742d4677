# SPDX-License-Identifier: MIT
"""Will Messages that are due: show them to the hooks, then publish them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mqtt_ref.engine import will
from mqtt_ref.engine.intercept import LATER, Refusal
from mqtt_ref.wire.packets import Will

if TYPE_CHECKING:
    from mqtt_ref.broker.broker import Broker
    from mqtt_ref.engine.session import Session

__all__ = ["Wills"]


class Wills:
    """Publishes Will Messages. The machine in `engine.will` decides when one is due."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self.deferred = False
        """True if wills of stored sessions are left to the restart, since the server is shutting down."""

    def of_closed(self, session: Session, how: int, now: int) -> Will | None:
        """Return the will to publish now that the connection of its session is over, or None."""
        if self.deferred and session.kept:
            return None
        return will.closed(session, how, now)

    def publish(self, session: Session, wanted: Will | None, now: int) -> None:
        """Publish a Will Message as if its client had published it, after asking the hooks.

        Cites: X311-will-prompt, X5-will-published-qos, X5-will-publish-promptly
        """
        if wanted is None:
            return
        broker = self._broker
        intercept = broker.intercept
        answer: object = None
        if intercept.on_will is not None:
            answer = intercept.on_will(session, wanted)
            if answer is LATER:
                broker.questions.ask_about_will(session, wanted, now)
                return
        self.decided(session, wanted, answer, now)

    def decided(self, session: Session, wanted: Will, answer: object, now: int) -> None:
        """Act on the hooks' answer: publish a will as it is (None) or changed (a `Will`), or drop it (a `Refusal`)."""
        broker = self._broker
        if isinstance(answer, Refusal):
            broker.counters.dropped_by_hook += 1
        else:
            if isinstance(answer, Will):
                wanted = answer
            broker.last_message += 1
            broker.counters.wills_published += 1
            broker.counters.messages_own += 1
            broker.counters.payload_own_bytes += len(wanted.payload)
            message = will.message_of(broker.last_message, wanted, session.client_id, session.version, now)
            broker.deliverer.publish(message, now)
            watch = broker.watch
            if watch.on_will_sent is not None:
                watch.on_will_sent(session, message)
        if broker.journal is not None and broker.sessions.by_client_id.get(session.client_id) is session:
            broker.journal.session(session)

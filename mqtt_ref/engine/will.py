# SPDX-License-Identifier: MIT
"""The Will Message: when it is stored, delayed, published and deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mqtt_ref.engine.ends import GOODBYE, TAKEN
from mqtt_ref.engine.generated.will import (
    DO_DELAY,
    DO_DELETE,
    DO_PUBLISH,
    DO_STORE,
    ON_ABSENT,
    ON_CLOSED,
    ON_CLOSED_DELAY,
    ON_ELAPSED,
    ON_ENDED,
    ON_GOODBYE,
    ON_RESUMED,
    ON_STORED,
    ON_TAKEN_OVER,
    WIDTH,
)
from mqtt_ref.engine.message import NEVER, SECOND, Message
from mqtt_ref.wire.block import Block, will_block
from mqtt_ref.wire.primitives import V5

if TYPE_CHECKING:
    from mqtt_ref.engine.session import Session
    from mqtt_ref.wire.packets import Will

__all__ = ["arm", "closed", "due", "message_of", "step"]


def arm(session: Session, will: Will | None) -> None:
    """Store the Will Message of an accepted CONNECT in the session.

    Cites: MQTT5-3.1.2-7, MQTT311-3.1.2-8
    """
    action = step(session, ON_STORED if will is not None else ON_ABSENT)
    if action == DO_STORE:
        session.will = will
        if will is not None:
            session.broker.budget.armed(session, will)
    else:
        _taken(session, action)


def closed(session: Session, how: int, now: int) -> Will | None:
    """Return the will to publish now that the connection is over, or None.

    A DISCONNECT with reason 0x00 deletes the will. A takeover that continues the session deletes a will that has a
    Will Delay Interval. If the session ends with its connection, the will is published at once.

    Cites: MQTT5-3.14.4-3, MQTT311-3.14.4-3, MQTT5-3.1.3-9, MQTT5-3.1.2-8, X5-takeover-will, X5-takeover-will-no-delay,
    X5-takeover-will-session-end, X5-will-delay-absent
    """
    will = session.will
    delay = 0
    if will is not None and will.properties is not None and session.version == V5:
        delay = will.properties.will_delay_interval or 0
    if how == GOODBYE:
        event = ON_GOODBYE
    elif not delay or not session.expiry:
        event = ON_CLOSED
    elif how == TAKEN:
        event = ON_TAKEN_OVER
    else:
        event = ON_CLOSED_DELAY
    action = step(session, event)
    if action == DO_DELAY:
        # The session's end comes first if it is earlier [X5-will-delay-first-event].
        session.will_at = now + delay * SECOND * session.broker.limits.will_delay_percent // 100
    return _taken(session, action)


def due(session: Session, event: int) -> Will | None:
    """Feed `event` (elapsed, ended or resumed) to the will machine. Return the will to publish, or None."""
    return _taken(session, step(session, event))


def _taken(session: Session, action: int) -> Will | None:
    """Take the will out of the session if it is published or deleted. Return it if it is to be published.

    Cites: MQTT5-3.1.2-10, MQTT311-3.1.2-10
    """
    if action not in (DO_PUBLISH, DO_DELETE):
        return None
    will = session.will
    assert will is not None, "the table publishes or deletes a will in the state `none`"
    session.will = None
    session.will_at = 0
    session.broker.budget.disarmed(session, will)
    return will if action == DO_PUBLISH else None


def step(session: Session, event: int) -> int:
    """Make one transition of the will machine. Return the action."""
    tables = session.broker.tables
    at = session.will_state * WIDTH + event
    session.will_state = tables.will_next[at]
    return tables.will_action[at]


def message_of(ident: int, will: Will, client_id: str, version: int, now: int) -> Message:
    """Return the will as an Application Message, without Will Delay Interval and with its User Properties in order.

    Cites: MQTT5-3.1.2-14, MQTT5-3.1.2-15, MQTT5-3.1.3-10, MQTT311-3.1.2-16, MQTT311-3.1.2-17, X311-will-qos,
    X5-will-message-expiry-sent, X5-will-payload-published, X5-will-properties-published, X311-will-payload,
    X31-will-message-published
    """
    block: Block | None = None
    expires = NEVER
    if version == V5:
        block = will_block(will.properties)
        interval = -1 if block is None else block.expiry()
        if interval >= 0:
            expires = max(now + interval * SECOND, 1)
    return Message(ident, will.topic, will.payload, will.qos, will.retain, block, client_id, now, expires)


# The inputs that the broker feeds to the machine.
RESUMED = ON_RESUMED
ENDED = ON_ENDED
ELAPSED = ON_ELAPSED

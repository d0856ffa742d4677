# SPDX-License-Identifier: MIT
"""The Will Message: kept with the session, published when its connection ends otherwise than by a goodbye."""

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
    """Keep the Will Message of an accepted CONNECT with the session.

    Cites: MQTT5-3.1.2-7, MQTT311-3.1.2-8
    """
    action = step(session, ON_STORED if will is not None else ON_ABSENT)
    if action == DO_STORE:
        session.will = will
    else:
        _taken(session, action)


def closed(session: Session, how: int, now: int) -> Will | None:
    """The connection is over: the will that is to be published now, if any.

    A goodbye deletes it; a takeover that goes on with the session deletes one that
    has a Will Delay; a session that ends with its connection publishes it at once.

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
    """The will that is to be published because its delay elapsed or its session ended, if any."""
    return _taken(session, step(session, event))


def _taken(session: Session, action: int) -> Will | None:
    """The will leaves the session once it is published or deleted.

    Cites: MQTT5-3.1.2-10, MQTT311-3.1.2-10
    """
    if action not in (DO_PUBLISH, DO_DELETE):
        return None
    will = session.will
    assert will is not None, "a row of the state `none` takes the will that is not there"
    session.will = None
    session.will_at = 0
    return will if action == DO_PUBLISH else None


def step(session: Session, event: int) -> int:
    """One transition of the will machine; returns the action."""
    tables = session.broker.tables
    at = session.will_state * WIDTH + event
    session.will_state = tables.will_next[at]
    return tables.will_action[at]


def message_of(ident: int, will: Will, client_id: str, version: int, now: int) -> Message:
    """The Will Message as an Application Message, without the Will Delay, its User Properties in their order.

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


# The events that the broker around the session gives.
RESUMED = ON_RESUMED
ENDED = ON_ENDED
ELAPSED = ON_ELAPSED

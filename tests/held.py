# SPDX-License-Identifier: MIT
"""Counts anew what a broker holds for clients, to compare it with what its budget has counted bit by bit."""

from __future__ import annotations

from mqtt_ref.broker.broker import Broker
from mqtt_ref.broker.budget import ALIAS, CONNECTION, IDENTIFIER, PAIR, RETAINED, SESSION, SHARED, SUBSCRIPTION
from mqtt_ref.broker.leaving import Leaving
from mqtt_ref.engine.message import FLIGHT, MESSAGE, PLACE, Message
from mqtt_ref.engine.session import Delivery, Session
from mqtt_ref.wire.packets import Will

__all__ = ["held"]


def text(value: str) -> int:
    return len(value) if value.isascii() else 4 * len(value)


def will_size(will: Will) -> int:
    size = MESSAGE + text(will.topic) + len(will.payload)
    p = will.properties
    if p is not None:
        size += sum(PAIR + text(name) + text(value) for name, value in p.user_property)
        size += text(p.content_type or "") + text(p.response_topic or "") + len(p.correlation_data or b"")
    return size


def tail(session: Session) -> list[Delivery]:
    """Messages at the end of a queue that the store has not confirmed."""
    return [] if session.backlog is None else session.backlog.tail


def held(broker: Broker) -> dict[str, int]:
    """What the budget must have counted: `state`, `messages`, and each message with its places."""
    state = places = 0
    messages: dict[int, tuple[Message, int]] = {}

    def place(message: Message) -> None:
        messages[id(message)] = (message, messages.get(id(message), (message, 0))[1] + 1)

    for connection in broker.connections.values():
        state += CONNECTION
        state += sum(ALIAS + text(topic) for topic in (connection.alias_in or {}).values())
    for session in broker.sessions.by_client_id.values():
        state += SESSION + text(session.client_id)
        state += sum(SUBSCRIPTION + 2 * text(name) for name in session.subscriptions)
        state += sum(SHARED for name in session.subscriptions if name.startswith("$share/"))
        state += IDENTIFIER * len(session.received)
        if session.will is not None:
            state += will_size(session.will)
        heavy = [delivery for delivery in session.inflight.values() if delivery.message.size > broker.light]
        places += FLIGHT * (len(session.inflight) - len(heavy))
        for delivery in [*heavy, *(session.queue or ()), *tail(session)]:
            place(delivery.message)
            places += PLACE
        sizes = [delivery.message.size for delivery in session.inflight.values()]
        assert session.inflight_bytes == sum(size + MESSAGE + PLACE for size in sizes if size > broker.bulky)
        in_store = 0 if session.backlog is None else session.backlog.bytes
        waiting = [*(session.queue or ()), *tail(session)]
        assert session.queued_bytes == in_store + sum(delivery.message.size for delivery in waiting)
    for job in broker.turns.jobs:
        if isinstance(job, Leaving):
            for delivery in job._unfinished[job._at :]:
                place(delivery.message)
                places += PLACE
    for reading in () if broker.backlogs is None else [*broker.backlogs._reads.values(), *broker.backlogs._failed]:
        for delivery in reading.tail:
            place(delivery.message)
            places += PLACE
    for topic, message in broker.retained.store.scan(0, len(broker.retained.store)):
        place(message)
        state += RETAINED + 2 * text(topic)
    for message, count in messages.values():
        assert message.places == count, message
        assert message.counted > 0
    return {"state": state, "messages": places + sum(message.counted for message, _ in messages.values())}

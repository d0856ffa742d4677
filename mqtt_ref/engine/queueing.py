# SPDX-License-Identifier: MIT
"""The queue of a session: messages that wait for its client, for send quota, or for room in its transport."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from mqtt_ref.engine.backlog import UNKNOWN
from mqtt_ref.engine.drops import REASONS
from mqtt_ref.engine.effects import Dropped
from mqtt_ref.engine.generated.decisions import OFFLINE_QOS0_DROP, QUEUE_FULL_NEWEST
from mqtt_ref.engine.message import NEVER, OVERHEAD, Message
from mqtt_ref.engine.session import Delivery
from mqtt_ref.wire.primitives import V31

if TYPE_CHECKING:
    from mqtt_ref.engine.session import Session

__all__ = ["deliver_offline", "drop_queue", "dropped", "enqueue", "take", "trim"]


def deliver_offline(session: Session, message: Message, retain: bool, identifiers: tuple[int, ...], now: int) -> None:
    """Drop a QoS 0 message for a client that is away, or queue it if so decided.

    Cites: X311-session-qos0-stored, X5-session-state-qos0, X31-qos0-not-stored
    """
    broker = session.broker
    if broker.decisions.offline_qos0 == OFFLINE_QOS0_DROP or session.version == V31:
        broker.counters.dropped_offline += 1
        if broker.watch.on_publish_dropped is not None:
            broker.watch.on_publish_dropped(session, message, "offline")
        return
    enqueue(session, Delivery(message, 0, retain, identifiers), now)


def enqueue(session: Session, delivery: Delivery, now: int) -> None:
    """Queue a message for the session, within the bounds of its queue and the budget of the broker.

    Cites: MQTT311-3.1.2-5
    """
    broker = session.broker
    message = delivery.message
    message.limit_expiry(broker.options.bounds.message_expiry)
    if message.expires_at != NEVER and now >= message.expires_at:
        dropped(session, message, "expired")
        return
    queue = session.queue
    bounds = broker.options.bounds
    size = message.size
    if session.backlog is not None or (
        queue is not None
        and (
            len(queue) >= bounds.queued_messages
            or (queue and session.queued_bytes + size + (len(queue) + 1) * OVERHEAD > bounds.queued_bytes)
        )
    ):
        if not _make_room(session, size, now):
            dropped(session, message, "queue_full")
            return
    backlogs = broker.backlogs
    budget = broker.budget
    if backlogs is not None and (session.backlog is not None or backlogs.crowded(session, size)):
        # It needs memory until the store has it.
        if budget.used + budget.cost(message) > budget.maximum:
            dropped(session, message, "memory")
            return
        if queue is None and session.backlog is None:
            session.rules = broker.rules
        delivery.order = session.next_order
        backlogs.add(session, delivery)
    else:
        if budget.used + budget.cost(message) > budget.queue_limit and not _trade(session, message, now):
            dropped(session, message, "memory")
            return
        queue = session.queue  # room may have been made by bringing a backlog back
        if queue is None:
            queue = session.queue = deque()
            session.rules = broker.rules
        delivery.order = session.next_order
        queue.append(delivery)
    session.next_order += 1
    session.queued_bytes += size
    broker.counters.messages_queued += 1
    broker.counters.queued_bytes += size
    budget.hold(message)
    journal = broker.journal
    if journal is not None:
        journal.queued(session, delivery)


def _trade(session: Session, message: Message, now: int) -> bool:
    """Drop messages of the queue for a new one, as if the queue were full. Return True if that freed enough memory.

    What only the store has needs no memory, so none of it is dropped.
    """
    broker = session.broker
    budget = broker.budget
    before = budget.used
    cost = budget.cost(message)
    while budget.used + cost > budget.queue_limit and before - budget.used < cost:
        queue = session.queue
        if not queue:
            if session.backlog is None:
                session.queue = None  # the next message does not have to wait behind others
            return False
        expired = _expired(queue[0].message.expires_at, now)
        if not expired and broker.decisions.queue_full == QUEUE_FULL_NEWEST:
            return False
        _drop_first(session, queue, "expired" if expired else "memory")
    return True


def _make_room(session: Session, size: int, now: int) -> bool:
    """Make room for so many bytes: drop the first messages if they have expired, or as many as needed if so decided.

    Return False if there is no room. If the first message has to be read from the store, it is dropped when it comes.
    """
    broker = session.broker
    bounds = broker.options.bounds
    while True:
        queued = session.queued
        if queued < bounds.queued_messages and (
            not queued or session.queued_bytes + size + (queued + 1) * OVERHEAD <= bounds.queued_bytes
        ):
            return True
        queue = session.queue
        newest = broker.decisions.queue_full == QUEUE_FULL_NEWEST
        if queue:
            expired = _expired(queue[0].message.expires_at, now)
            if not expired and newest:
                return False
            _drop_first(session, queue, "expired" if expired else "queue_full")
            continue
        backlog = session.backlog
        if backlog is None or broker.backlogs is None:
            return False
        if newest and (backlog.reading or (backlog.expires_at != UNKNOWN and not _expired(backlog.expires_at, now))):
            return False
        if not broker.backlogs.refill(session):
            return not newest or backlog.expires_at != UNKNOWN


def trim(session: Session, now: int) -> None:
    """Drop the first messages of a queue that have expired, or that are too many."""
    bounds = session.broker.options.bounds
    queue = session.queue
    while queue:
        queued = session.queued
        if _expired(queue[0].message.expires_at, now):
            _drop_first(session, queue, "expired")
        elif queued > bounds.queued_messages or (
            queued > 1 and session.queued_bytes + queued * OVERHEAD > bounds.queued_bytes
        ):
            _drop_first(session, queue, "queue_full")
        else:
            return


def _expired(expires_at: int, now: int) -> bool:
    return expires_at != NEVER and now >= expires_at


def _drop_first(session: Session, queue: deque[Delivery], why: str) -> None:
    message = queue[0].message
    take(session, queue)
    dropped(session, message, why)
    if not queue and session.backlog is not None and session.broker.backlogs is not None:
        session.broker.backlogs.refill(session)


def take(session: Session, queue: deque[Delivery]) -> None:
    """Remove the first message from the queue of a session."""
    broker = session.broker
    delivery = queue.popleft()
    message = delivery.message
    size = message.size
    session.queued_bytes -= size
    broker.counters.messages_queued -= 1
    broker.counters.queued_bytes -= size
    broker.budget.release(message)
    if broker.journal is not None:
        broker.journal.unqueued(session, delivery)


def drop_queue(session: Session) -> list[Delivery]:
    """Empty the queue of a session that ends. Return what was in it, as far as it was in memory.

    The budget counts that until it is let go.
    """
    if session.queue is None and session.backlog is None:
        return []
    broker = session.broker
    counters = broker.counters
    counters.messages_queued -= session.queued
    counters.queued_bytes -= session.queued_bytes
    left: list[Delivery] = [] if session.queue is None else list(session.queue)
    backlog = session.backlog
    if backlog is not None and broker.backlogs is not None:
        left += broker.backlogs.end(session, backlog)
    session.queue = None
    session.queued_bytes = 0
    return left


def dropped(session: Session, message: Message, why: str) -> None:
    """Count and report a message that its subscriber does not get; `why` is the reason."""
    broker = session.broker
    counters = broker.counters
    if why in REASONS and broker.options.notes and broker.drops.add(session.client_id, why):
        broker.effects.append(Dropped())
    if why == "slow":
        counters.dropped_slow += 1
    elif why == "too_large":
        counters.dropped_too_large += 1
    elif why == "queue_full":
        counters.dropped_queue_full += 1
    elif why == "memory":
        counters.dropped_memory += 1
    elif why == "denied":
        counters.dropped_denied += 1
    else:
        counters.dropped_expired += 1
    if broker.watch.on_publish_dropped is not None:
        broker.watch.on_publish_dropped(session, message, why)

# SPDX-License-Identifier: MIT
"""The queue of a session: messages that wait for its client, for send quota, or for room in its transport."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from mqtt_ref.engine.drops import REASONS
from mqtt_ref.engine.effects import Dropped
from mqtt_ref.engine.generated.decisions import OFFLINE_QOS0_DROP, QUEUE_FULL_NEWEST
from mqtt_ref.engine.message import NEVER, OVERHEAD, Message
from mqtt_ref.engine.session import Delivery
from mqtt_ref.wire.primitives import V31

if TYPE_CHECKING:
    from mqtt_ref.engine.session import Session

__all__ = ["deliver_offline", "drop_queue", "dropped", "enqueue", "take"]


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
    budget = broker.budget
    if budget.used + budget.cost(message) > budget.queue_limit and not _trade(session, message, now):
        dropped(session, message, "memory")
        return
    queue = session.queue
    if queue is None:
        queue = session.queue = deque()
        session.rules = broker.rules
    bounds = broker.options.bounds
    size = message.size
    while len(queue) >= bounds.queued_messages or (
        queue and session.queued_bytes + size + (len(queue) + 1) * OVERHEAD > bounds.queued_bytes
    ):
        if not _make_room(session, now):
            dropped(session, message, "queue_full")
            return
    delivery.order = session.next_order
    session.next_order += 1
    queue.append(delivery)
    session.queued_bytes += size
    broker.counters.messages_queued += 1
    broker.counters.queued_bytes += size
    budget.hold(message)
    journal = broker.journal
    if journal is not None:
        journal.queued(session, delivery)


def _trade(session: Session, message: Message, now: int) -> bool:
    """Drop messages of the queue for a new one, as if the queue were full. Return True if that freed enough memory."""
    budget = session.broker.budget
    before = budget.used
    cost = budget.cost(message)
    while budget.used + cost > budget.queue_limit and before - budget.used < cost:
        if not _make_room(session, now, "memory"):
            return False
    return True


def _make_room(session: Session, now: int, why: str = "queue_full") -> bool:
    """Drop the first message of the queue if it has expired or it is so decided. Return True if it was dropped."""
    broker = session.broker
    queue = session.queue
    if not queue:
        return False
    oldest = queue[0]
    expired = oldest.message.expires_at != NEVER and now >= oldest.message.expires_at
    if not expired and broker.decisions.queue_full == QUEUE_FULL_NEWEST:
        return False
    take(session, queue)
    dropped(session, oldest.message, "expired" if expired else why)
    return True


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
    """Empty the queue of a session that ends. Return what was in it. The budget counts that until it is let go."""
    queue = session.queue
    if queue is None:
        return []
    counters = session.broker.counters
    counters.messages_queued -= len(queue)
    counters.queued_bytes -= session.queued_bytes
    session.queue = None
    session.queued_bytes = 0
    return list(queue)


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

# SPDX-License-Identifier: MIT
"""Paged lists of the broker's state. One request examines at most `SCAN` items."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

from mqtt_ref.broker.topics import is_wildcard, matches, split_shared
from mqtt_ref.broker.views import Client as View
from mqtt_ref.engine.message import SECOND
from mqtt_ref.http import models
from mqtt_ref.http.models import Client, Message, Page, Retained, Session, Subscription
from mqtt_ref.http.properties import properties_form
from mqtt_ref.http.values import bytes_form

if TYPE_CHECKING:
    from mqtt_ref.broker.broker import Broker
    from mqtt_ref.engine.connection import Connection
    from mqtt_ref.engine.message import Message as Held
    from mqtt_ref.engine.session import Session as State

__all__ = ["client_form", "clients", "message_form", "retained", "session_form", "sessions", "subscriptions"]

SCAN: Final = 10_000
"""Limit of sessions, subscriptions or messages that are examined for one page."""
SHOWN: Final = 4096
"""Largest payload in a list, in bytes."""
WHOLE: Final = 1024 * 1024
"""Largest payload of a message that is shown by itself, in bytes."""

T = TypeVar("T")


def clients(broker: Broker, query: models.ClientsQuery, now: int) -> Page[Client]:
    """Return a page of connected clients."""

    def form(session: State) -> Client | None:
        connection = session.connection
        if (
            connection is None
            or not fits(query.client_id, session.client_id)
            or not fits(query.username, connection.username)
            or not fits(query.remote, connection.remote)
            or not fits(query.listener, connection.listener)
        ):
            return None
        return client_form(session, connection, now)

    return _of_sessions(broker, query, form)


def sessions(broker: Broker, query: models.SessionsQuery, now: int) -> Page[Session]:
    """Return a page of sessions, of connected clients and of others."""

    def form(session: State) -> Session | None:
        if (
            not fits(query.client_id, session.client_id)
            or not fits(query.username, session.username)
            or (query.connected is not None and query.connected != session.connected)
        ):
            return None
        return session_form(session, now)

    return _of_sessions(broker, query, form)


def _of_sessions(broker: Broker, query: models.Listing, form: Callable[[State], T | None]) -> Page[T]:
    """Return a page of what `form` makes of sessions, ordered by handle. It leaves out a session by returning None."""
    start, _ = _place(query.after)
    stop = min(start + SCAN, len(broker.sessions.by_handle))
    items: list[T] = []
    for handle in range(start, stop):
        session = broker.sessions.by_handle[handle]
        item = None if session is None else form(session)
        if item is not None:
            if len(items) == query.limit:
                return Page(items, str(handle))
            items.append(item)
    return Page(items, str(stop) if stop < len(broker.sessions.by_handle) else None)


def subscriptions(broker: Broker, query: models.SubscriptionsQuery) -> Page[Subscription]:
    """Return a page of subscriptions: session by session, each in the order of subscribing."""
    handle, skipped = _place(query.after)
    looked = 0
    items: list[Subscription] = []
    while handle < len(broker.sessions.by_handle):
        session = broker.sessions.by_handle[handle]
        looked += 1
        if session is not None and fits(query.client_id, session.client_id):
            for number, (topic_filter, (options, identifier)) in enumerate(session.subscriptions.items()):
                if number < skipped:
                    continue
                looked += 1
                if looked > SCAN:
                    return Page(items, f"{handle}.{number}")
                if not _wanted(query, topic_filter):
                    continue
                if len(items) == query.limit:
                    return Page(items, f"{handle}.{number}")
                items.append(_subscription(session.client_id, topic_filter, options, identifier))
        handle += 1
        skipped = 0
        if looked >= SCAN and handle < len(broker.sessions.by_handle):
            return Page(items, str(handle))
    return Page(items, None)


def _wanted(query: models.SubscriptionsQuery, topic_filter: str) -> bool:
    if query.topic_filter and query.topic_filter != topic_filter:
        return False
    if not query.topic:
        return True
    share = split_shared(topic_filter)
    return matches(topic_filter if share is None else share[1], query.topic)


def _subscription(client_id: str, topic_filter: str, options: int, identifier: int) -> Subscription:
    return Subscription(
        client_id,
        topic_filter,
        options & 3,
        bool(options & 4),
        bool(options & 8),
        options >> 4 & 3,
        identifier or None,
    )


def retained(broker: Broker, query: models.RetainedQuery, now: int) -> Page[Retained]:
    """Return a page of retained messages, in the order in which their topics were first retained."""
    broker.retained.expire(now)
    held = broker.retained_messages
    wanted = query.topic_filter
    if not is_wildcard(wanted):
        message = held.get(wanted)
        return Page([] if message is None else [_retained(message, now)], None)
    start, _ = _place(query.after)
    items: list[Retained] = []
    for number, (topic, message) in enumerate(held.scan(start, SCAN), start):
        if matches(wanted, topic):
            if len(items) == query.limit:
                return Page(items, str(number))
            items.append(_retained(message, now))
    return Page(items, str(start + SCAN) if start + SCAN < len(held) else None)


def client_form(session: State, connection: Connection, now: int) -> Client:
    """Return the API form of a client."""
    view = View(connection, session)
    return Client(
        session.client_id,
        view.username,
        view.remote,
        view.listener,
        view.protocol_version,
        view.clean_start,
        view.keep_alive,
        (now - connection.opened) / SECOND,
        view.session_expiry,
        len(session.subscriptions),
        view.inflight,
        view.queued,
    )


def session_form(session: State, now: int) -> Session:
    """Return the API form of a session."""
    return Session(
        session.client_id,
        session.username,
        session.version,
        session.connected,
        session.expiry,
        _left(session.ends_at, now),
        len(session.subscriptions),
        len(session.inflight),
        session.queued,
        session.queued_bytes,
    )


def _retained(message: Held, now: int) -> Retained:
    payload = message.payload
    return Retained(
        message.topic,
        message.qos,
        len(payload),
        bytes_form(payload) if len(payload) <= SHOWN else None,
        message.publisher,
        _left(message.expires_at, now),
    )


def message_form(message: Held, now: int) -> Message:
    """Return the API form of a single retained message."""
    payload = message.payload
    return Message(
        message.topic,
        message.qos,
        len(payload),
        bytes_form(payload) if len(payload) <= WHOLE else None,
        message.publisher,
        _left(message.expires_at, now),
        properties_form(message.properties),
    )


def fits(pattern: str, text: str) -> bool:
    """True if `text` matches: `pattern` is the same text, a prefix followed by `*`, or empty (matches all)."""
    return not pattern or pattern == text or (pattern.endswith("*") and text.startswith(pattern[:-1]))


def _place(after: str) -> tuple[int, int]:
    first, _, second = after.partition(".")
    return int(first or 0), int(second or 0)


def _left(at: int, now: int) -> float | None:
    """Return the seconds until `at`, or None if `at` is 0 (never)."""
    return max(0, at - now) / SECOND if at else None

# SPDX-License-Identifier: MIT
"""The JSON API: paged lists of the broker's state, and the actions of an administrator."""

from __future__ import annotations

import asyncio
import inspect
from typing import Final

from mqtt_ref.broker.topics import valid_topic_filter, valid_topic_name
from mqtt_ref.http import models
from mqtt_ref.http.app import App, HttpError, Request
from mqtt_ref.http.listing import (
    client_form,
    clients,
    message_form,
    retained,
    session_form,
    sessions,
    subscriptions,
)
from mqtt_ref.http.models import Client, Message, Page, Published, Publishing, Reset, Retained, Session
from mqtt_ref.http.properties import properties_of
from mqtt_ref.http.values import bytes_of
from mqtt_ref.wire import packets
from mqtt_ref.wire.codes import ADMINISTRATIVE_ACTION
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.framing import Decoder
from mqtt_ref.wire.primitives import CLIENT, V5
from mqtt_ref.wire.violation import Violation

__all__ = ["add_api"]

V1: Final = "/api/v1"
OWN: Final = "$SYS/"
STEP: Final = 1000
"""Retained messages that are deleted between two turns of the loop."""


def add_api(app: App) -> None:
    """Declare the routes."""
    _add_lists(app)
    _add_changes(app)


def _add_lists(app: App) -> None:
    @app.get(f"{V1}/clients", summary="Clients that are connected", query=models.ClientsQuery, response=Page[Client])
    def list_clients(request: Request) -> Page[Client]:
        return clients(request.driver.broker, request.query, request.driver.now())

    missing = {404: "There is no such client"}

    @app.get(f"{V1}/clients/{{client_id}}", summary="A client that is connected", response=Client, errors=missing)
    def one_client(request: Request) -> Client:
        session = request.driver.broker.by_client_id.get(request.params["client_id"])
        if session is None or session.connection is None:
            raise HttpError(404, f"no client {request.params['client_id']!r} is connected")
        return client_form(session, session.connection, request.driver.now())

    @app.get(f"{V1}/sessions", summary="Sessions", query=models.SessionsQuery, response=Page[Session])
    def list_sessions(request: Request) -> Page[Session]:
        return sessions(request.driver.broker, request.query, request.driver.now())

    missing = {404: "There is no such session"}

    @app.get(f"{V1}/sessions/{{client_id}}", summary="A session", response=Session, errors=missing)
    def one_session(request: Request) -> Session:
        session = request.driver.broker.by_client_id.get(request.params["client_id"])
        if session is None:
            raise HttpError(404, f"there is no session {request.params['client_id']!r}")
        return session_form(session, request.driver.now())

    @app.get(
        f"{V1}/subscriptions",
        summary="Subscriptions of sessions",
        query=models.SubscriptionsQuery,
        response=Page[models.Subscription],
    )
    def list_subscriptions(request: Request) -> Page[models.Subscription]:
        topic = request.query.topic
        if topic and not valid_topic_name(topic):
            raise HttpError(400, f"query: {topic!r} is not a Topic Name; it may not contain + or #")
        return subscriptions(request.driver.broker, request.query)

    @app.get(f"{V1}/retained", summary="Retained messages", query=models.RetainedQuery, response=Page[Retained])
    def list_retained(request: Request) -> Page[Retained]:
        topic_filter = request.query.topic_filter
        if not valid_topic_filter(topic_filter, shared=False):
            raise HttpError(400, f"query: {topic_filter!r} is not a Topic Filter; + is a whole level, # the last one")
        return retained(request.driver.broker, request.query, request.driver.now())

    missing = {404: "This topic has no retained message"}

    @app.get(f"{V1}/retained/{{topic}}", summary="The retained message of a topic", response=Message, errors=missing)
    def one_retained(request: Request) -> Message:
        """Write a slash of the topic as `%2F` in the path."""
        broker, now = request.driver.broker, request.driver.now()
        broker.retained.expire(now)
        message = broker.retained_messages.get(request.params["topic"])
        if message is None:
            raise HttpError(404, f"nothing is retained for {request.params['topic']!r}")
        return message_form(message, now)


def _add_changes(app: App) -> None:
    missing = {404: "There is no such client"}

    @app.delete(f"{V1}/clients/{{client_id}}", summary="Disconnect a client", query=models.Deletion, errors=missing)
    def disconnect(request: Request) -> None:
        """A 5.0 client gets the reason code 0x98 (Administrative action). Its Will Message is published."""
        broker, client_id, now = request.driver.broker, request.params["client_id"], request.driver.now()
        if not broker.disconnect(client_id, ADMINISTRATIVE_ACTION, "Disconnected by an administrator", now):
            raise HttpError(404, f"no client {client_id!r} is connected")
        if request.query.end_session:
            broker.sessions.remove(client_id, now)

    missing = {404: "There is no such session"}

    @app.delete(f"{V1}/sessions/{{client_id}}", summary="End a session", errors=missing)
    def end_session(request: Request) -> None:
        """If the client is connected, it is disconnected."""
        client_id = request.params["client_id"]
        if not request.driver.broker.sessions.remove(client_id, request.driver.now()):
            raise HttpError(404, f"there is no session {client_id!r}")

    @app.delete(
        f"{V1}/retained",
        summary="Delete the retained messages that match a filter",
        query=models.RetainedDeletion,
        response=models.Removed,
        status=200,
    )
    async def clear_retained(request: Request) -> models.Removed:
        """Those under $SYS stay. Subscribers get no message."""
        topic_filter = request.query.topic_filter
        if not valid_topic_filter(topic_filter, shared=False):
            raise HttpError(400, f"query: {topic_filter!r} is not a Topic Filter; + is a whole level, # the last one")
        removed = 0
        for removed in request.driver.broker.retained.clear(topic_filter):
            if removed % STEP == 0:
                request.driver.schedule()
                await asyncio.sleep(0)  # others have their turn
        return models.Removed(removed)

    missing = {404: "This topic has no retained message"}

    @app.delete(f"{V1}/retained/{{topic}}", summary="Delete the retained message of a topic", errors=missing)
    def remove_retained(request: Request) -> None:
        """Write a slash of the topic as `%2F` in the path. Subscribers are not notified."""
        topic = request.params["topic"]
        if topic.startswith(OWN):
            raise HttpError(403, f"{topic!r} cannot be deleted: topics under $SYS belong to the broker")
        if not request.driver.broker.retained.remove(topic):
            raise HttpError(404, f"nothing is retained for {topic!r}")

    @app.post(f"{V1}/publish", summary="Publish a message", body=Publishing, response=Published)
    def publish(request: Request) -> Published:
        """The broker itself is the publisher: access rules do not apply, and `$SYS` topics are allowed."""
        packet = _packet(request.body)
        matched = request.driver.broker.inject(
            packet.topic,
            packet.payload,
            request.driver.now(),
            qos=packet.qos,
            retain=packet.retain,
            properties=packet.properties,
        )
        return Published(matched)

    @app.post(f"{V1}/reset", summary="Delete sessions and retained messages", query=models.ResetQuery, response=Reset)
    def reset(request: Request) -> Reset:
        """For tests that share a broker. Clients are disconnected first: what their wills retain is deleted too."""
        broker, now = request.driver.broker, request.driver.now()
        sessions = broker.sessions.remove_all(now) if request.query.sessions else 0
        return Reset(sessions, broker.retained.remove_all() if request.query.retained else 0)

    @app.post(
        f"{V1}/reload",
        summary="Reload the rules",
        errors={409: "This broker has no rules to reload", 422: "The rules are invalid, and the old ones still apply"},
    )
    async def reload(request: Request) -> None:
        read = request.driver.on_reload
        if read is None:
            raise HttpError(409, "this broker has no rules to reload")
        try:
            outcome = read()
            if inspect.isawaitable(outcome):
                await outcome
        except ValueError as error:
            raise HttpError(422, str(error)) from None


def _packet(wanted: Publishing) -> packets.Publish:
    """Return the message as a packet.

    Raises:
        HttpError: 400 if a client may not send this PUBLISH.
    """
    packet = packets.Publish(
        wanted.topic,
        bytes_of(wanted.payload),
        wanted.qos,
        retain=wanted.retain,
        packet_id=1 if wanted.qos else 0,
        properties=None if wanted.properties is None else properties_of(wanted.properties),
    )
    try:
        (found,) = Decoder(V5, CLIENT).feed(encode(V5, packet))
    except ValueError as error:
        raise HttpError(400, f"body: {error}") from None
    if isinstance(found, Violation):
        raise HttpError(400, f"body: this message would be an illegal PUBLISH, by {found.statement}")
    return packet

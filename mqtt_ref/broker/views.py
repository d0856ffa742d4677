# SPDX-License-Identifier: MIT
"""Read-only views of clients, subscriptions and retained messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from mqtt_ref.broker.subscription import NO_LOCAL, QOS, RETAIN_AS_PUBLISHED
from mqtt_ref.engine.connection import Connection
from mqtt_ref.wire.packets import PublishProperties

if TYPE_CHECKING:
    from mqtt_ref.engine.message import Message
    from mqtt_ref.engine.session import Session

__all__ = [
    "Client",
    "RetainedView",
    "SubscriptionView",
    "client_of",
    "owner_of",
    "retained_of",
    "subscriptions_of",
    "view_of",
]


class Client:
    """A client: its connection, if it has one, and its session, once it has one.

    When the connection is over, the attributes that describe it keep their last values.
    """

    __slots__ = ("_connection", "_session")

    def __init__(self, connection: Connection | None, session: Session | None) -> None:
        self._connection = connection
        self._session = session

    def __repr__(self) -> str:
        return f"Client({self.id!r}, {self.remote!r})"

    @property
    def session(self) -> Session | None:
        """The session inside the broker, for code that knows the broker's internals."""
        if self._session is None and self._connection is not None:
            self._session = self._connection.session
        return self._session

    @property
    def id(self) -> str:
        """The Client Identifier; empty before the CONNECT."""
        if self._connection is not None:
            return self._connection.client_id
        return "" if self._session is None else self._session.client_id

    @property
    def username(self) -> str:
        """The user name from the CONNECT, or the one that authentication set; empty before that."""
        if self._connection is not None:
            return self._connection.username
        return "" if self._session is None else self._session.username

    @property
    def remote(self) -> str:
        """The address of the client (`127.0.0.1:5000`); empty if it has not connected since the server started."""
        if self._connection is not None:
            return self._connection.remote
        return "" if self._session is None else self._session.remote

    @property
    def listener(self) -> str:
        """The name of the listener that accepted it, or empty."""
        if self._connection is not None:
            return self._connection.listener
        return "" if self._session is None else self._session.listener

    @property
    def protocol_version(self) -> int:
        """3 (3.1), 4 (3.1.1) or 5 (5.0); 0 before the CONNECT."""
        if self._connection is not None:
            return self._connection.version
        return 0 if self._session is None else self._session.version

    @property
    def clean_start(self) -> bool:
        """Clean Start (3.x: Clean Session) of its CONNECT."""
        return self._connection is not None and self._connection.agreement.clean_start

    @property
    def keep_alive(self) -> int:
        """Seconds of the Keep Alive in force; 0: none."""
        return 0 if self._connection is None else self._connection.agreement.keep_alive_seconds

    @property
    def connected(self) -> bool:
        """True if it is connected."""
        return self._connection is not None and self._connection.session is not None

    @property
    def session_expiry(self) -> int:
        """Seconds that its session outlives the connection; 4294967295: it never expires."""
        session = self.session
        return 0 if session is None else session.expiry

    @property
    def certificate(self) -> Mapping[str, object] | None:
        """The certificate of the client, as `ssl.SSLSocket.getpeercert` returns it, or None."""
        return None if self._connection is None else self._connection.peer_certificate

    @property
    def subscriptions(self) -> Mapping[str, tuple[int, int]]:
        """By filter: the options byte with the granted QoS, and the Subscription Identifier (0: none). A copy."""
        session = self.session
        return {} if session is None else session.subscriptions.copy()

    @property
    def inflight(self) -> int:
        """The number of QoS 1 and 2 messages sent to it that are not completely acknowledged."""
        session = self.session
        return 0 if session is None else len(session.inflight)

    @property
    def queued(self) -> int:
        """The number of messages that wait for it."""
        session = self.session
        return 0 if session is None else session.queued


def client_of(connection: Connection) -> Client:
    """Return the client on a connection, always the same object."""
    view = connection.view
    if isinstance(view, Client):
        return view
    client = Client(connection, connection.session)
    connection.view = client
    return client


def owner_of(session: Session) -> Client:
    """Return the client that a session belongs to: as it is connected, else as it was last seen."""
    if session.connection is not None:
        return client_of(session.connection)
    return Client(None, session)


def view_of(subject: Connection | Session | None) -> Client | None:
    """Return the client of a connection or a session; None for None."""
    if isinstance(subject, Connection):
        view = subject.view
        return view if isinstance(view, Client) else client_of(subject)
    return None if subject is None else owner_of(subject)


class SubscriptionView(NamedTuple):
    """A subscription as it was when it was read."""

    client_id: str
    topic_filter: str
    """As the client sent it, with `$share/name/`."""
    qos: int
    """The QoS that was granted."""
    no_local: bool
    retain_as_published: bool
    retain_handling: int
    identifier: int
    """The Subscription Identifier; 0: none."""


class RetainedView(NamedTuple):
    """A retained message."""

    topic: str
    payload: bytes
    qos: int
    properties: PublishProperties | None
    publisher: str
    """The Client Identifier of its publisher; empty for the broker itself."""


def subscriptions_of(session: Session) -> list[SubscriptionView]:
    """Return the subscriptions of a session, in the order in which they were made."""
    return [
        SubscriptionView(
            session.client_id,
            topic_filter,
            options & QOS,
            options & NO_LOCAL != 0,
            options & RETAIN_AS_PUBLISHED != 0,
            options >> 4 & 3,
            identifier,
        )
        for topic_filter, (options, identifier) in session.subscriptions.items()
    ]


def retained_of(message: Message) -> RetainedView:
    """Return the view of a retained message."""
    return RetainedView(message.topic, message.payload, message.qos, message.properties, message.publisher)

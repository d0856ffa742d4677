# SPDX-License-Identifier: MIT
"""The request and response types of the API. The OpenAPI document is derived from them."""

from __future__ import annotations

from typing import Annotated, Final, Generic, TypeVar

import msgspec
from msgspec import Meta

from mqtt_ref.broker.sys_topics import SYS_TOPICS
from mqtt_ref.http.generated.properties import PublishProperties
from mqtt_ref.http.values import Bytes, Form, Topic

__all__ = [
    "Client",
    "ClientsQuery",
    "Deletion",
    "Form",
    "Info",
    "Listing",
    "Message",
    "Page",
    "PublishProperties",
    "Published",
    "Publishing",
    "Reset",
    "ResetQuery",
    "Retained",
    "RetainedQuery",
    "Session",
    "SessionsQuery",
    "Subscription",
    "SubscriptionsQuery",
    "info_name",
]

T = TypeVar("T")
PATTERN: Final = "the exact text, or a prefix followed by *"

Limit = Annotated[int, Meta(ge=1, le=1000, description="Maximum number of items on the page")]
After = Annotated[str, Meta(pattern=r"^[0-9]{0,15}(\.[0-9]{1,15})?$", description="The `next` of the previous page")]
Pattern = Annotated[str, Meta(description=PATTERN)]


def info_name(topic: str) -> str:
    """Return the JSON name of a `$SYS` value: `load_bytes_received_1min`."""
    return topic.removeprefix("$SYS/broker/").replace("/", "_").replace(" ", "_")


def _info_type(topic: str) -> type[object]:
    if topic.endswith("/version"):
        return str
    return float if topic.endswith("min") else int


Info = msgspec.defstruct(
    "Info",
    [(info_name(topic), Annotated[_info_type(topic), Meta(description=text)]) for topic, text in SYS_TOPICS.items()],
    namespace={"__doc__": "The `$SYS` values of the broker."},
)


class Listing(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Which part of a list to return."""

    limit: Limit = 100
    after: After = ""


class ClientsQuery(Listing):
    """Which clients to return."""

    client_id: Pattern = ""
    username: Pattern = ""
    remote: Pattern = ""
    listener: Pattern = ""


class SessionsQuery(Listing):
    """Which sessions to return."""

    client_id: Pattern = ""
    username: Pattern = ""
    connected: bool | None = None


class SubscriptionsQuery(Listing):
    """Which subscriptions to return."""

    client_id: Pattern = ""
    topic_filter: Annotated[str, Meta(description="Exactly as the client sent it")] = ""
    topic: Annotated[str, Meta(pattern=r"^[^+#\u0000]*$", description="A Topic Name that the subscriptions match")] = ""


class RetainedQuery(Listing):
    """Which retained messages to return."""

    topic_filter: Annotated[
        str,
        Meta(
            min_length=1,
            pattern=r"^(#|(\+|[^+#/\u0000]*)(/(\+|[^+#/\u0000]*))*(/#)?)$",
            description="A Topic Filter; it matches topics under $SYS only if it begins with $SYS",
        ),
    ] = "#"


class Page(msgspec.Struct, Generic[T]):
    """A page of a list. It may have fewer than `limit` items, even none, although more pages follow."""

    items: list[T]
    next: Annotated[str | None, Meta(description="The `after` of the next page; null: this is the last page")]


class Client(msgspec.Struct):
    """A client that is connected."""

    client_id: str
    username: str
    remote: Annotated[str, Meta(description="Address that it connects from")]
    listener: str
    protocol_version: Annotated[int, Meta(description="3 (3.1), 4 (3.1.1) or 5 (5.0)")]
    clean_start: bool
    keep_alive: Annotated[int, Meta(description="Seconds; 0: none")]
    connected_for: Annotated[float, Meta(description="Seconds")]
    session_expiry: Annotated[int, Meta(description="Seconds; 4294967295: never")]
    subscriptions: int
    inflight: Annotated[int, Meta(description="Messages with QoS 1 or 2 that it has not acknowledged")]
    queued: Annotated[int, Meta(description="Messages that wait to be sent to it")]


class Session(msgspec.Struct):
    """The Session of a Client Identifier."""

    client_id: str
    username: str
    protocol_version: int
    connected: bool
    session_expiry: Annotated[int, Meta(description="Seconds after its connection ends; 4294967295: forever")]
    expires_in: Annotated[float | None, Meta(description="Seconds; null: its client is connected, or it never expires")]
    subscriptions: int
    inflight: int
    queued: int
    queued_bytes: int


class Subscription(msgspec.Struct):
    """A subscription of a session."""

    client_id: str
    topic_filter: str
    qos: Annotated[int, Meta(description="The QoS that was granted")]
    no_local: bool
    retain_as_published: bool
    retain_handling: int
    identifier: int | None


class Retained(msgspec.Struct):
    """A retained message in a list. The payload is null if it is larger than 4096 bytes."""

    topic: str
    qos: int
    size: Annotated[int, Meta(description="Bytes of its payload")]
    payload: Bytes | None
    publisher: Annotated[str, Meta(description="The client identifier of its publisher; empty: the broker")]
    expires_in: float | None


class Message(msgspec.Struct):
    """A retained message with its properties. The payload is null if it is larger than 1 MiB."""

    topic: str
    qos: int
    size: int
    payload: Bytes | None
    publisher: str
    expires_in: float | None
    properties: PublishProperties


class Publishing(msgspec.Struct, forbid_unknown_fields=True):
    """A message to publish."""

    topic: Topic
    payload: Bytes = ""
    qos: Annotated[int, Meta(ge=0, le=2)] = 0
    retain: bool = False
    properties: PublishProperties | None = None


class Published(msgspec.Struct):
    """The result of publishing."""

    matched: Annotated[bool, Meta(description="True if a subscription matched")]


class Deletion(msgspec.Struct, forbid_unknown_fields=True):
    """How to disconnect a client."""

    end_session: Annotated[bool, Meta(description="True: end its session too")] = False


class ResetQuery(msgspec.Struct, forbid_unknown_fields=True):
    """What to delete."""

    sessions: Annotated[bool, Meta(description="All sessions; clients are disconnected")] = True
    retained: Annotated[bool, Meta(description="All retained messages except those under $SYS")] = True


class Reset(msgspec.Struct):
    """How many sessions and retained messages were deleted."""

    sessions: int
    retained: int

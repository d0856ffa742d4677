# SPDX-License-Identifier: MIT
"""What the API takes and answers; the OpenAPI document is derived from these."""

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
PATTERN: Final = "the whole of it, or its beginning with * behind"

Limit = Annotated[int, Meta(ge=1, le=1000, description="How many at most")]
After = Annotated[str, Meta(pattern=r"^[0-9]{0,15}(\.[0-9]{1,15})?$", description="The `next` of the page before")]
Pattern = Annotated[str, Meta(description=PATTERN)]


def info_name(topic: str) -> str:
    """The name of a `$SYS` value in JSON: `load_bytes_received_1min`."""
    return topic.removeprefix("$SYS/broker/").replace("/", "_").replace(" ", "_")


def _info_type(topic: str) -> type[object]:
    if topic.endswith("/version"):
        return str
    return float if topic.endswith("min") else int


Info = msgspec.defstruct(
    "Info",
    [(info_name(topic), Annotated[_info_type(topic), Meta(description=text)]) for topic, text in SYS_TOPICS.items()],
    namespace={"__doc__": "What the broker says about itself: the `$SYS` values."},
)


class Listing(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Which part of a list is wanted."""

    limit: Limit = 100
    after: After = ""


class ClientsQuery(Listing):
    """Which clients are wanted."""

    client_id: Pattern = ""
    username: Pattern = ""
    remote: Pattern = ""
    listener: Pattern = ""


class SessionsQuery(Listing):
    """Which sessions are wanted."""

    client_id: Pattern = ""
    username: Pattern = ""
    connected: bool | None = None


class SubscriptionsQuery(Listing):
    """Which subscriptions are wanted."""

    client_id: Pattern = ""
    topic_filter: Annotated[str, Meta(description="As the client wrote it")] = ""
    topic: Annotated[str, Meta(pattern=r"^[^+#\u0000]*$", description="A Topic Name that they match")] = ""


class RetainedQuery(Listing):
    """Which retained messages are wanted."""

    topic_filter: Annotated[
        str,
        Meta(
            min_length=1,
            pattern=r"^(#|(\+|[^+#/\u0000]*)(/(\+|[^+#/\u0000]*))*(/#)?)$",
            description="A Topic Filter; what is under $SYS comes only if it begins so",
        ),
    ] = "#"


class Page(msgspec.Struct, Generic[T]):
    """A part of a list. A page may hold fewer than `limit`, even none, though others follow."""

    items: list[T]
    next: Annotated[str | None, Meta(description="What to give as `after` for the page behind; null: this is the last")]


class Client(msgspec.Struct):
    """A client that is connected."""

    client_id: str
    username: str
    remote: Annotated[str, Meta(description="Where it connects from")]
    listener: str
    protocol_version: Annotated[int, Meta(description="3 (3.1), 4 (3.1.1) or 5 (5.0)")]
    clean_start: bool
    keep_alive: Annotated[int, Meta(description="Seconds; 0: none")]
    connected_for: Annotated[float, Meta(description="Seconds")]
    session_expiry: Annotated[int, Meta(description="Seconds; 4294967295: never")]
    subscriptions: int
    inflight: Annotated[int, Meta(description="Messages with QoS 1 or 2 that it has not acknowledged")]
    queued: Annotated[int, Meta(description="Messages that wait for it")]


class Session(msgspec.Struct):
    """What the broker holds for a client identifier."""

    client_id: str
    username: str
    protocol_version: int
    connected: bool
    session_expiry: Annotated[int, Meta(description="Seconds that it outlives its connection; 4294967295: for ever")]
    expires_in: Annotated[float | None, Meta(description="Seconds; null while its client is connected, or never")]
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
    """A retained message; its payload only up to 4096 bytes."""

    topic: str
    qos: int
    size: Annotated[int, Meta(description="Bytes of its payload")]
    payload: Bytes | None
    publisher: Annotated[str, Meta(description="The client identifier of its publisher; empty: the broker")]
    expires_in: float | None


class Message(msgspec.Struct):
    """A retained message, whole; the payload is null where it is larger than a mebibyte."""

    topic: str
    qos: int
    size: int
    payload: Bytes | None
    publisher: str
    expires_in: float | None
    properties: PublishProperties


class Publishing(msgspec.Struct, forbid_unknown_fields=True):
    """A message to be published."""

    topic: Topic
    payload: Bytes = ""
    qos: Annotated[int, Meta(ge=0, le=2)] = 0
    retain: bool = False
    properties: PublishProperties | None = None


class Published(msgspec.Struct):
    """What became of it."""

    matched: Annotated[bool, Meta(description="Whether anybody had subscribed")]


class Deletion(msgspec.Struct, forbid_unknown_fields=True):
    """How a client is disconnected."""

    end_session: Annotated[bool, Meta(description="Whether its session ends too")] = False


class ResetQuery(msgspec.Struct, forbid_unknown_fields=True):
    """What is to be forgotten."""

    sessions: Annotated[bool, Meta(description="All sessions; clients are disconnected")] = True
    retained: Annotated[bool, Meta(description="All retained messages but those under $SYS")] = True


class Reset(msgspec.Struct):
    """What was forgotten."""

    sessions: int
    retained: int

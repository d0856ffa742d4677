# SPDX-License-Identifier: MIT
"""The interface of every client: the calls that scenarios use, and the plain values they pass."""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

#: The timeout of every wait, in seconds. A wait ends as soon as its condition holds.
DEADLINE = float(os.environ.get("MQTT_REF_INTEROP_DEADLINE", "30"))

V31, V311, V5 = 3, 4, 5
VERSIONS = {"3.1": V31, "3.1.1": V311, "5.0": V5}
TAGS = {V31: "v31", V311: "v311", V5: "v5"}

#: `clean`: nothing outlives the link. `new`: starts a session that is kept. `resume`: resumes it.
SessionKind = Literal["clean", "new", "resume"]

#: Session Expiry Interval of the stored 5.0 sessions, in seconds.
KEPT_FOR = 300


class ClientFailure(Exception):
    """The client did not get what it asked for: it was refused, closed, or got nothing before the deadline."""


class Unsupported(Exception):
    """The client's interface cannot do this. A row in `clients.toml` should say so."""


@dataclass(frozen=True, slots=True)
class Properties:
    """The properties of a message: those that a publisher sets and a subscriber gets, and those of the broker."""

    payload_format_indicator: int | None = None
    message_expiry_interval: int | None = None
    content_type: str | None = None
    response_topic: str | None = None
    correlation_data: bytes | None = None
    user_property: tuple[tuple[str, str], ...] = ()
    subscription_identifier: tuple[int, ...] = ()


NO_PROPERTIES = Properties()


@dataclass(frozen=True, slots=True)
class Message:
    """An application message, sent or received. `dup` is None if the client does not show it."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    dup: bool | None = None
    properties: Properties = NO_PROPERTIES


@dataclass(frozen=True, slots=True)
class Options:
    """How to connect."""

    host: str
    port: int
    version: int
    client_id: str
    session: SessionKind = "clean"
    will: Message | None = None
    keep_alive: int = 60
    websocket: bool = False


class Inbox:
    """The received messages, in order. The client's thread adds them, and the scenario's thread waits for them."""

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._changed = threading.Condition()
        self._trouble: str | None = None

    @property
    def trouble(self) -> str | None:
        """Why the link was lost unexpectedly."""
        return self._trouble

    def link_lost(self, why: str) -> None:
        """Report that the link was closed although the scenario wanted it open. Every wait ends with this reason."""
        with self._changed:
            self._trouble = self._trouble or why
            self._changed.notify_all()

    def put(self, message: Message) -> None:
        """Add a message and wake the waiting threads."""
        with self._changed:
            self._messages.append(message)
            self._changed.notify_all()

    def all(self) -> list[Message]:
        """Everything that came so far."""
        with self._changed:
            return list(self._messages)

    def wait(self, ready: Callable[[list[Message]], bool], what: str, seconds: float = DEADLINE) -> list[Message]:
        """Return the messages as soon as `ready` holds for them. Raises after the timeout, and shows what came."""
        with self._changed:
            self._changed.wait_for(lambda: ready(self._messages) or self._trouble is not None, seconds)
            if ready(self._messages):
                return list(self._messages)
            why = f"waited {seconds:g} s" if self._trouble is None else f"link lost ({self._trouble}) while waiting"
            raise ClientFailure(f"{why} for {what}; came: {summary(self._messages)}")


class Client(Protocol):
    """One client with one link at a time. Every call returns when it is done, or raises after `DEADLINE`."""

    inbox: Inbox

    def connect(self, options: Options) -> bool | None:
        """Connect. Return Session Present, or None if the client does not show it."""

    def subscribe(self, filters: list[str], qos: int, identifier: int | None = None) -> list[int]:
        """Subscribe, at most once per link, and return the reason code of each filter."""

    def unsubscribe(self, topic_filter: str) -> None:
        """Unsubscribe and wait for the UNSUBACK."""

    def publish(self, message: Message) -> None:
        """Publish and wait until the exchange of its QoS is complete."""

    def disconnect(self) -> None:
        """Send DISCONNECT and close the link."""

    def drop(self) -> None:
        """Close the link without a DISCONNECT."""

    def close(self) -> None:
        """Free all resources in any state of the client. May be called more than once."""


def summary(messages: list[Message]) -> str:
    """Return the messages as a failure shows them. Long payloads are cut."""
    shown = []
    for message in messages:
        payload = message.payload
        if len(payload) > 32:
            payload = payload[:16] + b"... (%d bytes)" % len(payload)
        shown.append(f"{message.topic} {payload!r} qos={message.qos} retain={int(message.retain)} dup={message.dup}")
    return "[" + "; ".join(shown) + "]" if shown else "nothing"


def until(ready: Callable[[], bool], what: str, seconds: float = DEADLINE) -> None:
    """Poll a condition. Only for the end of processes and threads, which nothing reports."""
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise ClientFailure(f"waited {seconds:g} s for {what}")
        time.sleep(0.005)

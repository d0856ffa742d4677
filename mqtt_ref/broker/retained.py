# SPDX-License-Identifier: MIT
"""Retained messages: one for each topic, found by filter, gone when they expire."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

__all__ = ["Expires", "Retained"]


class Expires(Protocol):
    """What a message must have: the time at which it expires in nanoseconds, or 0 for never."""

    expires_at: int


M = TypeVar("M", bound=Expires)


class Retained(Generic[M]):
    """The retained messages. At most `maximum` are kept (0: any number); `refused` counts those that were not.

    Nothing here looks at the time: `expire` what has expired before you read.
    """

    def __init__(self, maximum: int = 0) -> None: ...

    def __len__(self) -> int:
        raise NotImplementedError

    def put(self, topic: str, message: M) -> bool:
        """Keep a message in place of the one before [MQTT5-3.3.1-5]; False if there is no room for another topic."""
        raise NotImplementedError

    def remove(self, topic: str) -> bool:
        """Remove the message of a topic [MQTT5-3.3.1-6]; False if there was none."""
        raise NotImplementedError

    def get(self, topic: str) -> M | None:
        """The message of a topic."""
        raise NotImplementedError

    def match(self, topic_filter: str) -> Iterator[tuple[str, M]]:
        """Messages of all topics that match, by topic. What is removed or replaced meanwhile is left out or new."""
        raise NotImplementedError

    def expire(self, now: int) -> list[str]:
        """Remove all messages that have expired [MQTT5-3.3.2-5] and say their topics."""
        raise NotImplementedError

    def next_expiry(self) -> int:
        """When the next message expires; 0 for never."""
        raise NotImplementedError

# SPDX-License-Identifier: MIT
"""Who gets a message: the subscriptions of all subscribers, and for each topic those that match, remembered."""

from __future__ import annotations

from collections.abc import Callable

from mqtt_ref.broker.shared import Group
from mqtt_ref.broker.subscription import Entry, Merged, Subscribed

__all__ = ["Entry", "Group", "Match", "Merged", "Router", "Subscribed"]


class Match:
    """Who gets messages of a topic. Never changed, and shared by all topics with the same answer.

    Attributes:
        plain: one entry for each subscriber with a subscription that is not shared.
        shared: the groups, one of whose members gets the message. They are alive: members come and go.
    """

    __slots__ = ("plain", "shared")

    def __init__(self, plain: list[Entry], shared: list[Group]) -> None:
        self.plain: list[Entry] = plain
        self.shared: list[Group] = shared


class Router:
    """All subscriptions, by filter and by subscriber. Filters and topics have been checked (`topics`).

    `refine(topic, match)` may return another `Match` (subscribers that may not read the topic left out); its answer is
    remembered with the topic, until `forget()`.
    """

    def __init__(self, cached: int = 16_384, refine: Callable[[str, Match], Match] | None = None) -> None: ...

    def __len__(self) -> int:
        """The number of subscriptions."""
        raise NotImplementedError

    @property
    def shared(self) -> int:
        """How many of the subscriptions are shared."""
        raise NotImplementedError

    def subscribe(
        self, subscriber: int, topic_filter: str, options: int, identifier: int = 0, shared: bool = True
    ) -> bool:
        """Add a subscription, or replace the one with the same filter [MQTT5-3.8.4-3]; True if it is new.

        With `shared=False`, `$share/` is a level like others (3.x, if it is so decided).
        """
        raise NotImplementedError

    def unsubscribe(self, subscriber: int, topic_filter: str) -> bool:
        """Remove the subscription with exactly this filter [MQTT5-3.10.4-1]; False if there is none."""
        raise NotImplementedError

    def remove(self, subscriber: int) -> None:
        """Remove all subscriptions of a subscriber."""
        raise NotImplementedError

    def match(self, topic: str) -> Match:
        """Who gets a message of this topic."""
        raise NotImplementedError

    def subscription(self, subscriber: int, topic_filter: str) -> Subscribed | None:
        """The subscription with exactly this filter."""
        raise NotImplementedError

    def subscriptions(self, subscriber: int) -> dict[str, Subscribed]:
        """A copy of all subscriptions of a subscriber, by filter, the oldest first."""
        raise NotImplementedError

    def count(self, subscriber: int) -> int:
        """How many subscriptions a subscriber has."""
        raise NotImplementedError

    def wake(self, subscriber: int) -> None:
        """Tell the groups of a subscriber that it has connected or has send quota again."""
        raise NotImplementedError

    def forget(self) -> None:
        """Forget what was matched: who may read what has changed."""
        raise NotImplementedError

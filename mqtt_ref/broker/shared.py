# SPDX-License-Identifier: MIT
"""The members of a Shared Subscription, and which one is next."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from mqtt_ref.broker.subscription import Subscribed

__all__ = ["Group"]

_LOOKED_AT: Final = 16


class Group:
    """The subscribers that share one filter under one ShareName: each message goes to one of them (section 4.8.2).

    The same ShareName with another filter is another group, and so is the same filter under another ShareName. Members
    are in two queues: those that could take a message when last asked, and those that could not. A message looks at
    the first queue and at one or a few members of the second, so its cost does not grow with the members that are away.
    Call `wake` when a subscriber has connected or has send quota again; otherwise it is found only later.
    """

    __slots__ = ("_away", "_ready", "name", "topic_filter")

    def __init__(self, name: str, topic_filter: str) -> None:
        self.name: str = name
        self.topic_filter: str = topic_filter
        self._ready: OrderedDict[int, Subscribed] = OrderedDict()
        self._away: OrderedDict[int, Subscribed] = OrderedDict()

    def __len__(self) -> int:
        return len(self._ready) + len(self._away)

    def __repr__(self) -> str:
        return f"Group({self.name!r}, {self.topic_filter!r}, {len(self)} members)"

    def members(self) -> list[Subscribed]:
        """Return the subscriptions of all members."""
        return [*self._ready.values(), *self._away.values()]

    def member(self, subscriber: int) -> Subscribed | None:
        """Return the subscription of a member, whose QoS must be respected; None if it is not a member.

        Cites: MQTT5-4.8.2-3
        """
        found = self._ready.get(subscriber)
        return found if found is not None else self._away.get(subscriber)

    def queue_for(self, keeps: Callable[[int], bool]) -> int:
        """Return the next member for which `keeps` is True, to queue a message if `pick` found none; -1: no member."""
        for row in (self._away, self._ready):
            for subscriber in row:
                if keeps(subscriber):
                    row.move_to_end(subscriber)
                    return subscriber
        return -1

    def pick(self, available: Callable[[int], bool]) -> int:
        """Return the next member that is available (connected, with send quota, and the like); -1: no member."""
        ready = self._ready
        away = self._away
        if ready and away:
            # A member that came back without a `wake` is found again, sooner or later.
            subscriber = next(iter(away))
            if available(subscriber):
                ready[subscriber] = away.pop(subscriber)
            else:
                away.move_to_end(subscriber)
        while ready:
            subscriber = next(iter(ready))
            if available(subscriber):
                ready.move_to_end(subscriber)
                return subscriber
            away[subscriber] = ready.pop(subscriber)
        for looked_at, subscriber in enumerate(away):
            if looked_at == _LOOKED_AT:
                break
            if available(subscriber):
                self.wake(subscriber)
                ready.move_to_end(subscriber)
                return subscriber
        return -1

    def wake(self, subscriber: int) -> None:
        """Mark a member as possibly available again."""
        found = self._away.pop(subscriber, None)
        if found is not None:
            self._ready[subscriber] = found

    def add(self, member: Subscribed) -> None:
        """Add a member, or replace its subscription without changing its place."""
        subscriber = member.subscriber
        if subscriber in self._away:
            self._away[subscriber] = member
        else:
            self._ready[subscriber] = member

    def remove(self, subscriber: int) -> None:
        """Remove a member."""
        if self._ready.pop(subscriber, None) is None:
            self._away.pop(subscriber, None)

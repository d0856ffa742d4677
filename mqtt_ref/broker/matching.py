# SPDX-License-Identifier: MIT
"""The answer to the question who gets a message: what is stored for a filter, answers of several filters made one.

`Router` knows the filters and remembers answers. `Matching` finds one in steps, when that is too much work for a turn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mqtt_ref.broker.shared import Group
from mqtt_ref.broker.subscription import Entry, Merged, Subscribed, subscriptions
from mqtt_ref.broker.tree import Search

if TYPE_CHECKING:
    from mqtt_ref.broker.router import Router

__all__ = ["EVERYTHING", "NOBODY", "Filter", "Matching", "Subscribers", "together"]

EVERYTHING: Final = 1 << 60
"""More work than there can be."""
# Entries between two looks at the work that is left.
_CHUNK: Final = 256
# Subscription Identifiers of a message that cost a unit of work.
_IDENTIFIERS: Final = 16


class Subscribers:
    """The subscribers of a topic. Never changed, and shared by all topics with the same answer.

    Attributes:
        plain: one entry for each subscriber with a subscription that is not shared.
        shared: the groups of Shared Subscriptions; one member of each gets the message. Their members may change.
        weight: the number of entries that belong to one topic alone; set by the router.
        extra: units of work for the Subscription Identifiers of a message; set by the router.
    """

    __slots__ = ("extra", "plain", "shared", "weight")

    def __init__(self, plain: list[Entry], shared: list[Group]) -> None:
        self.plain: list[Entry] = plain
        self.shared: list[Group] = shared
        self.weight: int = 0
        self.extra: int = 0

    def __repr__(self) -> str:
        return f"Subscribers({self.plain!r}, {self.shared!r})"


_NO_ENTRIES: Final[list[Entry]] = []
_NO_GROUPS: Final[list[Group]] = []
NOBODY: Final = Subscribers(_NO_ENTRIES, _NO_GROUPS)


class Filter:
    """Everything stored for one filter. Most filters have one subscriber; a dict for it would cost 200 bytes."""

    __slots__ = ("_match", "groups", "many", "only")

    def __init__(self) -> None:
        self.only: Subscribed | None = None
        self.many: dict[int, Subscribed] | None = None
        self.groups: dict[str, Group] | None = None
        self._match: Subscribers | None = None

    def put(self, subscribed: Subscribed) -> None:
        """Add the subscription of a subscriber, or replace it in its place."""
        self._match = None
        if self.many is not None:
            self.many[subscribed.subscriber] = subscribed
        elif self.only is None or self.only.subscriber == subscribed.subscriber:
            self.only = subscribed
        else:
            self.many = {self.only.subscriber: self.only, subscribed.subscriber: subscribed}
            self.only = None

    def drop(self, subscriber: int) -> None:
        """Remove the subscription of a subscriber."""
        self._match = None
        many = self.many
        if many is None:
            self.only = None
            return
        del many[subscriber]
        if len(many) == 1:
            for last in many.values():
                self.only = last
            self.many = None

    def group(self, name: str, topic_filter: str) -> Group:
        """Return the group of a ShareName. Create it if it does not exist."""
        if self.groups is None:
            self.groups = {}
        found = self.groups.get(name)
        if found is None:
            found = self.groups[name] = Group(name, topic_filter)
            self._match = None
        return found

    def drop_group(self, name: str) -> None:
        """Remove a group."""
        self._match = None
        assert self.groups is not None
        del self.groups[name]
        if not self.groups:
            self.groups = None

    def unused(self) -> bool:
        """True if it has no subscription and no group any more."""
        return self.only is None and self.many is None and self.groups is None

    def match(self) -> Subscribers:
        """Return the answer for topics that no other filter matches: one object for all of them."""
        match = self._match
        if match is None:
            plain: list[Entry] = _NO_ENTRIES
            if self.only is not None:
                plain = [self.only]
            elif self.many is not None:
                plain = list(self.many.values())
            match = Subscribers(plain, _NO_GROUPS if self.groups is None else list(self.groups.values()))
            self._match = match
        return match


class Matching:
    """A search for the subscribers of a topic, which can be interrupted: see `Router.match`.

    Subscriptions may change meanwhile. Then the answer may have some that have ended, or lack new ones; it is not
    cached.

    Attributes:
        match: the answer, once `step` has left work over.
        changes: `Router.changes` at the beginning.
    """

    __slots__ = (
        "_at",
        "_extra",
        "_filters",
        "_groups",
        "_merge",
        "_plain",
        "_router",
        "_search",
        "_todo",
        "_topic",
        "_weight",
        "changes",
        "match",
    )

    def __init__(self, router: Router, topic: str, search: Search[Filter]) -> None:
        self.match: Subscribers = NOBODY
        self._router: Router = router
        self._topic: str = topic
        self.changes: int = router.changes
        self._search: Search[Filter] | None = search
        self._filters: list[Filter] = []
        """What matches and is not merged yet; the last one is the next."""
        self._merge: _Merge | None = _Merge()
        self._todo: list[Entry] = _NO_ENTRIES
        """Entries to look at, from `_at` on: first those of one filter, later all that were merged."""
        self._at: int = 0
        self._plain: list[Entry] = []
        """Entries that may read the topic."""
        self._groups: list[Group] = []
        self._weight: int = 0
        self._extra: int = 0

    def step(self, most: int) -> int:
        """Work for about `most` units. Return how many are left: none or less if it is not finished."""
        search = self._search
        if search is not None:
            before = search.visits
            done = search.step(most)
            most -= search.visits - before
            if not done:
                return min(most, 0)
            self._search = None
            self._filters = search.found
            exact = self._router.exactly(self._topic)
            if exact is not None:
                self._filters.append(exact)
            self._filters.reverse()
        merge = self._merge
        if merge is not None:
            most = self._add(merge, most)
            while most > 0 and merge.overlapping:
                most -= merge.join(_CHUNK)
            if most <= 0:
                return most
            self._merge = None
            self._extra = merge.identifiers // _IDENTIFIERS
            self._todo = list(merge.entries.values())
            self._at = 0
        router = self._router
        refine = router.refine if router.judged else None
        if refine is None:
            self._plain.extend(self._todo[self._at :])
            self._at = len(self._todo)
        while refine is not None and most > 0 and self._at < len(self._todo):
            part = self._todo[self._at : self._at + _CHUNK]
            self._at += len(part)
            most -= len(part)
            self._plain.extend(refine(self._topic, Subscribers(part, _NO_GROUPS)).plain)
        if self._at < len(self._todo):
            return most
        self.match = Subscribers(self._plain, self._groups)
        self.match.weight = self._weight
        self.match.extra = self._extra
        if self.changes == router.changes:
            router.keep(self._topic, self.match)
        return max(most, 1)

    def _add(self, merge: _Merge, most: int) -> int:
        """Merge the entries of all filters. Return the work that is left: none or less if it is not finished."""
        while most > 0:
            if self._at < len(self._todo):
                part = self._todo[self._at : self._at + _CHUNK]
                self._at += len(part)
                most -= len(part)
                merge.add(part)
            elif self._filters:
                match = self._filters.pop().match()
                most -= 1 + len(match.plain) // _CHUNK
                self._weight += len(match.plain) + len(match.shared)
                self._groups.extend(match.shared)
                self._todo = match.plain
                self._at = 0
            else:
                break
        return most


class _Merge:
    """Makes one answer from the entries of several filters.

    Cites: MQTT5-3.3.4-2
    """

    __slots__ = ("entries", "identifiers", "overlapping")

    def __init__(self) -> None:
        self.identifiers: int = 0
        self.entries: dict[int, Entry] = {}
        self.overlapping: dict[int, list[Subscribed]] = {}

    def add(self, plain: list[Entry]) -> None:
        """Add entries. Those of one subscriber are kept apart."""
        entries = self.entries
        overlapping = self.overlapping
        for entry in plain:
            subscriber = entry.subscriber
            before = entries.get(subscriber)
            if before is None:
                entries[subscriber] = entry
                continue
            parts = overlapping.get(subscriber)
            if parts is None:
                parts = overlapping[subscriber] = list(subscriptions(before))
            parts.extend(subscriptions(entry))

    def join(self, most: int) -> int:
        """Let overlapping subscriptions of a subscriber become one entry; about `most` of them. Return how many."""
        joined = 0
        while self.overlapping and joined < most:
            subscriber, parts = self.overlapping.popitem()
            entry = Merged(tuple(parts))
            self.entries[subscriber] = entry
            self.identifiers += len(entry.identifiers)
            joined += len(parts)
        return joined


def together(filters: list[Filter]) -> Subscribers:
    """Make one answer from several filters: overlapping subscriptions of a subscriber become one entry."""
    merge = _Merge()
    groups: list[Group] = []
    weight = 0
    for at in filters:
        match = at.match()
        weight += len(match.plain) + len(match.shared)
        merge.add(match.plain)
        groups.extend(match.shared)
    merge.join(EVERYTHING)
    together = Subscribers(list(merge.entries.values()), groups)
    together.weight = weight
    together.extra = merge.identifiers // _IDENTIFIERS
    return together

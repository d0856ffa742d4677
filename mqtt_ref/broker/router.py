# SPDX-License-Identifier: MIT
"""The router: the subscriptions of all subscribers, and a cache of those that match each topic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mqtt_ref.broker.matching import EVERYTHING, NOBODY, Filter, Matching, Subscribers, together
from mqtt_ref.broker.shared import Group
from mqtt_ref.broker.subscription import Subscribed
from mqtt_ref.broker.topics import is_wildcard, split_shared
from mqtt_ref.broker.tree import LevelTree
from mqtt_ref.wire.primitives import V5

__all__ = ["Router"]

# Longer topics are matched anew each time, so that the cache is bounded in bytes too.
_LONGEST_CACHED: Final = 512
# Entries in answers that are not shared with other topics, for each topic that the cache has room for.
_ENTRIES_PER_TOPIC: Final = 16
# How many nodes a search for topics to forget may visit in vain: for each topic that was matched, and initially.
_PATIENCE_PER_TOPIC: Final = 8
_PATIENCE: Final = 1024


class _Generation:
    """One half of the cache, with an index of its topics once filters with wildcards change."""

    __slots__ = ("index", "matches", "room")

    def __init__(self, room: int) -> None:
        self.matches: dict[str, Subscribers] = {}
        self.index: LevelTree[str] | None = None
        self.room: int = room


class Router:
    """All subscriptions, by filter and by subscriber. Filters and topics must be valid (see `topics`).

    Filters without wildcards are found by the topic itself; those with wildcards are in a tree. Answers are cached, for
    at most `cached` topics. A new or removed filter drops the answers for the topics that it matches, and no others.
    Finding those topics may mean visiting many that do not match (`+/+/x`). Once all such searches have cost more than
    matching everything anew, the whole cache is cleared. So a change costs a constant on average, whatever clients
    subscribe to.

    `refine(topic, match)` may return another `Subscribers`, without those that may not read the topic. Its result is
    cached until `forget()`.

    Attributes:
        misses: topics that were matched because the answer was not cached.
        dropped: answers dropped because a filter that matches the topic changed.
        spent: work that matching took, in units of `engine.turns`, until it is charged.
        given_up: how often the whole cache was cleared because a search took too long.
        most: the work after which `at_once` gives up.
        judged: True if `refine` looks at each entry.
        changes: counts what may change an answer.
    """

    __slots__ = (
        "_filters",
        "_half",
        "_old",
        "_owned",
        "_patience",
        "_shared",
        "_sharing",
        "_size",
        "_wild",
        "_young",
        "changes",
        "dropped",
        "given_up",
        "judged",
        "misses",
        "most",
        "refine",
        "shared_for_v3",
        "spent",
    )

    def __init__(
        self,
        cached: int = 16_384,
        refine: Callable[[str, Subscribers], Subscribers] | None = None,
        dollar_apart: bool = True,
        parent_too: bool = True,
        shared_for_v3: bool = False,
    ) -> None:
        self.refine: Callable[[str, Subscribers], Subscribers] | None = refine
        self.shared_for_v3: bool = shared_for_v3
        self.misses: int = 0
        self.dropped: int = 0
        self.spent: int = 0
        self.given_up: int = 0
        self.most: int = EVERYTHING
        self.judged: bool = True
        self.changes: int = 0
        self._filters: dict[str, Filter] = {}
        self._wild: LevelTree[Filter] = LevelTree(dollar_apart, parent_too)
        # Most subscribers have one subscription. It is stored itself, without a dict.
        self._owned: dict[int, Subscribed | dict[str, Subscribed]] = {}
        self._sharing: dict[int, dict[str, Group]] = {}
        self._size: int = 0
        self._shared: int = 0
        self._half: int = max(cached // 2, 0)
        self._patience: int = _PATIENCE
        self._young: _Generation = self._generation()
        self._old: _Generation = self._generation()

    def is_shared(self, topic_filter: str, version: int) -> bool:
        """True if the filter makes a Shared Subscription. For 3.x clients this is a decision.

        Cites: MQTT5-4.8.2-1, X5-shared-filter-syntax, X5-shared-match-prefix
        """
        if not topic_filter.startswith("$share/"):
            return False
        return version == V5 or (self.shared_for_v3 and split_shared(topic_filter) is not None)

    def __len__(self) -> int:
        """The number of subscriptions."""
        return self._size

    @property
    def shared(self) -> int:
        """The number of subscriptions that are shared."""
        return self._shared

    @property
    def filters(self) -> int:
        """The number of different filters, without `$share/name/`."""
        return len(self._filters)

    @property
    def cached(self) -> int:
        """The number of topics in the cache."""
        return len(self._young.matches) + len(self._old.matches)

    # Subscriptions

    def subscribe(
        self, subscriber: int, topic_filter: str, options: int, identifier: int = 0, shared: bool = True
    ) -> bool:
        """Add a subscription, or replace the one with the same filter. Return True if it is new.

        With `shared=False`, `$share/` is an ordinary level (3.x, if so decided).

        Cites: MQTT5-3.8.4-3
        """
        share = split_shared(topic_filter) if shared else None
        name = "" if share is None else share[0]
        before = self.subscription(subscriber, topic_filter)
        if before is not None:
            if before.share != name:
                # The session came back with another protocol version, in which `$share` has another meaning.
                self._detach(before)
            elif before.options == options and before.identifier == identifier:
                return False
        subscribed = Subscribed(subscriber, topic_filter, options, identifier, name)
        self._own(subscribed)
        self._attach(subscribed, topic_filter if share is None else share[1])
        return before is None

    def unsubscribe(self, subscriber: int, topic_filter: str) -> bool:
        """Remove the subscription with exactly this filter. Return False if there is none.

        Cites: MQTT5-3.10.4-1
        """
        before = self.subscription(subscriber, topic_filter)
        if before is None:
            return False
        owned = self._owned[subscriber]
        if isinstance(owned, Subscribed):
            del self._owned[subscriber]
        else:
            del owned[topic_filter]
            if not owned:
                del self._owned[subscriber]
        self._size -= 1
        self._detach(before)
        if not self._owned:
            self._owned.clear()
        return True

    def remove(self, subscriber: int) -> None:
        """Remove all subscriptions of a subscriber."""
        for subscribed in self.leave(subscriber):
            self._detach(subscribed)

    def leave(self, subscriber: int) -> list[Subscribed]:
        """Let a subscriber have no subscriptions any more. Return those that were, to `detach` each later.

        Until then they are found by topic, and its handle must not be another subscriber's.
        """
        owned = self._owned.pop(subscriber, None)
        if owned is None:
            return []
        if not self._owned:
            self._owned.clear()
        left = [owned] if isinstance(owned, Subscribed) else list(owned.values())
        self._size -= len(left)
        self.changes += 1
        return left

    def detach(self, left: list[Subscribed], most: int) -> None:
        """Take the last `most` subscriptions off a list that `leave` returned."""
        while left and most > 0:
            most -= 1
            self._detach(left.pop())

    def group(self, topic_filter: str) -> Group | None:
        """Return the group of a Shared Subscription's filter, None if it has no members."""
        share = split_shared(topic_filter)
        at = None if share is None else self._filters.get(share[1])
        return None if share is None or at is None or at.groups is None else at.groups.get(share[0])

    def groups_of(self, subscriber: int) -> int:
        """Return how many Shared Subscriptions a subscriber has."""
        groups = self._sharing.get(subscriber)
        return 0 if groups is None else len(groups)

    def subscription(self, subscriber: int, topic_filter: str) -> Subscribed | None:
        """Return the subscription with exactly this filter, or None."""
        owned = self._owned.get(subscriber)
        if owned is None:
            return None
        if isinstance(owned, Subscribed):
            return owned if owned.topic_filter == topic_filter else None
        return owned.get(topic_filter)

    def subscriptions(self, subscriber: int) -> dict[str, Subscribed]:
        """Return a copy of all subscriptions of a subscriber, by filter, in the order in which they were made."""
        owned = self._owned.get(subscriber)
        if owned is None:
            return {}
        if isinstance(owned, Subscribed):
            return {owned.topic_filter: owned}
        return owned.copy()

    def count(self, subscriber: int) -> int:
        """Return the number of subscriptions of a subscriber."""
        owned = self._owned.get(subscriber)
        if owned is None:
            return 0
        return 1 if isinstance(owned, Subscribed) else len(owned)

    def wake(self, subscriber: int) -> None:
        """Tell the groups of a subscriber that it has connected or has send quota again."""
        groups = self._sharing.get(subscriber)
        if groups is not None:
            for group in groups.values():
                group.wake(subscriber)

    def _own(self, subscribed: Subscribed) -> None:
        """Add it to the subscriptions of its subscriber."""
        subscriber = subscribed.subscriber
        topic_filter = subscribed.topic_filter
        owned = self._owned.get(subscriber)
        if owned is None:
            self._owned[subscriber] = subscribed
            self._size += 1
        elif isinstance(owned, Subscribed):
            if owned.topic_filter == topic_filter:
                self._owned[subscriber] = subscribed
            else:
                self._owned[subscriber] = {owned.topic_filter: owned, topic_filter: subscribed}
                self._size += 1
        else:
            if topic_filter not in owned:
                self._size += 1
            owned[topic_filter] = subscribed

    def _attach(self, subscribed: Subscribed, topic_filter: str) -> None:
        """Add it to its filter or group, so that topics find it, or replace it there."""
        at = self._filters.get(topic_filter)
        if at is None:
            at = self._filters[topic_filter] = Filter()
            if is_wildcard(topic_filter):
                self._wild.insert(topic_filter, at)
        if not subscribed.share:
            at.put(subscribed)
            self._changed(topic_filter)
            return
        group = at.group(subscribed.share, topic_filter)
        known = len(group)
        group.add(subscribed)
        if known == len(group):
            return
        self._shared += 1
        groups = self._sharing.get(subscribed.subscriber)
        if groups is None:
            groups = self._sharing[subscribed.subscriber] = {}
        groups[subscribed.topic_filter] = group
        if known == 0:
            # Answers hold the group itself, so that only its first and last member change them.
            self._changed(topic_filter)

    def _detach(self, subscribed: Subscribed) -> None:
        """Remove it from its filter or group. A group without members ends.

        Cites: X5-shared-end
        """
        subscriber = subscribed.subscriber
        topic_filter = subscribed.topic_filter
        if subscribed.share:
            groups = self._sharing[subscriber]
            group = groups.pop(topic_filter)
            if not groups:
                del self._sharing[subscriber]
                if not self._sharing:
                    # An emptied dict keeps its memory, a cleared one does not.
                    self._sharing.clear()
            self._shared -= 1
            group.remove(subscriber)
            if len(group):
                return
            topic_filter = group.topic_filter
            at = self._filters[topic_filter]
            at.drop_group(group.name)
        else:
            at = self._filters[topic_filter]
            at.drop(subscriber)
        if at.unused():
            del self._filters[topic_filter]
            if is_wildcard(topic_filter):
                self._wild.remove(topic_filter)
            if not self._filters:
                self._filters.clear()
        self._changed(topic_filter)
        if not self._filters:
            self.forget()

    # Matching

    def match(self, topic: str) -> Subscribers:
        """Return the subscribers of a topic.

        Cites: MQTT5-3.3.4-2
        """
        match = self._young.matches.get(topic)
        if match is None:
            match = self._missed(topic, EVERYTHING)
            assert match is not None
        return match

    def at_once(self, topic: str) -> Subscribers | None:
        """Return the subscribers of a topic, or None if finding them is too much work for one turn: see `matching`."""
        match = self._young.matches.get(topic)
        if match is not None:
            return match
        return self._missed(topic, self.most)

    def matching(self, topic: str) -> Matching:
        """Begin to look for the subscribers of a topic, in steps."""
        return Matching(self, topic, self._wild.search(topic))

    def exactly(self, topic: str) -> Filter | None:
        """Return what is stored for the filter that is the topic itself."""
        return self._filters.get(topic)

    def forget(self) -> None:
        """Clear the cache, for instance because read permissions have changed."""
        self.changes += 1
        self._young = self._generation()
        self._old = self._generation()
        self._patience = _PATIENCE

    def reconsider(self, subscriber: int) -> None:
        """Drop the cached answers for the topics of one subscriber, whose read permissions may have changed."""
        for topic_filter, subscribed in self.subscriptions(subscriber).items():
            if not subscribed.share:
                self._changed(topic_filter)

    def _generation(self) -> _Generation:
        return _Generation(self._half * _ENTRIES_PER_TOPIC)

    def _missed(self, topic: str, most: int) -> Subscribers | None:
        """Find the answer in the older half of the cache, or match the topic, and cache the answer.

        Return None if that is more work than `most`.
        """
        if not self._filters:
            self.misses += 1
            return NOBODY  # not cached, so that nothing is left when the last subscriber has gone
        match = self._old.matches.pop(topic, None)
        if match is None:
            filters = self._wild.matching_within(topic, most)
            self.spent += self._wild.visits
            if filters is None:
                return None
            exact = self._filters.get(topic)
            if exact is not None:
                filters.append(exact)
            if most < EVERYTHING and filters and self._weighs(filters) > most:
                return None
            self.misses += 1
            if self._patience < self._half * _PATIENCE_PER_TOPIC:
                self._patience += _PATIENCE_PER_TOPIC
            if not filters:
                match = NOBODY
            elif len(filters) == 1:
                match = filters[0].match()
            else:
                match = together(filters)
            self.spent += len(match.plain) + len(match.shared)
            if self.refine is not None:
                refined = self.refine(topic, match)
                if refined is not match:
                    refined.extra = match.extra
                    match = refined
                    match.weight = len(match.plain) + len(match.shared)
        self.keep(topic, match)
        return match

    def _weighs(self, filters: list[Filter]) -> int:
        """Return the number of entries that have to be looked at one by one."""
        if len(filters) == 1 and not self.judged:
            return 0
        return sum([len(at.match().plain) + len(at.match().shared) for at in filters])

    def keep(self, topic: str, match: Subscribers) -> None:
        """Cache an answer."""
        if self._half and len(topic) <= _LONGEST_CACHED:
            young = self._young
            if len(young.matches) >= self._half or young.room <= 0:
                # The half that was not used since the last time is dropped as a whole: no bookkeeping for each hit.
                self._old = young
                young = self._young = self._generation()
            young.room -= match.weight
            young.matches[topic] = match
            if young.index is not None:
                young.index.insert(topic, topic)

    def _changed(self, topic_filter: str) -> None:
        """Drop the cached answers for the topics that this filter matches."""
        self.changes += 1
        if is_wildcard(topic_filter):
            if not (self._forget_in(self._young, topic_filter) and self._forget_in(self._old, topic_filter)):
                self.given_up += 1
                self.forget()
        elif self._young.matches.pop(topic_filter, None) is not None:
            self.dropped += 1
            if self._young.index is not None:
                self._young.index.remove(topic_filter)
        elif self._old.matches.pop(topic_filter, None) is not None:
            self.dropped += 1

    def _forget_in(self, half: _Generation, topic_filter: str) -> bool:
        """Drop the topics of one half that a filter with wildcards matches. Return False if that takes too long."""
        matches = half.matches
        if not matches:
            return True
        index = half.index
        if index is None:
            # Made when it is first needed: without new filters with wildcards, a cached topic costs one dict entry.
            index = half.index = LevelTree(self._wild.dollar_apart, self._wild.parent_too)
            for topic in matches:
                index.insert(topic, topic)
        topics = index.matched(topic_filter, self._patience)
        if topics is None:
            return False
        # Found topics were paid for when they were cached. A path of some levels to each is no waste either.
        wasted = index.visits - 2 * len(topics) - _PATIENCE_PER_TOPIC
        if wasted > 0:
            self._patience -= wasted
        for topic in topics:
            # The index of the older half may still have topics that moved to the younger half.
            if matches.pop(topic, None) is not None:
                self.dropped += 1
            index.remove(topic)
        return True

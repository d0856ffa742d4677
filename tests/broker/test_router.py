# SPDX-License-Identifier: MIT
"""Routing against the plain definition, what is forgotten when subscriptions change, and what is left behind."""

from __future__ import annotations

import gc
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from mqtt_ref.broker.matching import Subscribers
from mqtt_ref.broker.router import Router
from mqtt_ref.broker.subscription import Entry, subscriptions, without_no_local
from mqtt_ref.broker.topics import matches, split_shared

LEVEL = st.sampled_from(["a", "b", "", "$x"])
NAMES = st.lists(LEVEL, min_size=1, max_size=4).map("/".join).filter(bool)
PLAIN = st.builds(
    lambda levels, end: "/".join([*levels, *end]),
    st.lists(st.one_of(LEVEL, st.just("+")), max_size=4),
    st.sampled_from([[], ["#"]]),
).filter(bool)
FILTERS = st.one_of(PLAIN, PLAIN, st.builds("$share/{}/{}".format, st.sampled_from("gh"), PLAIN))
DEEP = "/" * 65_535


def who(match: Subscribers) -> list[int]:
    return sorted(entry.subscriber for entry in match.plain)


def groups(match: Subscribers) -> dict[tuple[str, str], set[int]]:
    return {(g.name, g.topic_filter): {m.subscriber for m in g.members()} for g in match.shared}


def routed(router: Router, topic: str) -> list[int]:
    return who(router.match(topic))


class TestSubscriptions:
    def test_new_or_replaced(self) -> None:
        """[MQTT5-3.8.4-3]."""
        router = Router()
        assert router.subscribe(1, "a", 0, 3)
        assert not router.subscribe(1, "a", 2)
        assert router.subscribe(2, "a", 1)
        assert router.subscribe(1, "a/+", 1)
        assert [(e.subscriber, e.qos, e.identifiers) for e in router.match("a").plain] == [(1, 2, ()), (2, 1, ())]
        assert len(router) == 3
        assert router.filters == 2

    def test_unsubscribe_compares_characters(self) -> None:
        """[MQTT5-3.10.4-1]: the same filter, not one that matches it."""
        router = Router()
        router.subscribe(1, "a/+", 0)
        assert not router.unsubscribe(1, "a/#")
        assert not router.unsubscribe(1, "a/b")
        assert not router.unsubscribe(2, "a/+")
        assert router.unsubscribe(1, "a/+")
        assert not router.unsubscribe(1, "a/+")

    def test_reading_them_back(self) -> None:
        router = Router()
        assert router.subscriptions(1) == {}
        assert router.count(1) == 0
        router.subscribe(1, "b", 1, 4)
        assert list(router.subscriptions(1)) == ["b"]
        assert router.count(1) == 1
        router.subscribe(1, "$share/g/a", 2)
        router.subscribe(1, "b", 0b10_1001, 5)
        mine = router.subscriptions(1)
        assert list(mine) == ["b", "$share/g/a"]
        assert router.count(1) == 2
        assert (mine["b"].options, mine["b"].identifier, mine["b"].share) == (0b10_1001, 5, "")
        assert mine["$share/g/a"].share == "g"
        assert router.subscription(1, "b") is mine["b"]
        assert router.subscription(1, "a") is None
        assert router.subscription(2, "b") is None
        mine.clear()  # a copy
        assert router.count(1) == 2

    def test_remove(self) -> None:
        router = Router()
        for subscriber in (1, 2):
            for topic_filter in ("a", "+", "$share/g/a"):
                router.subscribe(subscriber, topic_filter, 0)
        router.subscribe(3, "a", 0)
        router.remove(1)
        router.remove(1)
        assert routed(router, "a") == [2, 3]
        assert groups(router.match("a")) == {("g", "a"): {2}}
        router.remove(3)
        assert routed(router, "a") == [2]
        assert (len(router), router.shared) == (3, 1)

    def test_the_same_again_changes_nothing(self) -> None:
        router = Router()
        router.subscribe(1, "a", 1, 2)
        before = router.match("a")
        assert not router.subscribe(1, "a", 1, 2)
        assert router.match("a") is before
        assert router.dropped == 0


class TestMatching:
    def test_overlapping(self) -> None:
        """[MQTT5-3.3.4-2], [MQTT5-3.3.4-4]: one entry for each subscriber, with all identifiers of it alone."""
        router = Router()
        router.subscribe(1, "a/b", 0, 1)
        router.subscribe(1, "a/#", 2, 2)
        router.subscribe(1, "+/b", 1 | 8)
        router.subscribe(2, "#", 1, 3)
        entries: dict[int, Entry] = {e.subscriber: e for e in router.match("a/b").plain}
        assert len(router.match("a/b").plain) == 2
        assert entries[1].qos == 2
        assert entries[1].retain_as_published
        assert sorted(entries[1].identifiers) == [1, 2]
        assert sorted(p.topic_filter for p in subscriptions(entries[1])) == ["+/b", "a/#", "a/b"]
        assert entries[2].identifiers == (3,)

    def test_dollar(self) -> None:
        """[MQTT5-4.7.2-1], on the filter behind `$share/name/` too."""
        router = Router()
        for i, topic_filter in enumerate(("#", "+/x", "$SYS/#", "$SYS/x", "$share/g/#", "$share/g/$SYS/#")):
            router.subscribe(i, topic_filter, 0)
        assert routed(router, "$SYS/x") == [2, 3]
        assert groups(router.match("$SYS/x")) == {("g", "$SYS/#"): {5}}
        assert routed(router, "a/x") == [0, 1]
        assert groups(router.match("a/x")) == {("g", "#"): {4}}

    def test_empty_levels_and_the_parent_of_a_hash(self) -> None:
        router = Router()
        for i, topic_filter in enumerate(("a/#", "a//b", "/a", "+/a", "a/+")):
            router.subscribe(i, topic_filter, 0)
        assert routed(router, "a") == [0]
        assert routed(router, "a/") == [0, 4]
        assert routed(router, "a//b") == [0, 1]
        assert routed(router, "a/b") == [0, 4]
        assert routed(router, "/a") == [2, 3]

    def test_nobody(self) -> None:
        router = Router()
        assert router.match("a").plain == []
        assert router.match("a").shared == []

    @pytest.mark.parametrize("topic_filter", [DEEP, "#", "/#", DEEP[1:] + "+", "+" + DEEP[1:], DEEP[1:] + "#"])
    def test_deep(self, topic_filter: str) -> None:
        """65,535 separators are a legal topic [MQTT5-4.7.3-3]."""
        router = Router()
        router.subscribe(1, topic_filter, 0)
        router.subscribe(2, f"$share/g/{topic_filter}", 0)
        expected = [1] if matches(topic_filter, DEEP) else []
        assert routed(router, DEEP) == expected
        assert len(router.match(DEEP).shared) == len(expected)
        router.remove(1)
        router.remove(2)
        assert routed(router, DEEP) == []


class TestShared:
    def test_groups_are_apart_by_name_and_filter(self) -> None:
        """Section 4.8.2: ShareName and filter together are the Shared Subscription."""
        router = Router()
        router.subscribe(1, "$share/g/a/+", 1)
        router.subscribe(2, "$share/g/a/+", 2)
        router.subscribe(3, "$share/h/a/+", 0)
        router.subscribe(4, "$share/g/a/b", 0)
        router.subscribe(1, "a/b", 0)
        match = router.match("a/b")
        assert groups(match) == {("g", "a/+"): {1, 2}, ("h", "a/+"): {3}, ("g", "a/b"): {4}}
        assert who(match) == [1]
        assert router.shared == 4
        assert len(router) == 5

    def test_members_come_and_go_without_forgetting(self) -> None:
        router = Router()
        router.subscribe(1, "$share/g/+", 0)
        match = router.match("a")
        router.subscribe(2, "$share/g/+", 0)
        router.subscribe(2, "$share/g/+", 1)
        router.unsubscribe(1, "$share/g/+")
        assert router.match("a") is match
        assert router.dropped == 0
        assert groups(match) == {("g", "+"): {2}}
        member = match.shared[0].member(2)
        assert member is not None
        assert member.qos == 1
        router.remove(2)
        assert router.match("a").shared == []
        assert router.dropped == 1

    def test_ordinary_for_3x(self) -> None:
        router = Router()
        assert router.subscribe(1, "$share/g/a", 0, shared=False)
        assert routed(router, "a") == []
        assert router.match("a").shared == []
        assert routed(router, "$share/g/a") == [1]
        assert router.shared == 0
        # The session returns with 5.0 and subscribes again.
        assert not router.subscribe(1, "$share/g/a", 0)
        assert routed(router, "$share/g/a") == []
        assert groups(router.match("a")) == {("g", "a"): {1}}
        assert (len(router), router.shared) == (1, 1)
        assert not router.subscribe(1, "$share/g/a", 0, shared=False)
        assert (len(router), router.shared) == (1, 0)
        router.remove(1)
        assert (len(router), router.filters) == (0, 0)

    def test_wake(self) -> None:
        router = Router()
        for subscriber in range(100):
            router.subscribe(subscriber, "$share/g/a", 0)
        group = router.match("a").shared[0]
        assert group.pick(lambda s: False) == -1
        router.wake(77)
        router.wake(1000)
        assert group.pick(lambda s: True) == 77


def stepped(router: Router, topic: str, most: int = 1) -> Subscribers:
    matching = router.matching(topic)
    while matching.step(most) <= 0:
        pass
    return matching.match


class TestInSteps:
    @given(st.lists(st.tuples(st.integers(0, 3), FILTERS), max_size=12), NAMES, st.integers(1, 3), st.booleans())
    def test_the_same_answer(self, rows: list[tuple[int, str]], topic: str, most: int, judged: bool) -> None:
        def even(topic: str, match: Subscribers) -> Subscribers:
            kept = [entry for entry in match.plain if entry.subscriber % 2 == 0]
            return match if len(kept) == len(match.plain) else Subscribers(kept, match.shared)

        router = Router(cached=0, refine=even if judged else None)
        for number, (subscriber, topic_filter) in enumerate(rows):
            router.subscribe(subscriber, topic_filter, number % 3, number)
        at_once, later = router.match(topic), stepped(router, topic, most)
        assert [subscriptions(entry) for entry in later.plain] == [subscriptions(entry) for entry in at_once.plain]
        assert later.shared == at_once.shared

    def test_what_is_too_much_at_once(self) -> None:
        router = Router()
        router.most = 100
        for bits in range(256):
            router.subscribe(bits, "/".join("+" if bits >> level & 1 else "a" for level in range(8)), 0)
        topic = "/".join("a" * 8)
        assert router.at_once(topic) is None
        assert router.cached == 0
        assert 100 <= router.spent < 200
        found = stepped(router, topic)
        assert who(found) == list(range(256))
        assert router.at_once(topic) is found  # it is remembered
        router.subscribe(300, "#", 0)
        assert router.at_once(topic) is None

    def test_many_that_are_asked_for_are_too_much_at_once(self) -> None:
        asked: list[int] = []

        def refine(topic: str, match: Subscribers) -> Subscribers:
            asked.append(len(match.plain))
            return match

        router = Router(refine=refine)
        router.most = 100
        for subscriber in range(1000):
            router.subscribe(subscriber, "t", 0)
        router.judged = False
        assert len(router.matching("t").match.plain) == 0
        found = router.at_once("t")
        assert found is not None
        assert len(found.plain) == 1000
        router.forget()
        router.judged = True
        asked.clear()
        assert router.at_once("t") is None
        assert who(stepped(router, "t")) == list(range(1000))
        assert sum(asked) == 1000
        assert max(asked) <= 256

    def test_an_answer_that_may_be_outdated_is_not_remembered(self) -> None:
        router = Router()
        for subscriber in range(10):
            router.subscribe(subscriber, f"{'+/' * subscriber}#", 0)
        matching = router.matching("a")
        assert matching.step(1) <= 0
        router.subscribe(77, "a", 0)
        router.unsubscribe(0, "#")
        while matching.step(1) <= 0:
            pass
        assert router.cached == 0
        assert who(router.match("a")) == [1, 77]


class TestForgetting:
    TOPICS = ("a", "a/b", "a/b/c", "b", "b/b", "$S/b", "/b", "x/y/z")

    def filled(self) -> Router:
        router = Router()
        router.subscribe(99, "#", 0)
        for topic in self.TOPICS:
            router.match(topic)
        assert router.cached == len(self.TOPICS)
        return router

    @pytest.mark.parametrize(
        "topic_filter", ["a", "a/+", "a/#", "+/b", "+/+", "#", "$S/+", "q", "q/+", "x/y/+", "/+", "+"]
    )
    def test_exactly_what_matches(self, topic_filter: str) -> None:
        router = self.filled()
        affected = {topic for topic in self.TOPICS if matches(topic_filter, topic)}
        for change in (
            lambda: router.subscribe(1, topic_filter, 0),
            lambda: router.subscribe(1, topic_filter, 1),
            lambda: router.subscribe(2, topic_filter, 1),
            lambda: router.unsubscribe(1, topic_filter),
            lambda: router.remove(2),
        ):
            before = {topic: router.match(topic) for topic in self.TOPICS}
            dropped, misses = router.dropped, router.misses
            change()
            assert router.dropped - dropped == len(affected)
            for topic in self.TOPICS:
                assert (router.match(topic) is before[topic]) == (topic not in affected)
            assert router.misses - misses == len(affected)
        assert router.given_up == 0

    def test_bounded(self) -> None:
        router = Router(cached=100)
        router.subscribe(1, "#", 0)
        for i in range(1000):
            router.match(str(i))
            router.match("hot")
            assert router.cached <= 100
        assert router.misses == 1001  # what is asked for all the time stays

    def test_bounded_in_entries(self) -> None:
        router = Router(cached=100)
        for subscriber in range(1000):
            router.subscribe(subscriber, "#", 0)
            router.subscribe(-subscriber, "+", 0)
        for i in range(200):
            router.match(str(i))
        assert router.cached <= 4

    def test_one_answer_for_all_topics_of_one_filter(self) -> None:
        router = Router()
        for subscriber in range(1000):
            router.subscribe(subscriber, "#", 0)
        assert router.match("a") is router.match("b")

    def test_long_topics_are_not_kept(self) -> None:
        router = Router()
        router.match("a" * 10_000)
        assert router.cached == 0

    def test_without_cache(self) -> None:
        router = Router(cached=0)
        router.subscribe(1, "a", 0)
        assert routed(router, "a") == [1]
        assert router.cached == 0

    def test_giving_up(self) -> None:
        """When searches that find nothing have cost more than matching anew, everything is forgotten."""
        router = Router()
        router.subscribe(9, "elsewhere", 0)
        for i in range(5000):
            router.match(f"{i}/x")
        changes = 0
        while not router.given_up:
            router.subscribe(1, f"+/y{changes}", 0)
            changes += 1
        assert 5 < changes < 15
        assert router.cached == 0
        for _ in range(20):
            for i in range(5000):
                router.match(f"{i}/x")
            router.subscribe(1, "+/x", 0)  # what it finds is worth the search
            assert router.cached == 0
            router.unsubscribe(1, "+/x")
            router.subscribe(1, "5/x/+", 0)
        assert router.given_up == 1
        assert router.dropped == 20 * 5000

    def test_the_index_does_not_outgrow_the_cache(self) -> None:
        router = Router()
        router.subscribe(9, "elsewhere", 0)
        router.match("x")
        router.subscribe(1, "x/+", 0)  # makes the index
        for i in range(20_000):
            topic = f"t/{i}"
            router.match(topic)
            router.subscribe(2, topic, 0)
            router.unsubscribe(2, topic)
        assert router._young.index is not None
        assert len(router._young.index) == len(router._young.matches) == 1

    def test_nothing_is_remembered_for_nobody(self) -> None:
        router = Router()
        for i in range(100):
            assert router.match(f"t/{i}").plain == []
        assert router.cached == 0
        assert router.misses == 100
        router.subscribe(1, "t/+", 0)
        router.subscribe(2, "$share/g/a", 0)
        for i in range(100):
            assert len(router.match(f"t/{i}").plain) == 1
        assert router.cached == 100
        router.remove(1)
        router.match("u")
        assert router.cached == 1
        router.unsubscribe(2, "$share/g/a")
        assert router.cached == 0

    def test_refine_and_forget(self) -> None:
        asked: list[str] = []
        secret = {1}

        def refine(topic: str, match: Subscribers) -> Subscribers:
            asked.append(topic)
            if topic != "secret":
                return match
            return Subscribers([e for e in match.plain if e.subscriber not in secret], match.shared)

        router = Router(refine=refine)
        router.subscribe(1, "#", 0)
        router.subscribe(2, "#", 0)
        assert routed(router, "secret") == [2]
        assert routed(router, "secret") == [2]
        assert routed(router, "open") == [1, 2]
        assert asked == ["secret", "open"]
        secret.clear()
        router.forget()
        assert routed(router, "secret") == [1, 2]


class Model(RuleBasedStateMachine):
    """A dict of subscriptions, and `matches` for each of them. The cache is small, so that it turns over."""

    def __init__(self) -> None:
        super().__init__()
        self.router = Router(cached=6)
        self.model: dict[tuple[int, str], tuple[int, int]] = {}

    @rule(subscriber=st.integers(1, 4), f=FILTERS, options=st.sampled_from([0, 1, 2, 9, 4, 6]), ident=st.integers(0, 2))
    def subscribe(self, subscriber: int, f: str, options: int, ident: int) -> None:
        if f.startswith("$share/"):
            options &= ~4  # [MQTT5-3.8.3-4]
        assert self.router.subscribe(subscriber, f, options, ident) is ((subscriber, f) not in self.model)
        self.model[subscriber, f] = (options, ident)

    @rule(subscriber=st.integers(1, 4), f=FILTERS)
    def unsubscribe(self, subscriber: int, f: str) -> None:
        self.gone(subscriber, f)

    @rule(data=st.data())
    def unsubscribe_existing(self, data: st.DataObject) -> None:
        if self.model:
            self.gone(*data.draw(st.sampled_from(sorted(self.model))))

    def gone(self, subscriber: int, f: str) -> None:
        assert self.router.unsubscribe(subscriber, f) is (self.model.pop((subscriber, f), None) is not None)

    @rule(subscriber=st.integers(1, 4))
    def remove(self, subscriber: int) -> None:
        self.router.remove(subscriber)
        for key in [key for key in self.model if key[0] == subscriber]:
            del self.model[key]

    @rule(topics=st.lists(NAMES, min_size=1, max_size=8))
    def match(self, topics: list[str]) -> None:
        for topic in topics:
            self.check(topic)

    def check(self, topic: str) -> None:
        plain: dict[int, list[tuple[int, int]]] = {}
        shared: dict[tuple[str, str], set[int]] = {}
        for (subscriber, f), what in self.model.items():
            share = split_shared(f)
            if share is None:
                if matches(f, topic):
                    plain.setdefault(subscriber, []).append(what)
            elif matches(share[1], topic):
                shared.setdefault(share, set()).add(subscriber)
        match = self.router.match(topic)
        assert groups(match) == shared
        assert who(match) == sorted(plain)
        for entry in match.plain:
            parts = plain[entry.subscriber]
            self.same(entry, parts)
            rest = [part for part in parts if not part[0] & 4]
            left = without_no_local(entry)
            assert (left is None) == (not rest)
            if left is not None:
                self.same(left, rest)

    @staticmethod
    def same(entry: Entry, parts: list[tuple[int, int]]) -> None:
        assert entry.qos == max(options & 3 for options, _ in parts)
        assert entry.retain_as_published == any(options & 8 for options, _ in parts)
        assert entry.no_local == any(options & 4 for options, _ in parts)
        assert sorted(entry.identifiers) == sorted(ident for _, ident in parts if ident)
        assert sorted((part.options, part.identifier) for part in subscriptions(entry)) == sorted(parts)

    @invariant()
    def counts(self) -> None:
        assert len(self.router) == len(self.model)
        assert self.router.shared == sum(1 for _, f in self.model if f.startswith("$share/"))
        assert self.router.cached <= 6
        for subscriber in range(1, 5):
            assert list(self.router.subscriptions(subscriber)) == [f for s, f in self.model if s == subscriber]
            assert self.router.count(subscriber) == len(self.router.subscriptions(subscriber))

    def teardown(self) -> None:
        for subscriber in range(1, 5):
            self.router.remove(subscriber)
        assert empty(self.router)


TestModel = Model.TestCase


def empty(router: Router) -> bool:
    """Nothing but what a new router has."""
    return (
        len(router) == router.shared == router.filters == 0
        and router._wild.nodes() == 1
        and not router._owned
        and not router._sharing
    )


def test_removing_gives_the_memory_back() -> None:
    router = Router()
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for i in range(3000):
        router.subscribe(i, f"site/{i}/+/state", 0)
        router.subscribe(i, f"site/{i}/config", 0)
        router.subscribe(i, "site/all/#", 0)
        router.subscribe(i, f"$share/{i}/jobs/#", 0)
    full, _ = tracemalloc.get_traced_memory()
    for i in range(3000):
        router.remove(i)
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert empty(router)
    assert full - before > 1_000_000
    assert after - before < 20_000


@pytest.mark.alone
def test_what_does_not_match_costs_nothing() -> None:
    """Matching, subscribing and unsubscribing with 50,000 other subscriptions, with and without wildcards."""

    def cost(router: Router) -> float:
        best = 1e9
        for _ in range(5):
            begin = time.process_time()
            for i in range(300):
                router.subscribe(-1, f"site/x{i}/+", 0)
                router.match(f"site/x{i}/state")
                router.unsubscribe(-1, f"site/x{i}/+")
            best = min(best, time.process_time() - begin)
        return best

    small = Router()
    large = Router()
    for i in range(25_000):
        large.subscribe(i, f"site/{i}/+", 0)
        large.subscribe(i, f"site/{i}/state", 0)
    assert cost(large) < 3 * cost(small)
    assert routed(large, "site/7/state") == [7]

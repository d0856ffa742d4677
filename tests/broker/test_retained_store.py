# SPDX-License-Identifier: MIT
"""Retained messages against a plain dict; expiry; bounds."""

from __future__ import annotations

import gc
import tracemalloc

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from mqtt_ref.broker.retained_store import RetainedStore
from mqtt_ref.broker.topics import matches

LEVEL = st.sampled_from(["a", "b", "", "$x"])
NAMES = st.lists(LEVEL, min_size=1, max_size=4).map("/".join).filter(bool)
FILTERS = st.builds(
    lambda levels, end: "/".join([*levels, *end]),
    st.lists(st.one_of(LEVEL, st.just("+")), max_size=4),
    st.sampled_from([[], ["#"]]),
).filter(bool)


def test_put_get_remove() -> None:
    retained: RetainedStore[bytes] = RetainedStore()
    assert retained.get("a") is None
    assert retained.put("a", b"1", 0)
    assert retained.put("a", b"2", 0)
    assert len(retained) == 1
    assert retained.get("a") == b"2"
    assert retained.remove("a")
    assert not retained.remove("a")
    assert list(retained.match("#")) == []


def test_match_is_ordered_by_topic_whatever_came_first() -> None:
    topics = ["b", "a/b", "a", "a/a/a", "$SYS/x", "/a"]
    retained: RetainedStore[int] = RetainedStore()
    for i, topic in enumerate(topics):
        retained.put(topic, i, 0)
    assert [topic for topic, _ in retained.match("#")] == ["/a", "a", "a/a/a", "a/b", "b"]
    assert list(retained.match("$SYS/#")) == [("$SYS/x", 4)]
    assert list(retained.match("a/b")) == [("a/b", 1)]
    assert list(retained.match("a/c")) == []
    assert [topic for topic, _ in retained.match("a/#")] == ["a", "a/a/a", "a/b"]


def test_changes_while_matching() -> None:
    retained: RetainedStore[int] = RetainedStore()
    for topic in "abcd":
        retained.put(topic, 1, 0)
    found = []
    for topic, message in retained.match("#"):
        found.append((topic, message))
        retained.remove("b")
        retained.put("c", 2, 0)
        retained.put("e", 2, 0)
    assert found == [("a", 1), ("c", 2), ("d", 1)]


def test_bound() -> None:
    retained: RetainedStore[int] = RetainedStore(maximum=2)
    assert retained.put("a", 1, 0)
    assert retained.put("b", 1, 0)
    assert not retained.put("c", 1, 0)
    assert retained.put("a", 2, 0)  # replacing needs no room
    assert retained.get("c") is None
    retained.remove("a")
    assert retained.put("c", 1, 0)


def test_what_the_server_says_of_itself_takes_no_room() -> None:
    retained: RetainedStore[int] = RetainedStore(maximum=1)
    for topic in ("$SYS/a", "a", "$SYS/b"):
        assert retained.put(topic, 1, 0)
    assert retained.full("b")
    assert not retained.full("a")
    assert not retained.full("$SYS/c")
    assert (len(retained), retained.counted) == (3, 1)
    retained.remove("$SYS/a")
    retained.put("$SYS/b", 2, 10)
    retained.put("a", 2, 5)
    assert retained.expire(10) == ["a", "$SYS/b"]
    assert (len(retained), retained.counted) == (0, 0)


def test_expiry() -> None:
    retained: RetainedStore[int] = RetainedStore()
    assert retained.next_expiry() == 0
    retained.put("never", 0, 0)
    retained.put("never too", 0, -1)
    retained.put("late", 0, 30)
    retained.put("soon", 0, 10)
    retained.put("soon as well", 0, 10)
    assert retained.next_expiry() == 10
    assert retained.expire(9) == []
    assert retained.expire(10) == ["soon", "soon as well"]
    assert retained.get("soon") is None
    assert retained.next_expiry() == 30
    retained.put("late", 1, 50)
    assert retained.expire(40) == []
    assert retained.next_expiry() == 50
    retained.put("late", 2, 20)  # sooner than before
    assert retained.next_expiry() == 20
    retained.put("late", 3, 0)
    assert retained.next_expiry() == 0
    assert retained.expire(1000) == []
    retained.put("late", 4, 60)
    retained.remove("late")
    assert retained.next_expiry() == 0
    assert len(retained) == 2


def test_replacing_does_not_fill_the_heap() -> None:
    retained: RetainedStore[int] = RetainedStore()
    retained.put("b", 0, 5)
    gc.collect()
    tracemalloc.start()
    for i in range(1, 100_000):
        retained.put("a", i, i)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size < 50_000
    assert retained.expire(99_999) == ["b", "a"]


def test_deep_topics() -> None:
    retained: RetainedStore[int] = RetainedStore()
    deep = "/" * 65_535
    retained.put(deep, 1, 0)
    retained.put(deep[:-1] + "a", 2, 0)
    assert [message for _, message in retained.match("#")] == [1, 2]
    assert [message for _, message in retained.match(deep[:-1] + "#")] == [1, 2]
    assert [message for _, message in retained.match(deep[:-1] + "+")] == [2]
    assert retained.remove(deep)
    assert retained.remove(deep[:-1] + "a")


class Model(RuleBasedStateMachine):
    """A dict, and `matches` for each topic in it."""

    def __init__(self) -> None:
        super().__init__()
        self.retained: RetainedStore[object] = RetainedStore(maximum=8)
        self.model: dict[str, tuple[object, int]] = {}
        self.now = 0

    @rule(topic=NAMES, delay=st.integers(-1, 20))
    def put(self, topic: str, delay: int) -> None:
        message = object()
        at = self.now + delay if delay > 0 else delay
        fits = topic in self.model or len(self.model) < 8
        assert self.retained.put(topic, message, at) is fits
        if fits:
            self.model[topic] = (message, at)

    @rule(topic=NAMES)
    def remove(self, topic: str) -> None:
        assert self.retained.remove(topic) is (self.model.pop(topic, None) is not None)

    @rule(topic_filter=FILTERS)
    def match(self, topic_filter: str) -> None:
        expected = [(t, self.model[t][0]) for t in sorted(self.model) if matches(topic_filter, t)]
        assert list(self.retained.match(topic_filter)) == expected

    @rule(step=st.integers(0, 10))
    def expire(self, step: int) -> None:
        self.now += step
        gone = [t for t, (_, at) in self.model.items() if 0 < at <= self.now]
        assert sorted(self.retained.expire(self.now)) == sorted(gone)
        for topic in gone:
            del self.model[topic]

    @invariant()
    def agrees(self) -> None:
        assert len(self.retained) == len(self.model)
        assert self.retained.next_expiry() == min((at for _, at in self.model.values() if at > 0), default=0)
        for topic, (message, _) in self.model.items():
            assert self.retained.get(topic) is message


TestModel = Model.TestCase


def test_lookup_visits_what_the_filter_leads_to() -> None:
    """A filter that names its first levels does not look at the rest."""
    retained: RetainedStore[int] = RetainedStore()
    for i in range(5000):
        retained.put(f"site/{i}/state", i, 0)
    found = retained._topics.matched("site/77/#", 6)
    assert found == ["site/77/state"]


@pytest.mark.parametrize("wild", ["+", "#"])
def test_dollar_topics_stay_apart(wild: str) -> None:
    """[MQTT5-4.7.2-1] holds for the retained messages of a new subscription too."""
    retained: RetainedStore[int] = RetainedStore()
    retained.put("$SYS", 1, 0)
    assert list(retained.match(wild)) == []

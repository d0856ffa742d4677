# SPDX-License-Identifier: MIT
"""The tree against `topics.matches`, its size, and keys of 65,536 levels."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqtt_ref.broker.topics import matches
from mqtt_ref.broker.tree import LevelTree

LEVEL = st.sampled_from(["a", "b", "", "$x", "ab"])
NAMES = st.lists(LEVEL, min_size=1, max_size=6).map("/".join).filter(bool)
FILTERS = st.builds(
    lambda levels, end: "/".join([*levels, *end]),
    st.lists(st.one_of(LEVEL, st.just("+")), max_size=6),
    st.sampled_from([[], [], ["#"]]),
).filter(bool)
DEEP = "/" * 65_535


@given(st.lists(FILTERS), st.lists(NAMES, min_size=1), st.data())
def test_filters_for_a_name(filters: list[str], names: list[str], data: st.DataObject) -> None:
    tree: LevelTree[str] = LevelTree()
    for key in filters:
        tree.insert(key, key)
    kept = set(filters)
    for key in data.draw(st.lists(st.sampled_from(filters))) if filters else []:
        assert tree.remove(key) is (key in kept)
        kept.discard(key)
    for name in names:
        found = tree.matching(name)
        assert sorted(found) == sorted(key for key in kept if matches(key, name))
        search = tree.search(name)
        while not search.step(1):
            pass
        assert search.found == found
        assert search.visits == tree.visits
        assert tree.matching_within(name, tree.visits) == found
    check_and_empty(tree, kept)


@given(st.lists(NAMES), st.lists(FILTERS, min_size=1), st.data())
def test_names_for_a_filter(names: list[str], filters: list[str], data: st.DataObject) -> None:
    tree: LevelTree[str] = LevelTree()
    for key in names:
        tree.insert(key, key)
    kept = set(names)
    for key in data.draw(st.lists(st.sampled_from(names))) if names else []:
        assert tree.remove(key) is (key in kept)
        kept.discard(key)
    for topic_filter in filters:
        found = tree.matched(topic_filter)
        assert found is not None
        assert sorted(found) == sorted(key for key in kept if matches(topic_filter, key))
    check_and_empty(tree, kept)


def check_and_empty(tree: LevelTree[str], kept: set[str]) -> None:
    assert len(tree) == len(kept)
    assert tree.nodes() <= 2 * len(kept) + 1
    for key in sorted(kept):
        assert tree.remove(key)
        assert not tree.remove(key)
    assert len(tree) == 0
    assert tree.nodes() == 1


def test_insert_replaces() -> None:
    tree: LevelTree[int] = LevelTree()
    tree.insert("a/b", 1)
    tree.insert("a/b", 2)
    assert len(tree) == 1
    assert tree.matching("a/b") == [2]


def test_a_chain_is_one_node_and_parts_and_joins() -> None:
    tree: LevelTree[int] = LevelTree()
    tree.insert("a/b/c/d/e", 1)
    assert tree.nodes() == 2
    tree.insert("a/b/x", 2)
    assert tree.nodes() == 4
    tree.insert("a/b", 3)
    assert tree.nodes() == 4
    assert not tree.remove("a")
    assert not tree.remove("a/b/c")
    assert not tree.remove("a/b/c/d/e/f")
    assert tree.remove("a/b")
    assert tree.remove("a/b/x")
    assert tree.nodes() == 2
    assert tree.matched("a/+/c/#") == [1]


def test_patience() -> None:
    tree: LevelTree[str] = LevelTree()
    for i in range(1000):
        tree.insert(f"{i}/x", f"{i}/x")
    assert tree.matched("+/y", 100) is None
    assert tree.matched("+/y", 1001) == []
    assert tree.visits == 1001
    assert tree.matched("7/y", 2) == []
    found = tree.matched("+/x", 10)
    assert found is not None  # each find is worth two
    assert len(found) == 1000


def test_faulty_trees() -> None:
    """The two rules that a faulty broker can be without."""
    tree: LevelTree[str] = LevelTree(dollar_apart=False)
    for key in ("#", "+/x", "$S/#"):
        tree.insert(key, key)
    assert sorted(tree.matching("$S/x")) == ["#", "$S/#", "+/x"]
    names: LevelTree[str] = LevelTree(dollar_apart=False)
    names.insert("$S/x", "$S/x")
    assert names.matched("#") == ["$S/x"]
    assert names.matched("+/x") == ["$S/x"]
    tree = LevelTree(parent_too=False)
    for key in ("a/#", "b/c/#", "#"):
        tree.insert(key, key)
    assert tree.matching("a") == ["#"]
    assert tree.matching("b/c") == ["#"]
    assert sorted(tree.matching("a/b")) == ["#", "a/#"]
    tree = LevelTree(parent_too=False)
    for key in ("a", "a/b", "a/b/c"):
        tree.insert(key, key)
    assert sorted(tree.matched("a/#") or []) == ["a/b", "a/b/c"]
    assert tree.matched("a/b/#") == ["a/b/c"]


@pytest.mark.parametrize("topic_filter", [DEEP, "#", "/#", DEEP[1:] + "+", "+" + DEEP, DEEP[1:] + "#"])
def test_deep_keys_do_not_recurse(topic_filter: str) -> None:
    tree: LevelTree[str] = LevelTree()
    tree.insert(topic_filter, topic_filter)
    expected = [topic_filter] if matches(topic_filter, DEEP) else []
    assert tree.matching(DEEP) == expected
    tree.insert(DEEP[:30_000], "middle")  # parts the chain
    assert tree.matching(DEEP) == expected
    assert tree.nodes() <= 5
    assert tree.remove(topic_filter)
    assert tree.remove(DEEP[:30_000])
    assert tree.nodes() == 1
    names: LevelTree[str] = LevelTree()
    names.insert(DEEP, DEEP)
    assert names.matched(topic_filter) == ([DEEP] if expected else [])


def test_a_tree_with_a_node_for_each_of_65536_levels() -> None:
    tree: LevelTree[int] = LevelTree()
    for i in range(1, 100):
        tree.insert("/" * i * 640, i)
    assert len(tree.matched("/#") or []) == 99
    assert tree.matching("/" * 1280) == [2]
    for i in range(1, 100):
        assert tree.remove("/" * i * 640)
    assert tree.nodes() == 1


@given(
    keys=st.lists(NAMES, min_size=1, max_size=40, unique=True),
    topic_filter=st.sampled_from(["#", "+/#", "a/#", "+/+", "a/+/b", "a/b"]),
    steps=st.lists(st.integers(1, 5), max_size=60),
    changes=st.lists(st.tuples(st.booleans(), NAMES), max_size=60),
)
def test_a_walk_finds_what_stays_once_while_the_tree_changes(
    keys: list[str], topic_filter: str, steps: list[int], changes: list[tuple[bool, str]]
) -> None:
    tree: LevelTree[str] = LevelTree()
    for key in keys:
        tree.insert(key, key)
    walk = tree.walk(topic_filter)
    touched: set[str] = set()
    done = False
    for most, (added, key) in zip(steps, changes, strict=False):
        before = walk.visits
        done = walk.step(most)
        assert walk.visits - before <= most
        touched.add(key)
        if added:
            tree.insert(key, key)
        else:
            tree.remove(key)
    while not done:
        done = walk.step(1)
    staying = [key for key in keys if key not in touched]
    assert sorted(key for key in walk.found if key in staying) == sorted(
        key for key in staying if matches(topic_filter, key)
    )
    assert {key for key in walk.found if key not in staying} <= touched


@given(
    keys=st.lists(FILTERS, min_size=1, max_size=40, unique=True),
    name=st.sampled_from(["a", "a/b", "a/a/b", "a/b/a", "$x/a", "b//a"]),
    steps=st.lists(st.integers(1, 5), max_size=60),
    changes=st.lists(st.tuples(st.booleans(), FILTERS), max_size=60),
)
def test_a_search_finds_what_stays_once_while_the_tree_changes(
    keys: list[str], name: str, steps: list[int], changes: list[tuple[bool, str]]
) -> None:
    tree: LevelTree[str] = LevelTree()
    for key in keys:
        tree.insert(key, key)
    search = tree.search(name)
    touched: set[str] = set()
    done = False
    for most, (added, key) in zip(steps, changes, strict=False):
        done = search.step(most)
        touched.add(key)
        if added:
            tree.insert(key, key)
        else:
            tree.remove(key)
    while not done:
        done = search.step(1)
    staying = [key for key in keys if key not in touched]
    assert sorted(key for key in search.found if key in staying) == sorted(key for key in staying if matches(key, name))
    assert {key for key in search.found if key not in staying} <= touched

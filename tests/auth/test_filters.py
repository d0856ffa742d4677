# SPDX-License-Identifier: MIT
"""Which filter of a rule decides, against the definition taken word for word: sets of topics."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqtt_ref.auth.filters import Permission, covers, filled, filter_problem, most_specific, strictest
from mqtt_ref.broker.topics import matches

DEPTH = 4
# `z` stands for every level that no filter names.
TOPICS = ["/".join(levels) for n in range(1, DEPTH + 1) for levels in product("abz", repeat=n)]


def topics_of(topic_filter: str) -> frozenset[str]:
    return frozenset(topic for topic in TOPICS if matches(topic_filter, topic))


def filters() -> st.SearchStrategy[str]:
    plain = st.lists(st.sampled_from(["a", "b", "+"]), min_size=1, max_size=3)
    return st.builds(lambda levels, end: "/".join([*levels, "#"] if end else levels), plain, st.booleans()) | st.just(
        "#"
    )


@given(filters(), filters())
def test_covers_is_inclusion_of_the_topics(outer: str, inner: str) -> None:
    assert covers(outer.split("/"), inner.split("/")) == (topics_of(inner) <= topics_of(outer))


@given(st.lists(filters(), min_size=1, max_size=6, unique=True))
def test_the_most_specific_have_none_below_them(names: list[str]) -> None:
    slow = [i for i, one in enumerate(names) if not any(topics_of(other) < topics_of(one) for other in names)]
    assert most_specific([name.split("/") for name in names]) == slow
    assert slow


@pytest.mark.parametrize(
    ("names", "decide"),
    [
        (["a/b", "a/+", "a/#", "#"], ["a/b"]),
        (["a/+", "a/#", "+/+", "#"], ["a/+"]),
        (["a/#", "+/b"], ["a/#", "+/b"]),
        (["a/+", "+/b"], ["a/+", "+/b"]),
        (["a/+", "+/b", "a/b"], ["a/b"]),
        (["a", "a/#"], ["a"]),
        (["a/#", "a/b/#"], ["a/b/#"]),
        (["#", "+/#"], ["#", "+/#"]),
        (["a/#", "a/+/#"], ["a/+/#"]),
        (["/a", "+/a"], ["/a"]),
    ],
)
def test_examples(names: list[str], decide: list[str]) -> None:
    assert [names[i] for i in most_specific([name.split("/") for name in names])] == decide


def test_of_equals_deny() -> None:
    assert strictest([Permission.READWRITE, Permission.READ]) == Permission.READ
    assert strictest([Permission.WRITE, Permission.READ]) == Permission.DENY
    assert strictest([]) == Permission.READWRITE


@pytest.mark.parametrize(
    ("value", "permission"),
    [(0, 0), (1, 1), (2, 2), (3, 3), ("deny", 0), ("read", 1), ("write", 2), ("readwrite", 3), ("ReadWrite", 3)],
)
def test_permissions_have_numbers_and_words(value: object, permission: int) -> None:
    assert Permission.of(value) == permission


@pytest.mark.parametrize("value", [4, -1, True, False, None, "", "all", 1.0, []])
def test_what_is_no_permission_says_what_is_one(value: object) -> None:
    with pytest.raises(ValueError, match=r"0 or deny, 1 or read, 2 or write, 3 or readwrite"):
        Permission.of(value)


@pytest.mark.parametrize("good", ["a", "#", "+", "a/+/b/#", "/", "$SYS/#", "$share", "a b"])
def test_filters_that_a_rule_may_have(good: str) -> None:
    assert filter_problem(good) == ""


@pytest.mark.parametrize(
    ("bad", "right"),
    [
        ("", "not a topic filter"),
        ("a#", "the whole last one"),
        ("#/a", "the whole last one"),
        ("a+/b", "a whole level"),
        ("\0", "not a topic filter"),
        (5, "in quotes"),
        ("$share/g/a/#", "write only its filter 'a/#'"),
    ],
)
def test_filters_that_it_may_not_have(bad: object, right: str) -> None:
    assert right in filter_problem(bad)


@pytest.mark.parametrize(
    ("topic_filter", "username", "client_id", "grants", "denies"),
    [
        ("own/%u/#", "alice", "c", "own/alice/#", "own/alice/#"),
        ("own/dev-%c-x/%u", "alice", "c", "own/dev-c-x/alice", "own/dev-c-x/alice"),
        ("%u/%u", "alice", "c", "alice/alice", "alice/alice"),
        ("a/%x/%%/50%", "alice", "c", "a/%x/%%/50%", "a/%x/%%/50%"),
        # A name is filled in once, whatever is in it.
        ("%u/#", "%c", "c", "%c/#", "%c/#"),
        # Names that would match more than one level, or less than one.
        ("own/%u/#", "", "c", None, None),
        ("own/%u/x", "a/b", "c", None, "own/#"),
        ("own/%u/x", "+", "c", None, "own/#"),
        ("own/%u/x", "#", "c", None, "own/#"),
        ("%u/x", "#", "c", None, "#"),
        ("own/dev%u", "+", "c", None, "own/#"),
        ("%u/%c/x", "alice", "/", None, "alice/#"),
        # Topics of the server belong to no user.
        ("%u/#", "$SYS", "c", None, "#"),
        ("own/%u", "$SYS", "c", "own/$SYS", "own/$SYS"),
        ("$%u/#", "alice", "c", "$alice/#", "$alice/#"),
    ],
)
def test_names_in_a_filter(
    topic_filter: str, username: str, client_id: str, grants: str | None, denies: str | None
) -> None:
    for permission in (Permission.READ, Permission.WRITE, Permission.READWRITE):
        assert filled(topic_filter, permission, username, client_id) == grants
    assert filled(topic_filter, Permission.DENY, username, client_id) == denies

# SPDX-License-Identifier: MIT
"""Names, filters and matching by example; everything else is tested against `matches`."""

from __future__ import annotations

import pytest

from mqtt_ref.broker import topics
from mqtt_ref.broker.topics import (
    is_wildcard,
    levels,
    matches,
    split_shared,
    valid_topic_filter,
    valid_topic_name,
)

MATCHING = [
    # The examples of section 4.7 of MQTT 5.0.
    ("sport/tennis/player1/#", "sport/tennis/player1", True),
    ("sport/tennis/player1/#", "sport/tennis/player1/ranking", True),
    ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", True),
    ("sport/#", "sport", True),
    ("#", "sport/tennis", True),
    ("sport/tennis/+", "sport/tennis/player1", True),
    ("sport/tennis/+", "sport/tennis/player1/ranking", False),
    ("sport/+", "sport", False),
    ("sport/+", "sport/", True),
    ("+/+", "/finance", True),
    ("/+", "/finance", True),
    ("+", "/finance", False),
    ("+/tennis/#", "sport/tennis", True),
    ("+/tennis/#", "sport/tennis/a/b", True),
    ("sport/+/player1", "sport/tennis/player1", True),
    # [MQTT5-4.7.2-1]: a wildcard in front does not stand for a name that begins with $, any other level does.
    ("#", "$SYS/x", False),
    ("+/x", "$SYS/x", False),
    ("+/#", "$SYS", False),
    ("$SYS/#", "$SYS/monitor/Clients", True),
    ("$SYS/monitor/+", "$SYS/monitor/Clients", True),
    ("$SYS/#", "$SYS", True),
    ("a/+", "a/$x", True),
    ("a/#", "a/$x", True),
    ("/#", "/$x", True),
    # Empty levels are levels.
    ("a//b", "a//b", True),
    ("a//b", "a/b", False),
    ("a/+/b", "a//b", True),
    ("+", "a", True),
    ("/", "/", True),
    ("+/+", "/", True),
    ("/#", "a", False),
    ("#", "/", True),
    ("a/#", "a/", True),
    ("a", "a/", False),
    ("a/", "a", False),
    # [MQTT5-4.7.3-4]: no normalization, and case counts.
    ("ACCOUNTS", "Accounts", False),
    ("caf\u00e9", "cafe\u0301", False),
    ("a b", "a b", True),
    ("./a", "a", False),
]


@pytest.mark.parametrize(("topic_filter", "topic", "expected"), MATCHING)
def test_matches(topic_filter: str, topic: str, expected: bool) -> None:
    assert matches(topic_filter, topic) is expected


def test_levels() -> None:
    assert levels("/a//b/") == ["", "a", "", "b", ""]
    assert levels("a") == ["a"]
    assert levels("/") == ["", ""]


@pytest.mark.parametrize(
    ("topic_filter", "expected"), [("a", False), ("a/+", True), ("#", True), ("$SYS/x", False), ("+", True)]
)
def test_is_wildcard(topic_filter: str, expected: bool) -> None:
    assert is_wildcard(topic_filter) is expected


@pytest.mark.parametrize(
    "topic", ["a", "/", "a//b", "$SYS/x", "a b", "\ufeff", "\U0001f600", "a" * 65_535, "\u00e9" * 32_767]
)
def test_valid_names(topic: str) -> None:
    assert valid_topic_name(topic)
    assert valid_topic_filter(topic)


@pytest.mark.parametrize("text", ["", "a\0", "\0", "a" * 65_536, "\u00e9" * 32_768, "\ud800", "a/\udfff"])
def test_neither_name_nor_filter(text: str) -> None:
    """[MQTT5-4.7.3-1], [MQTT5-4.7.3-2], [MQTT5-4.7.3-3]."""
    assert not valid_topic_name(text)
    assert not valid_topic_filter(text)


@pytest.mark.parametrize("topic_filter", ["#", "+", "a/#", "a/+/b", "+/+/#", "/#", "/+", "+/", "$SYS/#"])
def test_wildcards_are_for_filters(topic_filter: str) -> None:
    """[MQTT5-4.7.0-1]."""
    assert not valid_topic_name(topic_filter)
    assert valid_topic_filter(topic_filter)


@pytest.mark.parametrize(
    "topic_filter", ["a#", "a/b#", "#a", "#/a", "a/#/b", "##", "a+", "+a", "a/b+", "++", "+#", "#/"]
)
def test_misplaced_wildcards(topic_filter: str) -> None:
    """[MQTT5-4.7.1-1], [MQTT5-4.7.1-2]."""
    assert not valid_topic_filter(topic_filter)
    assert not valid_topic_filter(f"$share/g/{topic_filter}")


SHARED = [
    ("$share/g/a", ("g", "a")),
    ("$share/g//", ("g", "/")),
    ("$share/g//a", ("g", "/a")),
    ("$share/ g/+/#", (" g", "+/#")),
    ("$share/$share/$share/g/a", ("$share", "$share/g/a")),
    # [MQTT5-4.8.2-1], [MQTT5-4.8.2-2].
    ("$share//a", None),
    ("$share/g", None),
    ("$share/g/", None),
    ("$share/", None),
    ("$share/+/a", None),
    ("$share/#/a", None),
    ("$share/a+/a", None),
]


@pytest.mark.parametrize(("topic_filter", "expected"), SHARED)
def test_split_shared(topic_filter: str, expected: tuple[str, str] | None) -> None:
    assert split_shared(topic_filter) == expected
    assert valid_topic_filter(topic_filter) is (expected is not None)


@pytest.mark.parametrize("topic_filter", ["$share", "$shared/g/a", "$SHARE/g/a", "a/$share/g/a", "share/g/a"])
def test_other_filters_are_not_shared(topic_filter: str) -> None:
    assert split_shared(topic_filter) is None
    assert valid_topic_filter(topic_filter)


@pytest.mark.parametrize(
    ("topic_filter", "expected"), [("$share//a", True), ("$share/g", True), ("$share/a+/a", False)]
)
def test_ordinary_for_3x(topic_filter: str, expected: bool) -> None:
    assert valid_topic_filter(topic_filter, shared=False) is expected


def test_public_names() -> None:
    assert set(topics.__all__) == {
        "is_wildcard",
        "levels",
        "matches",
        "split_shared",
        "valid_topic_filter",
        "valid_topic_name",
    }

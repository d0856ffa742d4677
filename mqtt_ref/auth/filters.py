# SPDX-License-Identifier: MIT
"""What the filters of one access rule say together about a topic: the most specific decides, of equals deny.

A filter is more specific than another if it matches some of the topics that the other one matches, and no others:
`a/b` than `a/+`, `a/+` than `a/#`, `+/b` than `#`. Neither of `a/+` and `+/b` is more specific, so that both decide
about `a/b`: what one of them denies is denied.

In a rule, wildcards stand for levels that begin with `$` too: what denies `#` denies `$SYS/...`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum

from mqtt_ref.broker.topics import split_shared, valid_topic_filter

__all__ = ["Permission", "covers", "filter_problem", "most_specific", "strictest"]

_EVERYTHING = ("+", "#")


class Permission(IntEnum):
    """What may be done with a topic: bit 0 to read it, bit 1 to write it."""

    DENY = 0
    READ = 1
    WRITE = 2
    READWRITE = 3

    @classmethod
    def of(cls, value: object) -> Permission:
        """A permission from its number or its word.

        Raises:
            ValueError: it is neither; the text says what would be right.
        """
        if isinstance(value, str) and value.upper() in cls.__members__:
            return cls[value.upper()]
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 3:
            return cls(value)
        raise ValueError(f"{value!r} is no permission; 0 or deny, 1 or read, 2 or write, 3 or readwrite")


def filter_problem(topic_filter: object) -> str:
    """What is wrong with the filter of a rule, and what would be right; empty if nothing is."""
    if not isinstance(topic_filter, str):
        return f"{topic_filter!r} is no text; write the topic filter in quotes"
    share = split_shared(topic_filter)
    if share is not None:
        return f"Shared Subscriptions are judged by their filter, whatever the group: write {share[1]!r}"
    if not valid_topic_filter(topic_filter, shared=False):
        return f"{topic_filter!r} is no topic filter; `+` is a whole level, `#` the whole last one"
    return ""


def covers(outer: Sequence[str], inner: Sequence[str]) -> bool:
    """Whether the filter of the levels `outer` matches every topic that the one of the levels `inner` matches."""
    for i, level in enumerate(outer):
        if level == "#":
            return True
        if i == len(inner):
            return False
        if inner[i] == "#":
            return tuple(outer) == _EVERYTHING  # a topic has at least one level, so that `+/#` is `#`
        if level not in ("+", inner[i]):
            return False
    return len(outer) == len(inner)


def most_specific(filters: Sequence[Sequence[str]]) -> list[int]:
    """Which of these filters, given by their levels, have no other beside them that is more specific."""
    return [
        i
        for i, one in enumerate(filters)
        if not any(covers(one, other) and not covers(other, one) for other in filters if other is not one)
    ]


def strictest(permissions: Iterable[int]) -> int:
    """What all of them allow."""
    together: int = Permission.READWRITE
    for permission in permissions:
        together &= permission
    return together

# SPDX-License-Identifier: MIT
"""Combines the filters of one access rule: the most specific one decides, and among equals deny wins.

A filter is more specific than another if it matches some of the topics that the other one matches, and no others:
`a/b` is more specific than `a/+`, `a/+` than `a/#`, and `+/b` than `#`. Neither of `a/+` and `+/b` is more specific,
so both decide about `a/b`: what one of them denies is denied.

In a rule, wildcards also match levels that begin with `$`: to deny `#` is to deny `$SYS/...`.

`%u` and `%c` in a filter stand for the user name and the Client Identifier of the client: see `filled`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Final

from mqtt_ref.broker.topics import split_shared, valid_topic_filter

__all__ = ["Permission", "covers", "filled", "filter_problem", "has_names", "most_specific", "strictest"]

_EVERYTHING = ("+", "#")
_NAME: Final = re.compile("%[uc]")
_UNFIT: Final = re.compile("[/+#]")


class Permission(IntEnum):
    """Access to a topic: bit 0 allows reading, bit 1 writing."""

    DENY = 0
    READ = 1
    WRITE = 2
    READWRITE = 3

    @classmethod
    def of(cls, value: object) -> Permission:
        """Convert a number or a word to a permission.

        Raises:
            ValueError: the value is neither; the text lists the valid ones.
        """
        if isinstance(value, str) and value.upper() in cls.__members__:
            return cls[value.upper()]
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 3:
            return cls(value)
        raise ValueError(f"{value!r} is not a permission; it must be 0 or deny, 1 or read, 2 or write, 3 or readwrite")


def filter_problem(topic_filter: object) -> str:
    """Return what is wrong with the filter of a rule and what would be right; empty if it is valid."""
    if not isinstance(topic_filter, str):
        return f"{topic_filter!r} is not text; write the topic filter in quotes"
    share = split_shared(topic_filter)
    if share is not None:
        return f"a rule applies to every group of a Shared Subscription: write only its filter {share[1]!r}"
    if not valid_topic_filter(topic_filter, shared=False):
        return f"{topic_filter!r} is not a topic filter; `+` must be a whole level, `#` the whole last one"
    return ""


def has_names(topic_filter: str) -> bool:
    """True if the filter contains `%u` or `%c`."""
    return _NAME.search(topic_filter) is not None


def filled(topic_filter: str, permission: int, username: str, client_id: str) -> str | None:
    """Return the filter for one client: with its user name for `%u`, and its Client Identifier for `%c`.

    Clients choose these names, so a name must not make a filter match more than one level. A name with `/`, `+` or `#`
    fits into no filter: None, or if the filter denies, one that denies everything from that level on. The same is true
    for a first level that would begin with `$`. None for an empty name.
    """
    names = {"%u": username, "%c": client_id}
    levels: list[str] = []
    for level in topic_filter.split("/"):
        used = [names[name] for name in _NAME.findall(level)]
        if not all(used):
            return None
        text = _NAME.sub(lambda name: names[name[0]], level)
        reserved = not levels and text.startswith("$") and not level.startswith("$")
        if reserved or any(_UNFIT.search(name) for name in used):
            return None if permission else "/".join([*levels, "#"])
        levels.append(text)
    return "/".join(levels)


def covers(outer: Sequence[str], inner: Sequence[str]) -> bool:
    """True if the filter with levels `outer` matches every topic that the filter with levels `inner` matches."""
    for i, level in enumerate(outer):
        if level == "#":
            return True
        if i == len(inner):
            return False
        if inner[i] == "#":
            return tuple(outer) == _EVERYTHING  # `+/#` equals `#`, because a topic has at least one level
        if level not in ("+", inner[i]):
            return False
    return len(outer) == len(inner)


def most_specific(filters: Sequence[Sequence[str]]) -> list[int]:
    """Return the indices of the filters, given as levels, for which no other one is more specific."""
    return [
        i
        for i, one in enumerate(filters)
        if not any(covers(one, other) and not covers(other, one) for other in filters if other is not one)
    ]


def strictest(permissions: Iterable[int]) -> int:
    """Return what all the permissions allow."""
    together: int = Permission.READWRITE
    for permission in permissions:
        together &= permission
    return together

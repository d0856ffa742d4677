# SPDX-License-Identifier: MIT
"""Topic Names and Topic Filters, and the plain definition of matching."""

from __future__ import annotations

from typing import Final

__all__ = ["is_wildcard", "levels", "matches", "split_shared", "valid_topic_filter", "valid_topic_name"]

_LONGEST: Final = 65_535
_SHARE: Final = "$share/"


def levels(topic: str) -> list[str]:
    """Return the levels of a name or filter. Empty levels count, and nothing is normalized.

    Cites: MQTT5-4.7.3-4, X5-topic-level-empty, X5-topic-slash-distinct, X311-topic-separator, X311-topic-empty-level,
    X311-topic-outer-slash, MQTT311-4.7.3-4
    """
    return topic.split("/")


def is_wildcard(topic_filter: str) -> bool:
    """True if a valid filter has a wildcard, so that it can match more than one name."""
    return "+" in topic_filter or "#" in topic_filter


def matches(topic_filter: str, topic: str) -> bool:
    """True if a valid filter, without `$share/name/`, matches a valid name.

    `+` matches exactly one level. `#` matches its parent and any number of levels below. As the first level, neither
    matches a name that begins with `$`.

    Cites: MQTT5-4.7.1-2, MQTT5-4.7.1-1, MQTT5-4.7.2-1
    """
    if topic_filter[0] in "+#" and topic[0] == "$":
        return False
    wanted = levels(topic_filter)
    given = levels(topic)
    for i, level in enumerate(wanted):
        if level == "#":
            return True
        if i == len(given):
            return False
        if level != "+" and level != given[i]:
            return False
    return len(wanted) == len(given)


def valid_topic_name(topic: str) -> bool:
    """True for a valid Topic Name: at least one character, at most 65,535 bytes, no U+0000, no wildcard.

    Cites: MQTT5-4.7.0-1, MQTT5-4.7.3-1, MQTT5-4.7.3-2, MQTT5-4.7.3-3
    """
    return _valid_text(topic) and not is_wildcard(topic)


def valid_topic_filter(topic_filter: str, shared: bool = True) -> bool:
    """True for a valid Topic Filter: `+` may be a whole level and `#` the whole last one.

    `$share/` needs a name and a filter. With `shared=False`, as for 3.x, `$share` is an ordinary level.

    Cites: MQTT5-4.7.1-1, MQTT5-4.7.1-2, MQTT5-4.8.2-1, MQTT5-4.8.2-2
    """
    if not _valid_text(topic_filter):
        return False
    if shared and topic_filter.startswith(_SHARE):
        share = split_shared(topic_filter)
        if share is None:
            return False
        topic_filter = share[1]
    parts = levels(topic_filter)
    last = len(parts) - 1
    for i, level in enumerate(parts):
        if level == "+" or (level == "#" and i == last):
            continue
        if is_wildcard(level):
            return False
    return True


def split_shared(topic_filter: str) -> tuple[str, str] | None:
    """Return ShareName and filter of a Shared Subscription; None for any other filter, also for a malformed one.

    Cites: MQTT5-4.8.2-1, MQTT5-4.8.2-2
    """
    if not topic_filter.startswith(_SHARE):
        return None
    slash = topic_filter.find("/", len(_SHARE))
    if slash < 0:
        return None
    name = topic_filter[len(_SHARE) : slash]
    rest = topic_filter[slash + 1 :]
    if not name or not rest or is_wildcard(name):
        return None
    return name, rest


def _valid_text(text: str) -> bool:
    if not text or "\0" in text:
        return False
    if len(text) * 4 <= _LONGEST and text.isascii():
        return True
    try:
        return len(text.encode()) <= _LONGEST
    except UnicodeEncodeError:  # a surrogate has no UTF-8 form
        return False

# SPDX-License-Identifier: MIT
"""Illegal topic names and filters, and unusual filters that are legal."""

from __future__ import annotations

from collections.abc import Iterable

from codegen.model import V5

__all__ = ["GOOD_FILTERS", "NO_SHARED_FILTERS", "spoilt_topics"]

# the topic name, the rule that it breaks, the offset of the byte
NAMES = (
    (b"+", "topic_wildcard", 0),
    (b"#", "topic_wildcard", 0),
    (b"a/+", "topic_wildcard", 2),
    (b"a/#", "topic_wildcard", 2),
    (b"a+b", "topic_wildcard", 1),
    (b"ab#+", "topic_wildcard", 2),
    (b"a#\xff", "topic_wildcard", 1),
    (b"+\x00", "topic_wildcard", 0),
    (b"\xc3+", "utf8_ill_formed", 1),
    (b"\xff#", "utf8_ill_formed", 0),
    (b"a\x00#", "utf8_null", 1),
)
PLAIN_FILTERS = (
    (b"a#", "filter_hash", 1),
    (b"#a", "filter_hash", 0),
    (b"#/a", "filter_hash", 0),
    (b"##", "filter_hash", 0),
    (b"a/b#", "filter_hash", 3),
    (b"a/#/b", "filter_hash", 2),
    (b"/#a", "filter_hash", 1),
    (b"+#", "filter_hash", 1),
    (b"#\x80", "filter_hash", 0),
    (b"#\x00", "filter_hash", 0),
    (b"a+", "filter_plus", 1),
    (b"+a", "filter_plus", 1),
    (b"++", "filter_plus", 1),
    (b"a/+b", "filter_plus", 3),
    (b"a/b+", "filter_plus", 3),
    (b"a/b+/c", "filter_plus", 3),
    (b"+/a+", "filter_plus", 3),
    (b"+/+/b+/#", "filter_plus", 5),
    (b"a+\x80", "filter_plus", 1),
    (b"+\xc3\x28", "filter_plus", 1),
    (b"a+/#/#", "filter_plus", 1),
    (b"+\x80", "utf8_ill_formed", 1),
    (b"\x80#", "utf8_ill_formed", 0),
    (b"+\x00", "utf8_null", 1),
    (b"\x00#a", "utf8_null", 0),
)
SHARED_FILTERS = (
    (b"$share/", "share_name_empty", 6),
    (b"$share//", "share_name_empty", 7),
    (b"$share//a", "share_name_empty", 7),
    (b"$share///a", "share_name_empty", 7),
    (b"$share/g", "share_name_form", 7),
    (b"$share/group", "share_name_form", 11),
    (b"$share/g/", "share_name_form", 8),
    (b"$share/+", "share_name_form", 7),
    (b"$share/+/a", "share_name_form", 7),
    (b"$share/#/a", "share_name_form", 7),
    (b"$share/g+/a", "share_name_form", 8),
    (b"$share/g#h/a", "share_name_form", 8),
    (b"$share/+\x80/a", "share_name_form", 7),
    (b"$share/\x80", "utf8_ill_formed", 7),
    (b"$share/\x80/a", "utf8_ill_formed", 7),
    (b"$share/g\x00/+a", "utf8_null", 8),
    (b"$share/g/a#", "filter_hash", 10),
    (b"$share/g/#/a", "filter_hash", 9),
    (b"$share/g/a+", "filter_plus", 10),
    (b"$share/g/+a", "filter_plus", 10),
    (b"$share/g/+/\x80", "utf8_ill_formed", 11),
)
GOOD_FILTERS = (
    "#", "+", "/", "//", "/#", "/+", "+/+", "+/#", "a//b", "a/#", "+/a/+", "$", "$SYS/#", "$share", "$sharea/b",
    "$Share//a", "$share/g/a", "$share/g/#", "$share/g/+", "$share/g//", "$share/g/+/a/#", "a/$share/+",
)  # fmt: skip
NO_SHARED_FILTERS = ("$share/", "$share//a", "$share/g", "$share/+/a")
"""Filters that are legal in 3.x, because it has no shared subscriptions."""


def spoilt_topics(rules: Iterable[str], version: int) -> list[tuple[str, bytes, str, int]]:
    """Return kind, text, broken rule and offset of the byte, for a type of string with these rules."""
    rows: list[tuple[bytes, str, int]] = []
    if "topic_wildcard" in rules:
        rows += NAMES
    if "filter_hash" in rules:
        rows += PLAIN_FILTERS
        rows += SHARED_FILTERS if version == V5 else ()
    return [
        ("utf8-order" if rule.startswith("utf8") else rule.replace("_", "-"), data, rule, at) for data, rule, at in rows
    ]

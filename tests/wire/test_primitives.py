# SPDX-License-Identifier: MIT
"""Wire types: variable byte integers, strings, topic names and filters, and the byte at which each breaks."""

from __future__ import annotations

import pytest

from mqtt_ref.wire import primitives
from mqtt_ref.wire.primitives import check_filter, check_name, check_text, name_text, read_vbi, text, vbi


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (0, "00"), (127, "7f"), (128, "8001"), (16_383, "ff7f"), (16_384, "808001"), (2_097_151, "ffff7f"),
        (2_097_152, "80808001"), (268_435_455, "ffffff7f"),
    ],
)  # fmt: skip
def test_vbi_at_the_edges_of_each_size(value: int, encoded: str) -> None:
    raw = bytes.fromhex(encoded)
    assert vbi(value) == raw
    assert read_vbi(raw, 0, len(raw), True) == value << 3 | len(raw)


@pytest.mark.parametrize("value", [-1, 268_435_456])
def test_vbi_out_of_range(value: int) -> None:
    with pytest.raises(ValueError, match="268,435,455"):
        vbi(value)


@pytest.mark.parametrize(
    ("raw", "minimal", "result"),
    [("", True, -1), ("80", True, -1), ("80808080", True, -2), ("8000", True, -3), ("8000", False, 0 << 3 | 2)],
)
def test_vbi_that_breaks(raw: str, minimal: bool, result: int) -> None:
    data = bytes.fromhex(raw)
    assert read_vbi(data, 0, len(data), minimal) == result


@pytest.mark.parametrize(
    ("raw", "at", "kind"),
    [
        (b"a\xff", 1, primitives.ILL_FORMED),
        (b"ab\x00c", 2, primitives.NULL),
        (b"\x00\xff", 0, primitives.NULL),
        (b"\xff\x00", 0, primitives.ILL_FORMED),
        (b"\xe2\x28\xa1", 1, primitives.ILL_FORMED),
        (b"\xe2\x82\x28", 2, primitives.ILL_FORMED),
        (b"\xe2\x82", 0, primitives.ILL_FORMED),  # the lead byte promises more than the string has left
        (b"\xed\xa0\x80", 1, primitives.ILL_FORMED),  # a surrogate
        (b"\xc0\x80", 0, primitives.ILL_FORMED),
        (b"\xf4\x90\x80\x80", 1, primitives.ILL_FORMED),
        (b"\xf5\x80\x80\x80", 0, primitives.ILL_FORMED),
        (b"a\x80", 1, primitives.ILL_FORMED),
    ],
)
def test_where_a_string_breaks(raw: bytes, at: int, kind: int) -> None:
    assert text(raw, 0, len(raw)) is None
    assert check_text(raw, 0, len(raw)) == at << 4 | kind


def test_byte_order_mark_is_kept() -> None:
    """[MQTT5-1.5.4-3]."""
    raw = b"\xef\xbb\xbfa"
    assert text(raw, 0, 4) == "\ufeffa"


@pytest.mark.parametrize(
    ("raw", "at", "kind"),
    [
        (b"a/+", 2, primitives.WILDCARD),
        (b"#", 0, primitives.WILDCARD),
        (b"a#+", 1, primitives.WILDCARD),
        (b"a\xff#", 1, primitives.ILL_FORMED),
        (b"+\xff", 0, primitives.WILDCARD),
    ],
)
def test_where_a_topic_name_breaks(raw: bytes, at: int, kind: int) -> None:
    assert name_text(raw, 0, len(raw)) is None
    assert check_name(raw, 0, len(raw)) == at << 4 | kind


def test_empty_names_break_at_their_length() -> None:
    assert check_name(b"\x00\x00", 2, 2) == 1 << 4 | primitives.EMPTY
    assert check_filter(b"\x00\x00", 2, 2, True) == 1 << 4 | primitives.EMPTY


def test_names_seen_before_are_not_kept_without_bound() -> None:
    for number in range(primitives._KEPT + 10):
        raw = b"topic/%d" % number
        assert name_text(raw, 0, len(raw)) == raw.decode()
    assert len(primitives.NAMES) <= primitives._KEPT
    long = b"t" * (primitives._LONGEST + 1)
    assert name_text(long, 0, len(long)) == long.decode()
    assert long not in primitives.NAMES


FINE = [b"#", b"+", b"/", b"a/#", b"+/+", b"+/#", b"/+", b"a//b", b"$SYS/#", b"$share/g/a", b"$share/g/#", b"$share",
        b"$sharea/b", b"$share/g//", b"a b/c"]  # fmt: skip


@pytest.mark.parametrize("raw", FINE)
def test_filters_that_are_fine(raw: bytes) -> None:
    assert check_filter(raw, 0, len(raw), True) == 0


@pytest.mark.parametrize(
    ("raw", "at", "kind"),
    [
        (b"a#", 1, primitives.HASH),
        (b"#/a", 0, primitives.HASH),
        (b"a/#/b", 2, primitives.HASH),
        (b"a+", 1, primitives.PLUS),
        (b"+a", 1, primitives.PLUS),
        (b"a/+b/c", 3, primitives.PLUS),
        (b"+#", 1, primitives.HASH),
        (b"+/#a", 2, primitives.HASH),
        (b"$share//a", 7, primitives.SHARE_EMPTY),
        (b"$share/", 6, primitives.SHARE_EMPTY),
        (b"$share/g", 7, primitives.SHARE_FORM),
        (b"$share/g/", 8, primitives.SHARE_FORM),
        (b"$share/g+/a", 8, primitives.SHARE_FORM),
        (b"$share/#/a", 7, primitives.SHARE_FORM),
        (b"$share/g/a#", 10, primitives.HASH),
        (b"$share/g/+a", 10, primitives.PLUS),
        (b"a+\xff", 1, primitives.PLUS),
        (b"+\xff", 1, primitives.ILL_FORMED),
    ],
)
def test_where_a_filter_breaks(raw: bytes, at: int, kind: int) -> None:
    assert check_filter(raw, 0, len(raw), True) == at << 4 | kind


@pytest.mark.parametrize("raw", [b"$share//a", b"$share/", b"$share/g", b"$share/g/"])
def test_share_has_no_meaning_before_5_0(raw: bytes) -> None:
    assert check_filter(raw, 0, len(raw), False) == 0

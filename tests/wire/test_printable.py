# SPDX-License-Identifier: MIT
"""Text for terminals and logs has nothing in it that acts on a terminal."""

from __future__ import annotations

import json

import pytest

from mqtt_ref.wire.printable import json_text, printable

ODD = {
    "\x00": r"\x00",
    "\x1b": r"\x1b",
    "\r": r"\r",
    "\x7f": r"\x7f",
    "\x9b": r"\x9b",
    "\x85": r"\x85",
    "\xad": r"\xad",
    "\u200f": r"\u200f",
    "\u2028": r"\u2028",
    "\u2029": r"\u2029",
    "\u202e": r"\u202e",
    "\u2066": r"\u2066",
    "\ufeff": r"\ufeff",
    "\ufffe": r"\ufffe",
    "\ud800": r"\ud800",
    "\U000e0001": r"\U000e0001",
}


@pytest.mark.parametrize("odd", ODD)
def test_what_is_not_printable_is_escaped(odd: str) -> None:
    assert printable(f"é{odd}日 ") == f"é{ODD[odd]}日 "
    text = json_text({f"k{odd}": [f"é{odd}", "a\nb"]})
    assert text.isprintable()
    assert "é" in text
    assert json.loads(text) == {f"k{odd}": [f"é{odd}", "a\nb"]}


def test_what_is_kept() -> None:
    assert printable("a\nb\tc", "\n") == "a\nb\\tc"
    assert printable("plain é") == "plain é"


def test_json_that_is_indented_keeps_its_lines() -> None:
    value = {"a": "x\x9b\n", "b": [1, 2]}
    text = json_text(value, indent=2)
    assert text == '{\n  "a": "x\\u009b\\n",\n  "b": [\n    1,\n    2\n  ]\n}'
    assert json.loads(text) == value

# SPDX-License-Identifier: MIT
"""Files: what they say, where they say it, and what is not a file at all."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mqtt_ref.config.load import load
from mqtt_ref.config.problem import ConfigError
from mqtt_ref.config.source import parse, read, scalar


def test_every_value_has_its_place() -> None:
    source = parse("options:\n  capabilities:\n    maximum_qos: 1\nlisteners:\n  - type: tcp\n", "f")
    assert source.tree == {"options": {"capabilities": {"maximum_qos": 1}}, "listeners": [{"type": "tcp"}]}
    assert source.place(("options", "capabilities", "maximum_qos")) == (3, 5)
    assert source.place(("listeners", 0, "type")) == (5, 5)


def test_a_place_that_is_not_there_is_that_of_what_is_around_it() -> None:
    assert parse("a:\n  b: 1\n", "f").place(("a", "c", "d")) == (1, 1)


def test_json_is_read_the_same_way() -> None:
    source = parse('{\n  "options": {"inline_client": false}\n}\n', "f.json")
    assert source.tree == {"options": {"inline_client": False}}
    assert source.place(("options", "inline_client")) == (2, 15)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("12:30", "12:30"),
        ("010", "010"),
        ("0x10", 16),
        ("true", True),
        ("1.5", 1.5),
        ("~", None),
        ('"12"', "12"),
        ("[1, b]", [1, "b"]),
        ("{a: 1}", {"a": 1}),
        (":1883", ":1883"),
        ("", ""),
        ("[", "["),
        ("2026-01-01", "2026-01-01"),
    ],
)
def test_words_are_what_they_look_like(text: str, value: object) -> None:
    assert scalar(text) == value


def test_a_key_that_stands_twice_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        parse("a: 1\nb: 2\na: 3\n", "f.yaml")
    assert [str(problem) for problem in caught.value.problems] == ["f.yaml:3:1: a: occurs twice here"]


def test_merged_keys_give_way_to_the_mapping_s_own() -> None:
    source = parse("base: &b {x: 1, y: 2}\nuse:\n  <<: *b\n  y: 3\n", "f")
    assert source.tree["use"] == {"x": 1, "y": 3}
    assert source.place(("use", "y")) == (4, 3)


@pytest.mark.parametrize("text", ["a: [1", "a:\n\t- b", "%", "a: *none", "? [a]\n: 1"])
def test_what_is_not_well_formed_says_where(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text, "f.yaml")
    assert caught.value.problems[0].line >= 1


@pytest.mark.parametrize("data", [b"\xff\xfe\xff", b"a: \x00", "a: \ud800".encode("utf-8", "surrogatepass")])
def test_bytes_that_are_no_text_are_refused(data: bytes) -> None:
    with pytest.raises(ConfigError):
        parse(data, "f.yaml")


def test_aliases_cannot_grow_without_bound() -> None:
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(ConfigError, match="values"):
        parse("\n".join(lines), "f.yaml")


def test_an_alias_to_itself_is_refused() -> None:
    with pytest.raises(ConfigError):
        parse("a: &a [*a]\n", "f.yaml")


def test_tags_make_no_objects() -> None:
    with pytest.raises(ConfigError):
        parse("a: !!python/object/apply:os.getcwd []\n", "f.yaml")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "none.yaml"
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot be read: No such file"):
        read(missing)


def test_an_empty_file_says_nothing(tmp_path: Path) -> None:
    empty = tmp_path / "empty.yaml"
    empty.write_text("# nothing\n")
    assert read(empty).tree == {}


@pytest.mark.parametrize("number", ["0x" + "f" * 100_000, "9" * 100_000, "-" + "1" * 40])
def test_a_number_of_any_size_is_a_problem_with_its_place(number: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(f"a:\n  b: {number}\n", "f")
    assert str(caught.value) == "f:2:6: a.b: is a number of more than 20 digits"


def test_a_number_that_is_not_finite_is_a_problem() -> None:
    with pytest.raises(ConfigError, match=r"f:1:4: a: is no finite number"):
        parse("a: 1e999\n", "f")


@pytest.mark.skipif(sys.platform == "win32", reason="no such device there")
def test_a_file_without_an_end_is_not_read_to_it() -> None:
    with pytest.raises(ConfigError, match="is larger than 16777216 bytes"):
        read(Path("/dev/zero"))


@pytest.mark.parametrize(
    "text",
    [r'"\e[31mred\e]0;x\a": 1', r'"\x9b31m": 1', r'"a\u202e": 1', r'listeners: [{type: "\u2028"}]', "'a\u202e': 1"],
)
def test_what_a_file_says_does_not_act_on_the_terminal(tmp_path: Path, text: str) -> None:
    file = tmp_path / "broker.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(file, {})
    assert str(caught.value).isprintable()

# SPDX-License-Identifier: MIT
"""Every option has a variable; one that means nothing is named."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from mqtt_ref.config.environment import overlay
from mqtt_ref.config.load import load
from mqtt_ref.config.model import Config
from mqtt_ref.config.problem import ConfigError


def test_a_variable_wins_over_the_file() -> None:
    tree: dict[str, Any] = {"options": {"capabilities": {"maximum_qos": 2, "retain_available": False}}}
    sources, problems = overlay(tree, {"MQTT_REF__OPTIONS__CAPABILITIES__MAXIMUM_QOS": "1", "OTHER": "x"})
    assert problems == []
    assert tree == {"options": {"capabilities": {"maximum_qos": 1, "retain_available": False}}}
    assert sources == {("options", "capabilities", "maximum_qos"): "$MQTT_REF__OPTIONS__CAPABILITIES__MAXIMUM_QOS"}


def test_lists_count_from_zero_and_grow_by_one() -> None:
    config = load(
        None,
        {
            "MQTT_REF__LISTENERS__0__ADDRESS": "127.0.0.1:0",
            "MQTT_REF__LISTENERS__3__TYPE": "unix",
            "MQTT_REF__LISTENERS__3__ADDRESS": "broker.sock",
        },
    ).config
    assert [listener.address for listener in config.listeners] == [
        "127.0.0.1:0",
        "127.0.0.1:1882",
        "127.0.0.1:8080",
        "broker.sock",
    ]


def test_a_list_may_have_more_than_ten_items() -> None:
    """Variables come in any order, and 10 is behind 9."""
    variables = {f"MQTT_REF__LISTENERS__{at}__ADDRESS": f":{2000 + at}" for at in range(3)}
    for at in range(12, 2, -1):
        variables[f"MQTT_REF__LISTENERS__{at}"] = f'{{type: tcp, address: ":{2000 + at}"}}'
    assert [one.address for one in load(None, variables).config.listeners] == [f":{2000 + at}" for at in range(13)]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MQTT_REF__HOOKS__AUTH", "{ledger: {users: {a: {password: s3cret"),
        ("MQTT_REF__HOOKS__AUTH", "{ledger: {users: {a: {password: [s3cret]}}}}"),
        ("MQTT_REF__HOOKS__AUTH", "{ledger: {users: {a: {password: 7635241}}}}"),
    ],
)
def test_what_is_wrong_with_a_secret_does_not_tell_it(name: str, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(None, {name: value})
    text = str(caught.value)
    assert name in text
    assert "must be " in text
    assert "s3cret" not in text
    assert "7635241" not in text


def test_names_of_users_keep_their_letters_and_text_stays_text() -> None:
    config = load(None, {"MQTT_REF__HOOKS__AUTH__LEDGER__USERS__Bob__PASSWORD": "1234"}).config
    assert config.hooks.auth is not None
    assert config.hooks.auth.ledger is not None
    assert config.hooks.auth.ledger.users["Bob"].password == "1234"


def test_a_whole_section_may_be_one_value() -> None:
    config = load(None, {"MQTT_REF__HOOKS__AUTH": "{allow_all: true}"}).config
    assert config.hooks.auth is not None
    assert config.hooks.auth.allow_all


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("MQTT_REF__OPTION__X", "1", "there is no OPTION here"),
        ("MQTT_REF__", "1", "there is no option without a name here; known are LISTENERS"),
        ("MQTT_REF__LISTENERS__9__ADDRESS", ":1", "9 is not an index in the list; use 0 to 3"),
        ("MQTT_REF__LISTENERS__X", "1", "X is not an index in the list"),
        ("MQTT_REF__LOGGING__LEVEL__MORE", "1", "LOGGING__LEVEL is one value, there is no MORE in it"),
        ("MQTT_REF__OPTIONS__CAPABILITIES__MAXIMUM_QOS", "3", "options.capabilities.maximum_qos: is 3"),
        ("MQTT_REF__LOGGING", "loud", "logging: must be a mapping, not text"),
    ],
)
def test_a_variable_that_is_wrong_is_named(name: str, value: str, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(None, {name: value})
    assert len(caught.value.problems) == 1
    assert str(caught.value.problems[0]).startswith(f"${name}: ")
    assert text in str(caught.value.problems[0])


def leaves(value: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    if isinstance(value, dict) and value:
        return [leaf for key, item in value.items() for leaf in leaves(item, (*path, key))]
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [leaf for at, item in enumerate(value) for leaf in leaves(item, (*path, str(at)))]
    return [(path, value)]


@pytest.mark.parametrize(
    ("path", "value"),
    leaves(msgspec.to_builtins(Config())),
    ids=lambda item: ".".join(item) if isinstance(item, tuple) else "",
)
def test_there_is_a_variable_for_every_option(path: tuple[str, ...], value: Any) -> None:
    name = "MQTT_REF__" + "__".join(path).upper()
    text = "null" if value is None else str(value) if not isinstance(value, bool) else str(value).lower()
    assert load(None, {name: text}).config == Config()

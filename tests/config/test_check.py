# SPDX-License-Identifier: MIT
"""What is wrong with a configuration is said for each value, in the words of who writes it."""

from __future__ import annotations

from typing import Any

import pytest

from mqtt_ref.config.check import check
from mqtt_ref.config.model import Config, TcpListener
from mqtt_ref.config.problem import spelled


def wrong(tree: Any) -> list[str]:
    """Everything that is reported, as lines."""
    found: list[str] = []
    config = check(tree, lambda path, text: found.append(f"{spelled(path)}: {text}"))
    assert (config is None) == bool(found)
    return found


def test_nothing_said_is_all_defaults() -> None:
    assert check({}, lambda path, text: pytest.fail(text)) == Config()


def test_values_arrive() -> None:
    tree = {
        "listeners": [{"type": "tcp", "address": ":0", "maximum_qos": 1, "protocol_versions": ["5.0"]}],
        "options": {"capabilities": {"maximum_qos": 1, "compatibilities": None}},
    }
    config = check(tree, lambda path, text: pytest.fail(text))
    assert config is not None
    assert config.listeners == [TcpListener(address=":0", maximum_qos=1, protocol_versions=["5.0"])]
    assert config.options.capabilities.maximum_qos == 1


@pytest.mark.parametrize(
    ("tree", "line"),
    [
        ([], ": must be a mapping, not a list"),
        ({"lisners": []}, "lisners: is not known here; did you mean listeners?"),
        ({"listeners": {}}, "listeners: must be a list, not a mapping"),
        ({"listeners": [1]}, "listeners[0]: must be a mapping, not 1"),
        ({"listeners": [{}]}, "listeners[0]: has no type; it must be one of tcp, ws, unix, net, sysinfo, healthcheck"),
        (
            {"listeners": [{"type": "tpc"}]},
            (
                "listeners[0].type: is 'tpc'; it must be one of tcp, ws, unix, net, sysinfo, healthcheck; "
                "did you mean tcp?"
            ),
        ),
        ({"listeners": [{"type": "unix"}]}, "listeners[0]: lacks address"),
        ({"listeners": [{"type": "tcp", "mode": "600"}]}, "listeners[0].mode: is not known here"),
        ({"listeners": [{"type": "tcp", "tls": {}}]}, "listeners[0].tls: lacks certificate"),
        (
            {"listeners": [{"type": "tcp", "address": 1883}]},
            "listeners[0].address: must be text, not 1883; put it in quotes",
        ),
        ({"options": {"inline_client": "yes"}}, "options.inline_client: must be true or false, not 'yes'"),
        (
            {"options": {"capabilities": {"maximum_qos": 3}}},
            "options.capabilities.maximum_qos: is 3; it must be <= 2",
        ),
        (
            {"options": {"capabilities": {"maximum_qos": True}}},
            "options.capabilities.maximum_qos: must be a whole number, not true",
        ),
        ({"options": {"hook_timeout": 0}}, "options.hook_timeout: is 0; it must be > 0.0"),
        ({"logging": {"level": "LOUD"}}, "logging.level: is 'LOUD'; it must be one of DEBUG, INFO, WARNING, ERROR"),
        (
            {"hooks": {"auth": {"ledger": {"acl": [{"filters": {"a/#": 7}}]}}}},
            "hooks.auth.ledger.acl[0].filters.a/#: is 7; it must be one of deny, read, write, readwrite, 0, 1, 2, 3",
        ),
        ({"hooks": {"custom": [{"hook": "no colon"}]}}, None),
    ],
)
def test_what_is_wrong_is_said(tree: Any, line: str | None) -> None:
    found = wrong(tree)
    assert len(found) == 1
    if line is not None:
        assert found == [line]


def test_everything_that_is_wrong_is_said() -> None:
    found = wrong({"a": 1, "options": {"b": 1, "inline_client": 1}, "logging": {"format": "xml"}})
    assert [line.split(":")[0] for line in found] == ["a", "options.b", "options.inline_client", "logging.format"]

# SPDX-License-Identifier: MIT
"""A file with the environment on top, as a whole or not at all; and shown without its secrets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mqtt_ref.config.load import effective, load, schema
from mqtt_ref.config.model import Config
from mqtt_ref.config.problem import ConfigError

DOCUMENT = Path(__file__).parents[2] / "docs" / "config.schema.json"


def test_problems_of_file_and_environment_come_together(tmp_path: Path) -> None:
    file = tmp_path / "broker.yaml"
    file.write_text("options:\n  capabilities:\n    maximum_qos: 5\n")
    with pytest.raises(ConfigError) as caught:
        load(file, {"MQTT_REF__LOGGING__LEVEL": "LOUD"})
    found = [str(problem) for problem in caught.value.problems]
    assert found[0] == f"{file}:3:5: options.capabilities.maximum_qos: is 5; it must be <= 2"
    assert found[1].startswith("$MQTT_REF__LOGGING__LEVEL: logging.level: is 'LOUD'")


def test_a_file_that_is_a_list_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "broker.yaml"
    file.write_text("- 1\n")
    with pytest.raises(ConfigError, match="must be a mapping of sections"):
        load(file, {})


def test_what_is_shown_reads_back_and_keeps_secrets(tmp_path: Path) -> None:
    shown = effective(Config())
    file = tmp_path / "shown.yaml"
    file.write_text(shown)
    assert load(file, {}).config == Config()
    config = load(
        None,
        {
            "MQTT_REF__HOOKS__AUTH__LEDGER__USERS__bob__PASSWORD": "hush",
            "MQTT_REF__HOOKS__AUTH__SCRAM": "{bob: hush}",
            "MQTT_REF__LISTENERS__2__TOKEN": "hush",
        },
    ).config
    assert "hush" not in effective(config)
    assert effective(config).count("********") == 3


def test_the_schema_for_editors_is_the_one_in_the_docs() -> None:
    """`mqtt-ref check-config --schema > docs/config.schema.json` writes it."""
    assert unordered(json.loads(DOCUMENT.read_text())) == unordered(schema())


def unordered(part: Any) -> Any:
    """The same schema with each `anyOf` sorted: older versions of msgspec have another order."""
    if isinstance(part, dict):
        same = {key: unordered(value) for key, value in part.items()}
        if "anyOf" in same:
            same["anyOf"] = sorted(same["anyOf"], key=json.dumps)
        return same
    return [unordered(one) for one in part] if isinstance(part, list) else part


def test_everything_in_the_schema_says_what_it_is() -> None:
    for name, section in schema()["$defs"].items():
        assert section.get("description"), name
        for key, field in section["properties"].items():
            assert key == "type" or field.get("description") or "$ref" in field or "anyOf" in field, f"{name}.{key}"

# SPDX-License-Identifier: MIT
"""Loads a checked configuration from a file and the environment, and shows it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from mqtt_ref.config.check import check
from mqtt_ref.config.environment import PREFIX, overlay
from mqtt_ref.config.model import SECRETS, Config
from mqtt_ref.config.problem import ConfigError, KeyPath, Problem
from mqtt_ref.config.source import Source, read

__all__ = ["Loaded", "effective", "load", "schema"]

MASK: Final = "********"


class Loaded:
    """A configuration, and the source of each of its values."""

    def __init__(self, config: Config, source: Source, variables: Mapping[KeyPath, str]) -> None:
        self.config = config
        self.given = bool(source.name or variables)
        """True if there was a file or a variable."""
        self._source = source
        self._variables = variables

    def problem(self, path: KeyPath, text: str) -> Problem:
        """Make a problem of the value at `path`, with the place that it comes from."""
        return _placed(self._source, self._variables, path, text)


def load(path: Path | None, environment: Mapping[str, str]) -> Loaded:
    """Read the file `path`, if given, and apply the environment variables to it.

    Raises:
        ConfigError: the configuration is invalid; it has every problem, with file and line or the variable.
    """
    source = Source("", {}, {}) if path is None else read(path)
    tree = source.tree
    if not isinstance(tree, dict):
        line, column = source.place(())
        raise ConfigError([Problem(source.name, line, column, (), "must be a mapping of sections")])
    if tree.get("listeners") is None and any(name.startswith(f"{PREFIX}LISTENERS") for name in environment):
        tree["listeners"] = msgspec.to_builtins(Config().listeners)
    variables, problems = overlay(tree, environment)

    def report(where: KeyPath, text: str) -> None:
        problems.append(_placed(source, variables, where, text))

    config = check(tree, report)
    if problems or config is None:
        raise ConfigError(problems)
    return Loaded(config, source, variables)


def _placed(source: Source, variables: Mapping[KeyPath, str], path: KeyPath, text: str) -> Problem:
    for length in range(len(path), -1, -1):
        variable = variables.get(path[:length])
        if variable is not None:
            return Problem(variable, 0, 0, path, text)
    line, column = source.place(path)
    return Problem(source.name or "the environment", line, column, path, text)


def effective(config: Config) -> str:
    """Return the whole configuration as YAML, including defaults. Secrets are masked."""
    values = _masked(msgspec.to_builtins(config), "")
    text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=120)
    if text.replace("\n", "").isprintable():
        return text
    # A value could act on the terminal: escape all that is not ASCII.
    return yaml.safe_dump(values, sort_keys=False, width=120)


def _masked(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        if name == "scram":
            return dict.fromkeys(value, MASK)
        return {key: _masked(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [_masked(item, "") for item in value]
    return MASK if name in SECRETS and value else value


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a configuration, for editors."""
    found = msgspec.json.schema(Config)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "mqtt-ref configuration", **found}

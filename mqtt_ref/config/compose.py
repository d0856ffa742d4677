# SPDX-License-Identifier: MIT
"""Builds the parts of a server from a checked configuration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from mqtt_ref.config.hooks import authentication, own_hooks
from mqtt_ref.config.listeners import listeners
from mqtt_ref.config.options import broker_options
from mqtt_ref.config.problem import ConfigError, KeyPath, Problem

if TYPE_CHECKING:
    from mqtt_ref.config.load import Loaded
    from mqtt_ref.engine.options import Options
    from mqtt_ref.hooks import Hook
    from mqtt_ref.net.listener import Listener

__all__ = ["Composition", "compose"]


class Composition(NamedTuple):
    """The parts of a `Server`."""

    options: Options
    listeners: Sequence[Listener]
    own_hooks: Sequence[Hook]
    authentication: Sequence[Hook]
    """Access hooks, which are asked after the others."""


def compose(loaded: Loaded) -> Composition:
    """Build the parts. Nothing is opened or started.

    Raises:
        ConfigError: the configuration cannot be used; it has every problem.
    """
    problems: list[Problem] = []

    def report(path: KeyPath, text: str) -> None:
        problems.append(loaded.problem(path, text))

    config = loaded.config
    made = Composition(
        broker_options(config, report),
        listeners(config, report),
        own_hooks(config, report),
        authentication(config, report),
    )
    if problems:
        raise ConfigError(problems)
    return made

# SPDX-License-Identifier: MIT
"""A checked configuration as the parts of a server."""

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
    """What `Server` is made of."""

    options: Options
    listeners: Sequence[Listener]
    own_hooks: Sequence[Hook]
    authentication: Sequence[Hook]
    """Hooks that decide who may do what; asked after the others."""


def compose(loaded: Loaded) -> Composition:
    """Make the parts; nothing is opened or started.

    Raises:
        ConfigError: with everything that cannot be.
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

# SPDX-License-Identifier: MIT
"""Reloads the configuration while the server runs: rules, users and certificates change, connections stay open."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from mqtt_ref.config.hooks import authentication
from mqtt_ref.config.load import Loaded, load
from mqtt_ref.config.options import broker_options
from mqtt_ref.config.problem import ConfigError, KeyPath, Problem, spelled
from mqtt_ref.net.listener import ListenerError

if TYPE_CHECKING:
    from mqtt_ref.config.compose import Composition
    from mqtt_ref.server import Server

__all__ = ["Reloader"]

LOG = logging.getLogger("mqtt_ref.config")


class Reloader:
    """Reads the same file and environment again when it is called.

    Changes of `hooks.auth` and `logging.level` apply at once, and certificates are read again. Other changes need a
    restart, and the log names them. If anything is wrong, nothing changes.
    """

    def __init__(
        self, server: Server, path: Path | None, environment: Mapping[str, str], loaded: Loaded, parts: Composition
    ) -> None:
        self._server = server
        self._path = path
        self._environment = environment
        self._loaded = loaded
        self._authentication = list(parts.authentication)

    def __call__(self) -> None:
        """Reload the configuration.

        Raises:
            ConfigError: the configuration is invalid; the old rules and certificates stay in use.
        """
        loaded = load(self._path, self._environment)
        problems: list[Problem] = []

        def report(path: KeyPath, text: str) -> None:
            problems.append(loaded.problem(path, text))

        broker_options(loaded.config, report)
        hooks = authentication(loaded.config, report)
        renewals: list[Callable[[], None]] = []
        for place, listener in enumerate(self._server.listeners):
            try:
                renewals.append(listener.renewal())
            except ListenerError as error:
                report(("listeners", place, "tls"), str(error))
        if problems:
            raise ConfigError(problems)
        for take in renewals:
            take()
        self._server.hooks.replace(self._authentication, hooks)
        self._authentication = hooks
        if loaded.config.logging.level != self._loaded.config.logging.level:
            logging.getLogger("mqtt_ref").setLevel(loaded.config.logging.level)
        later = [
            spelled(path)
            for path in _changed(msgspec.to_builtins(self._loaded.config), msgspec.to_builtins(loaded.config), ())
            if path[:2] != ("hooks", "auth") and path != ("logging", "level")
        ]
        if later:
            LOG.warning("read the configuration again; only a restart will change %s", ", ".join(later))
        else:
            LOG.info("read the configuration again")
        self._loaded = loaded


def _changed(old: Any, new: Any, path: KeyPath) -> list[KeyPath]:
    """Return the key paths of all differences."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [*old, *(key for key in new if key not in old)]
        return [found for key in keys for found in _changed(old.get(key), new.get(key), (*path, key))]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [found for at, pair in enumerate(zip(old, new, strict=True)) for found in _changed(*pair, (*path, at))]
    return [] if old == new else [path]

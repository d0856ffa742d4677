# SPDX-License-Identifier: MIT
"""Problems of a configuration: where they are, and what would be right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mqtt_ref.wire.printable import printable

__all__ = ["ConfigError", "KeyPath", "Problem", "spelled"]

KeyPath = tuple[str | int, ...]
"""The keys and list positions that lead to a value."""


def spelled(path: KeyPath) -> str:
    """Write a key path as text: `options.capabilities.maximum_qos`, `listeners[0].address`."""
    text = ""
    for key in path:
        if isinstance(key, int):
            text += f"[{key}]"
        else:
            text += f".{key}" if text else key
    return text


class Problem(NamedTuple):
    """One problem. `line` and `column` count from 1; they are 0 if there is none, as in a variable."""

    source: str
    line: int
    column: int
    path: KeyPath
    text: str

    def __str__(self) -> str:
        where = self.source
        if self.line:
            where += f":{self.line}:{self.column}"
        path = spelled(self.path)
        return printable(f"{where}: {path}: {self.text}" if path else f"{where}: {self.text}")


class ConfigError(ValueError):
    """An invalid configuration, no part of which is used; `problems` has everything that is wrong with it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = list(problems)

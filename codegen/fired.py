# SPDX-License-Identifier: MIT
"""Checks that the broker fires every declared hook event, with the declared number of arguments.

The broker is read as source, not run. `tests/hooks/test_every_event.py` tests that the events are really fired.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from codegen.events import HOOK, Declared, declared

__all__ = ["not_fired"]

FOLDERS = ("mqtt_ref/engine", "mqtt_ref/broker", "mqtt_ref/hooks")
DISPATCH = "mqtt_ref/hooks/dispatch.py"
"""Fires the events that the server waits for, by their names: start, stop, loading of stored data."""

Place = tuple[str, int]


def not_fired(root: Path) -> list[str]:
    """Return one line for each event that is never fired, or fired with a wrong number of arguments."""
    calls: dict[str, list[tuple[Place, int]]] = defaultdict(list)
    named: set[str] = set()
    for folder in FOLDERS:
        for file in sorted((root / folder).glob("*.py")):
            path = file.relative_to(root).as_posix()
            if path != HOOK:
                _read(ast.parse(file.read_text(encoding="utf-8")), path, calls, named)
    out: list[str] = []
    for event in declared((root / HOOK).read_text(encoding="utf-8")):
        if event.of_engine:
            out += _of_engine(event, calls[event.name])
        elif event.name not in calls and event.name not in named:
            out.append(f"{HOOK}:{event.line}: event {event.name}: nothing in {' or '.join(FOLDERS)} asks its handlers")
    return out


def _of_engine(event: Declared, calls: list[tuple[Place, int]]) -> Iterator[str]:
    if not calls:
        given = ["connection" if kind.split(" | ")[0] == "Client" else name for name, kind in event.arguments.items()]
        slot = f"broker.{'watch' if event.kind == 'notify' else 'intercept'}.{event.name}"
        yield (
            f"{HOOK}:{event.line}: event {event.name}: nothing in {' or '.join(FOLDERS)} fires it; "
            f"where it happens, write `if {slot} is not None: {slot}({', '.join(given)})`"
        )
    for (path, line), given_count in calls:
        if given_count != len(event.arguments):
            yield (
                f"{path}:{line}: event {event.name} is fired with {given_count} arguments; "
                f"{HOOK}:{event.line} declares {len(event.arguments)}: {', '.join(event.arguments)}"
            )


def _read(tree: ast.Module, path: str, calls: dict[str, list[tuple[Place, int]]], named: set[str]) -> None:
    """Collect the calls of attributes, and the event names that are used to look up handlers."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute):
                calls[node.func.attr].append(((path, node.lineno), len(node.args)))
            if path == DISPATCH:
                named |= {one.value for one in node.args if isinstance(one, ast.Constant) and type(one.value) is str}
        elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            if isinstance(node.value, ast.Name) and node.value.id == "chains" and type(node.slice.value) is str:
                named.add(node.slice.value)

# SPDX-License-Identifier: MIT
"""Every change of one row: a wrong action, a wrong next state, a wrong reaction."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from mqtt_ref.engine.tables import MACHINES, TABLES, Tables, changed
from mqtt_ref.wire.reactions import REACTIONS, Reaction

__all__ = ["Change", "changes"]


@dataclass(frozen=True)
class Change:
    """One row changed. `row` is the key under which a run notes that it was looked up."""

    name: str
    row: tuple[str, int]
    make: Callable[[], Tables]


def changes() -> Iterator[Change]:
    """All of them, in a stable order."""
    for machine in MACHINES:
        yield from _transitions(machine)
    for number, row in enumerate(REACTIONS):
        if row.receiver == "server":
            yield from _reactions(number, row)


def _transitions(machine: str) -> Iterator[Change]:
    """For each row: one action that the machine has elsewhere, and one state that is not the next."""
    module: Any = importlib.import_module(f"mqtt_ref.engine.generated.{machine}")
    for at, action in enumerate(module.ACTION):
        state, name = module.STATES[at // module.WIDTH], module.INPUTS[at % module.WIDTH]
        if not action or not name or at in module.IMPOSSIBLE:
            continue
        place = f"{machine}: {state} x {name}"
        word = module.ACTIONS[_other(module, at, action)]
        yield Change(f"{place}: does {word}", (machine, at), _row(machine, state, name, action=word))
        after = module.STATES[(module.NEXT[at] + 1) % len(module.STATES)]
        if after != module.STATES[module.NEXT[at]]:
            yield Change(f"{place}: goes to {after}", (machine, at), _row(machine, state, name, next=after))


def _other(module: Any, at: int, action: int) -> int:
    """An action that the same input has in another state, else the next one of the machine."""
    width = module.WIDTH
    same = {module.ACTION[s * width + at % width] for s in range(len(module.STATES))} - {action, 0}
    return min(same) if same else 1 + action % (len(module.ACTIONS) - 1)


def _row(
    machine: str,
    state: str,
    name: str,
    *,
    action: str | None = None,
    next: str | None = None,  # noqa: A002
) -> Callable[[], Tables]:
    return lambda: changed(TABLES, machine, state, name, action=action, next=next)


def _reactions(number: int, row: Reaction) -> Iterator[Change]:
    """One row of the reaction table that does something else."""
    action = {"close": "ignore", "connack": "close", "disconnect": "close", "ignore": "close"}[row.action]
    rows = list(REACTIONS)
    rows[number] = row._replace(action=action)
    place = f"reaction {number + 1} ({row.rule}, {row.state}, {'/'.join(map(str, row.versions))})"
    yield Change(f"{place}: does {action}", ("reaction", number), lambda: changed(TABLES, reaction_rows=rows))

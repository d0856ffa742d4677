# SPDX-License-Identifier: MIT
"""Every change of one row: a wrong action, a wrong next state, a wrong reaction."""

from __future__ import annotations

import importlib
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mqtt_ref.engine.tables import MACHINES, TABLES, Tables, changed
from mqtt_ref.wire.reactions import REACTIONS, Reaction

__all__ = ["Change", "changes"]

SPEC = Path(__file__).parents[2] / "spec" / "machines"


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
    """For each row one wrong action; and one state that is not the next, unless the row is a breach, which has none."""
    module: Any = importlib.import_module(f"mqtt_ref.engine.generated.{machine}")
    silent = _silent(machine, module)
    for at, action in enumerate(module.ACTION):
        state, name = module.STATES[at // module.WIDTH], module.INPUTS[at % module.WIDTH]
        if not name or at in module.IMPOSSIBLE:
            continue
        place = f"{machine}: {state} x {name}"
        word = module.ACTIONS[_other(module, at, silent)]
        yield Change(f"{place}: does {word}", (machine, at), _row(machine, state, name, action=word))
        after = module.STATES[(module.NEXT[at] + 1) % len(module.STATES)]
        if action and after != module.STATES[module.NEXT[at]]:
            yield Change(f"{place}: goes to {after}", (machine, at), _row(machine, state, name, next=after))


def _silent(machine: str, module: Any) -> frozenset[int]:
    """The actions that do nothing, all in the same way."""
    rows = tomllib.loads((SPEC / f"{machine}.toml").read_text())["action"]
    return frozenset(module.ACTIONS.index(row["name"]) for row in rows if row.get("nothing"))


def _other(module: Any, at: int, silent: frozenset[int]) -> int:
    """A wrong action: one that the machine could mistake for the right one, and that does not do the same.

    That is one of the same input in another state; else one of an input that shares an action with it; else one of the
    same state; else the next one of the machine.
    """
    width, action = module.WIDTH, module.ACTION[at]
    same = silent if action in silent else frozenset({action})
    places = [place for place in range(len(module.ACTION)) if module.ACTION[place] and place not in module.IMPOSSIBLE]

    def of_input(number: int) -> set[int]:
        return {module.ACTION[place] for place in places if place % width == number}

    own = of_input(at % width)
    candidates = [own]
    for one in sorted(own):
        candidates += [set[int]().union(*[of_input(place % width) for place in places if module.ACTION[place] == one])]
    candidates += [{module.ACTION[place] for place in places if place // width == at // width}]
    candidates += [{1 + (action + more) % (len(module.ACTIONS) - 1)} for more in range(len(module.ACTIONS))]
    return next(min(found - same) for found in candidates if found - same)


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
    action = "ignore" if row.action == "close" else "close"
    rows = list(REACTIONS)
    rows[number] = row._replace(action=action)
    place = f"reaction: {row.rule} x {row.state} x {'/'.join(map(str, row.versions))}"
    yield Change(f"{place}: does {action}", ("reaction", number), lambda: changed(TABLES, reaction_rows=rows))

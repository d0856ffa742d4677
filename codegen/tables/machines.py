# SPDX-License-Identifier: MIT
"""`machines/*.toml`: the state machines, as what every state does with every input."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from codegen.tables.reader import Reader, SpecError, TableFile

__all__ = ["Machine", "Pair", "load_machines"]

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Pair:
    """What one state does with one input: an action and the next state, a breach, or nothing that can happen."""

    effect: str
    next: str
    cites: tuple[str, ...]
    reason: str
    why: str


@dataclass(frozen=True)
class Machine:
    """One state machine: its names with their meanings, and what every state does with every input."""

    name: str
    title: str
    file: str
    states: dict[str, str]
    inputs: dict[str, tuple[int, str]]
    actions: dict[str, str]
    silent: frozenset[str]
    """Actions that do nothing: only the next state counts."""
    pairs: dict[tuple[str, str], Pair]
    otherwise: Pair

    @property
    def width(self) -> int:
        """Numbers that an input can have."""
        return 1 + max(number for number, _ in self.inputs.values())

    def pair(self, state: str, number: int) -> Pair:
        """What `state` does with the input of that number; numbers that no input has are breaches."""
        for name, (at, _) in self.inputs.items():
            if at == number:
                return self.pairs.get((state, name), self.otherwise)
        return self.otherwise


def load_machines(root: Path = ROOT, known: Set[str] | None = None) -> list[Machine]:
    """The machines of `spec/machines/`; `known` are the statements that may be cited.

    Raises:
        SpecError: a row is not right; it names file, row and column.
    """
    folder = root / "spec" / "machines"
    return [_machine(path, known) for path in sorted(folder.glob("*.toml"))]


def _machine(path: Path, known: Set[str] | None) -> Machine:
    file = TableFile(path, f"machines/{path.name}")
    name = file.name("machine")
    if name != path.stem:
        raise file.error("machine", f"{name!r} in a file named {path.name}")
    states = {r.name(): r.take("meaning", str) for r in file.rows("state")}
    if file.take("start", str) != next(iter(states), ""):
        raise file.error("start", "the first state is where it starts")
    rest = file.table("otherwise")
    actions: dict[str, str] = {}
    silent: set[str] = set()
    for r in file.rows("action"):
        action = r.name()
        actions[action] = r.take("meaning", str)
        if r.take("nothing", bool, False):
            silent.add(action)
    machine = Machine(
        name=name,
        title=file.take("title", str),
        file=file.file,
        states=states,
        inputs=_inputs(file),
        actions=actions,
        silent=frozenset(silent),
        pairs={},
        otherwise=Pair("", "", rest.cited("cites", known), rest.take("reason", str), ""),
    )
    for r in file.rows("row"):
        _put(machine, r, _pair(machine, r, known))
    for r in file.rows("impossible"):
        _put(machine, r, Pair("", "", (), "", r.take("why", str)))
    file.done()
    used = {pair.effect for pair in machine.pairs.values()}
    for action, meaning in machine.actions.items():
        if action not in used and "no row of the standard" not in meaning:
            raise SpecError(file.file, f"action {action}", "name", "no row has this effect")
    return machine


def _inputs(file: TableFile) -> dict[str, tuple[int, str]]:
    inputs: dict[str, tuple[int, str]] = {}
    for r in file.rows("input"):
        at = r.take("number", int)
        if any(at == other for other, _ in inputs.values()):
            raise r.error("number", f"{at} is taken")
        inputs[r.name()] = (at, r.take("meaning", str))
    return inputs


def _pair(machine: Machine, r: Reader, known: Set[str] | None) -> Pair:
    """A breach, or an action and the state after it."""
    if "breach" in r.data:
        return Pair("", "", r.cited("breach", known), r.take("reason", str), "")
    effect, after = r.take("effect", str), r.take("next", str)
    if effect not in machine.actions:
        raise r.error("effect", f"{effect!r} is not declared")
    if after not in machine.states:
        raise r.error("next", f"{after!r} is not declared")
    return Pair(effect, after, r.cited("cites", known), "", "")


def _put(machine: Machine, r: Reader, pair: Pair) -> None:
    """Enter the pair for every state and input that the row names."""
    state_names, input_names = _names(r, "state", machine.states), _names(r, "input", machine.inputs)
    for state, one in itertools.product(state_names, input_names):
        if (state, one) in machine.pairs:
            raise r.error("input", f"{state} x {one} has a row already")
        machine.pairs[state, one] = replace(pair, next=pair.next or state)


def _names(r: Reader, column: str, known: Mapping[str, Any]) -> list[str]:
    """One name or a list of them, each declared above."""
    names = [r.data.pop(column)] if isinstance(r.data.get(column), str) else r.take(column, list)
    for name in names:
        if name not in known:
            raise r.error(column, f"{name!r} is not declared")
    return names

# SPDX-License-Identifier: MIT
"""Reads `machines/*.toml`: the state machines, by state and input."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from codegen.tables.reader import Reader, SpecError, TableFile

__all__ = ["Machine", "Pair", "load_machines"]

LAST_PACKET = 15
"""The highest packet type. Inputs of the connection machine with a higher number are no packets."""

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Pair:
    """The result of one input in one state: an action and the next state, a breach, or `why` it cannot happen."""

    effect: str
    next: str
    cites: tuple[str, ...]
    reason: str
    why: str


@dataclass(frozen=True)
class Machine:
    """One state machine: its names with their meanings, and the result of every input in every state."""

    name: str
    title: str
    file: str
    states: dict[str, str]
    inputs: dict[str, tuple[int, str]]
    actions: dict[str, str]
    silent: frozenset[str]
    """Actions that do nothing: only the next state matters."""
    pairs: dict[tuple[str, str], Pair]
    otherwise: Pair

    @property
    def width(self) -> int:
        """The number of input numbers: the largest one plus 1."""
        return 1 + max(number for number, _ in self.inputs.values())

    def pair(self, state: str, number: int) -> Pair:
        """Return the result of an input in `state`. A number without an input is a breach."""
        for name, (at, _) in self.inputs.items():
            if at == number:
                return self.pairs.get((state, name), self.otherwise)
        return self.otherwise


def load_machines(root: Path = ROOT, known: Set[str] | None = None) -> list[Machine]:
    """Read the machines of `spec/machines/`. `known` are the statements that may be cited; None allows any.

    Raises:
        SpecError: a row is wrong. The text names the file, row and column.
    """
    folder = root / "spec" / "machines"
    return [_machine(path, known) for path in sorted(folder.glob("*.toml"))]


def _machine(path: Path, known: Set[str] | None) -> Machine:
    file = TableFile(path, f"machines/{path.name}")
    name = file.name("machine")
    if name != path.stem:
        raise file.error("machine", f"{name!r} must be {path.stem!r}, the name of the file")
    states = {r.name(): r.take("meaning", str) for r in file.rows("state")}
    if file.take("start", str) != next(iter(states), ""):
        raise file.error("start", "must be the first state")
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
    _complete(machine)
    used = {pair.effect for pair in machine.pairs.values()}
    for action, meaning in machine.actions.items():
        if action not in used and "no row of the standard" not in meaning:
            raise SpecError(file.file, f"action {action}", "name", "no row has this effect; remove it or add a row")
    return machine


def _complete(machine: Machine) -> None:
    """Refuse a pair of the connection machine that no row names, unless its input is a packet: it breaks no rule."""
    if machine.name != "connection":
        return
    for (name, (number, _)), state in itertools.product(machine.inputs.items(), machine.states):
        if number > LAST_PACKET and (state, name) not in machine.pairs:
            text = f"no row has it in state {state}; add a row, or an impossible one"
            raise SpecError(machine.file, f"input {name}", "name", text)


def _inputs(file: TableFile) -> dict[str, tuple[int, str]]:
    inputs: dict[str, tuple[int, str]] = {}
    for r in file.rows("input"):
        at = r.take("number", int)
        if any(at == other for other, _ in inputs.values()):
            raise r.error("number", f"{at} is the number of another input")
        inputs[r.name()] = (at, r.take("meaning", str))
    return inputs


def _pair(machine: Machine, r: Reader, known: Set[str] | None) -> Pair:
    """Read the result of a row: a breach, or an action and the next state."""
    if "breach" in r.data:
        return Pair("", "", r.cited("breach", known), r.take("reason", str), "")
    effect, after = r.take("effect", str), r.take("next", str)
    if effect not in machine.actions:
        raise r.error("effect", f"{effect!r} is not declared")
    if after not in machine.states:
        raise r.error("next", f"{after!r} is not declared")
    return Pair(effect, after, r.cited("cites", known), "", "")


def _put(machine: Machine, r: Reader, pair: Pair) -> None:
    """Add the result for every state and input that the row names."""
    state_names, input_names = _names(r, "state", machine.states), _names(r, "input", machine.inputs)
    for state, one in itertools.product(state_names, input_names):
        if (state, one) in machine.pairs:
            raise r.error("input", f"{state} x {one} has a row already")
        machine.pairs[state, one] = replace(pair, next=pair.next or state)


def _names(r: Reader, column: str, known: Mapping[str, Any]) -> list[str]:
    """Read one name or a list of names, which must all be declared."""
    names = [r.data.pop(column)] if isinstance(r.data.get(column), str) else r.take(column, list)
    for name in names:
        if name not in known:
            raise r.error(column, f"{name!r} is not declared")
    return names

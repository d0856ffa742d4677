# SPDX-License-Identifier: MIT
"""`machines/*.toml`: the state machines, as what every state does with every input."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codegen.tables.reader import Reader, SpecError, read_toml

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
    return [_machine(path, f"machines/{path.name}", known) for path in sorted(folder.glob("*.toml"))]


def _machine(path: Path, file: str, known: Set[str] | None) -> Machine:
    top = Reader(file, "-", read_toml(path, file))
    name = top.name("machine")
    if name != path.stem:
        raise top.error("machine", f"{name!r} in a file named {path.name}")
    title = top.take("title", str)
    start = top.take("start", str)
    rest = Reader(file, "otherwise", top.take("otherwise", dict))
    otherwise = Pair("", "", rest.citations("cites", known), rest.take("reason", str), "")
    rest.done()
    states: dict[str, str] = {}
    inputs: dict[str, tuple[int, str]] = {}
    actions: dict[str, str] = {}
    for number, row in enumerate(top.take("state", list)):
        r = Reader(file, f"state {number}", row)
        states[r.name()] = r.take("meaning", str)
        r.done()
    for number, row in enumerate(top.take("input", list)):
        r = Reader(file, f"input {number}", row)
        at = r.take("number", int)
        if any(at == other for other, _ in inputs.values()):
            raise r.error("number", f"{at} is taken")
        inputs[r.name()] = (at, r.take("meaning", str))
        r.done()
    for number, row in enumerate(top.take("action", list)):
        r = Reader(file, f"action {number}", row)
        actions[r.name()] = r.take("meaning", str)
        r.done()
    if start != next(iter(states)):
        raise top.error("start", "the first state is where it starts")
    pairs: dict[tuple[str, str], Pair] = {}
    used: set[str] = set()

    def put(r: Reader, pair: Pair) -> None:
        for state in _names(r, "state", states):
            for one in _names(Reader(file, r.row, r.data | {"input": many}), "input", inputs):
                if (state, one) in pairs:
                    raise r.error("input", f"{state} x {one} has a row already")
                pairs[state, one] = Pair(pair.effect, pair.next or state, pair.cites, pair.reason, pair.why)

    for number, row in enumerate(top.take("row", list)):
        r = Reader(file, f"row {number}", row)
        many = r.take("input", list)
        if "breach" in r.data:
            put(r, Pair("", "", r.citations("breach", known), r.take("reason", str), ""))
        else:
            effect = r.take("effect", str)
            if effect not in actions:
                raise r.error("effect", f"{effect!r} is not declared")
            used.add(effect)
            after = r.take("next", str)
            if after not in states:
                raise r.error("next", f"{after!r} is not declared")
            put(r, Pair(effect, after, r.citations("cites", known), "", ""))
        r.done()
    for number, row in enumerate(top.take("impossible", list, [])):
        r = Reader(file, f"impossible {number}", row)
        many = r.take("input", list)
        put(r, Pair("", "", (), "", r.take("why", str)))
        r.done()
    for action, meaning in actions.items():
        if action not in used and "no row of the standard" not in meaning:
            raise SpecError(file, f"action {action}", "name", "no row has this effect")
    top.done()
    return Machine(name, title, file, states, inputs, actions, pairs, otherwise)


def _names(reader: Reader, column: str, known: Mapping[str, Any]) -> list[str]:
    """One name or a list of them, each declared above."""
    value = reader.take(column, (str, list))  # type: ignore[arg-type]
    names: list[str] = [value] if isinstance(value, str) else value
    for name in names:
        if name not in known:
            raise reader.error(column, f"{name!r} is not declared")
    return names

# SPDX-License-Identifier: MIT
"""Writes the state machines and decisions of `spec/` as flat integer tables for the engine, diagrams for the docs."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codegen.load import Reader, SpecError

if TYPE_CHECKING:
    from codegen.model import Spec

__all__ = ["Choice", "Limit", "Machine", "Pair", "emit", "load_decisions", "load_machines"]

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "mqtt_ref/engine/generated"
MARK = '''# SPDX-License-Identifier: MIT
# Written by `python -m codegen` from `spec/{source}`. Change that, then run it again.
"""{doc}"""
'''
NAME = re.compile(r"[a-z][a-z0-9_]*")
ID = re.compile(r"(MQTT5|MQTT311|X5|X311|X31)-[A-Za-z0-9][A-Za-z0-9._-]*")


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


@dataclass(frozen=True)
class Choice:
    """One decision: the option's name and its values, the first being the default."""

    name: str
    values: tuple[str, ...]
    point: int
    cites: tuple[str, ...]
    meaning: str


@dataclass(frozen=True)
class Limit:
    """One number of the standards that the engine reads as data."""

    name: str
    value: int
    cites: tuple[str, ...]
    meaning: str


def _toml(path: Path, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise SpecError(name, "-", "-", str(error)) from None


def _ids(reader: Reader, column: str, known: frozenset[str] | None) -> tuple[str, ...]:
    """Statement ids, which have to be in the registry where there is one at hand."""
    ids = reader.take(column, list)
    for one in ids:
        if not isinstance(one, str) or not ID.fullmatch(one):
            raise reader.error(column, f"{one!r} is not the id of a statement")
        if known is not None and one not in known:
            raise reader.error(column, f"{one} is not a statement in spec/")
    if not ids:
        raise reader.error(column, "cites nothing")
    return tuple(ids)


def _name(reader: Reader, column: str = "name") -> str:
    name: str = reader.take(column, str)
    if not NAME.fullmatch(name):
        raise reader.error(column, f"{name!r} is not a name in lower case")
    return name


def _names(reader: Reader, column: str, known: Mapping[str, Any]) -> list[str]:
    """One name or a list of them, each declared above."""
    value = reader.take(column, (str, list))  # type: ignore[arg-type]
    names: list[str] = [value] if isinstance(value, str) else value
    for name in names:
        if name not in known:
            raise reader.error(column, f"{name!r} is not declared")
    return names


def load_machines(root: Path = ROOT, known: frozenset[str] | None = None) -> list[Machine]:
    """The machines of `spec/machines/`; `known` are the statements that may be cited.

    Raises:
        SpecError: a row is not right; it names file, row and column.
    """
    folder = root / "spec" / "machines"
    return [_machine(path, f"machines/{path.name}", known) for path in sorted(folder.glob("*.toml"))]


def _machine(path: Path, file: str, known: frozenset[str] | None) -> Machine:
    top = Reader(file, "-", _toml(path, file))
    name = _name(top, "machine")
    if name != path.stem:
        raise top.error("machine", f"{name!r} in a file named {path.name}")
    title = top.take("title", str)
    start = top.take("start", str)
    rest = Reader(file, "otherwise", top.take("otherwise", dict))
    otherwise = Pair("", "", _ids(rest, "cites", known), rest.take("reason", str), "")
    rest.done()
    states: dict[str, str] = {}
    inputs: dict[str, tuple[int, str]] = {}
    actions: dict[str, str] = {}
    for number, row in enumerate(top.take("state", list)):
        r = Reader(file, f"state {number}", row)
        states[_name(r)] = r.take("meaning", str)
        r.done()
    for number, row in enumerate(top.take("input", list)):
        r = Reader(file, f"input {number}", row)
        at = r.take("number", int)
        if any(at == other for other, _ in inputs.values()):
            raise r.error("number", f"{at} is taken")
        inputs[_name(r)] = (at, r.take("meaning", str))
        r.done()
    for number, row in enumerate(top.take("action", list)):
        r = Reader(file, f"action {number}", row)
        actions[_name(r)] = r.take("meaning", str)
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
            put(r, Pair("", "", _ids(r, "breach", known), r.take("reason", str), ""))
        else:
            effect = r.take("effect", str)
            if effect not in actions:
                raise r.error("effect", f"{effect!r} is not declared")
            used.add(effect)
            after = r.take("next", str)
            if after not in states:
                raise r.error("next", f"{after!r} is not declared")
            put(r, Pair(effect, after, _ids(r, "cites", known), "", ""))
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


def load_decisions(root: Path = ROOT, known: frozenset[str] | None = None) -> tuple[list[Choice], list[Limit]]:
    """The rows of `spec/decisions.toml`.

    Raises:
        SpecError: a row is not right; it names file, row and column.
    """
    file = "decisions.toml"
    top = Reader(file, "-", _toml(root / "spec" / file, file))
    choices: list[Choice] = []
    for number, row in enumerate(top.take("decision", list)):
        r = Reader(file, f"decision {number}", row)
        values = tuple(r.take("values", list))
        if len(values) < 2 or len(set(values)) != len(values):
            raise r.error("values", "a decision has at least two values, all different")
        choices.append(
            Choice(_name(r), values, r.take("point", int), _ids(r, "cites", known), r.take("meaning", str)),
        )
        r.done()
    limits: list[Limit] = []
    for number, row in enumerate(top.take("limit", list)):
        r = Reader(file, f"limit {number}", row)
        limits.append(Limit(_name(r), r.take("value", int), _ids(r, "cites", known), r.take("meaning", str)))
        r.done()
    names = [row.name for row in choices] + [row.name for row in limits]
    for name in names:
        if names.count(name) > 1:
            raise SpecError(file, name, "name", "stands twice")
    top.done()
    return choices, limits


def emit(spec: Spec | None, root: Path = ROOT) -> dict[str, str]:
    """Every file that comes from the machines and the decisions, by path below the project's root."""
    known = None if spec is None else frozenset(spec.statements)
    machines = load_machines(root, known)
    choices, limits = load_decisions(root, known)
    out = {
        f"{PACKAGE}/__init__.py": MARK.format(source="machines/", doc="Tables that were written from `spec/`.").rstrip()
        + "\n",
        f"{PACKAGE}/decisions.py": _decisions_module(choices, limits),
        "docs/machines/README.md": _index(machines),
        "docs/machines/decisions.md": _decisions_page(choices, limits),
    }
    for machine in machines:
        out[f"{PACKAGE}/{machine.name}.py"] = _module(machine)
        out[f"docs/machines/{machine.name}.md"] = _page(machine)
    return out


def _wrap(items: list[str], indent: str = "    ") -> str:
    lines = [indent]
    for item in items:
        if len(lines[-1]) + len(item) + 2 > 116:
            lines[-1] = lines[-1].rstrip()
            lines.append(indent)
        lines[-1] += item + ", "
    return "\n".join(line.rstrip() for line in lines if line.strip())


def _rows(machine: Machine) -> list[tuple[str, int, Pair]]:
    return [(state, number, machine.pair(state, number)) for state in machine.states for number in range(machine.width)]


def _tuple(items: tuple[str, ...]) -> str:
    return "(" + ", ".join(f'"{item}"' for item in items) + ("," if len(items) == 1 else "") + ")"


def _module(machine: Machine) -> str:
    states = list(machine.states)
    actions = ["violation", *machine.actions]
    rows = _rows(machine)
    names = [s.upper() for s in states] + [f"ON_{i.upper()}" for i in machine.inputs]
    names += ["BREACH"] + [f"DO_{a.upper()}" for a in machine.actions]
    names += ["ACTION", "ACTIONS", "CITES", "IMPOSSIBLE", "INPUTS", "NEXT", "REASON", "STATES", "WIDTH"]
    by_number = {number: name for name, (number, _) in machine.inputs.items()}
    text = MARK.format(source=machine.file, doc=f"{machine.title}: the table of its transitions.")
    text += "\nfrom __future__ import annotations\n\nfrom typing import Final\n\n__all__ = [\n"
    text += "".join(f'    "{name}",\n' for name in sorted(names)) + "]\n\n# States.\n"
    text += "".join(f"{s.upper()}: Final = {n}  # {machine.states[s]}\n" for n, s in enumerate(states))
    text += "\n# Inputs.\n"
    text += "".join(f"ON_{name.upper()}: Final = {n}  # {meaning}\n" for name, (n, meaning) in machine.inputs.items())
    text += "\n# Actions.\nBREACH: Final = 0  # The sender broke the statement that the row cites.\n"
    text += "".join(f"DO_{a.upper()}: Final = {n}  # {m}\n" for n, (a, m) in enumerate(machine.actions.items(), 1))
    text += f"\nWIDTH: Final = {machine.width}\n"
    text += f"STATES: Final = (\n{_wrap([repr(s) for s in states])}\n)\n".replace("'", '"')
    inputs = [repr(by_number.get(n, "")) for n in range(machine.width)]
    text += f"INPUTS: Final = (\n{_wrap(inputs)}\n)\n".replace("'", '"')
    text += f"ACTIONS: Final = (\n{_wrap([repr(a) for a in actions])}\n)\n".replace("'", '"')
    text += "\n# Indexed by state * WIDTH + input.\nACTION: list[int] = [\n"
    for state in states:
        text += _wrap([str(actions.index(p.effect)) if p.effect else "0" for s, _, p in rows if s == state])
        text += f"  # {state}\n"
    text += "]\nNEXT: list[int] = [\n"
    for state in states:
        text += _wrap([str(states.index(p.next or state)) for s, _, p in rows if s == state]) + f"  # {state}\n"
    text += "]\nCITES: list[tuple[str, ...]] = [\n"
    for state in states:
        text += f"    # {state}\n"
        text += "".join(f"    {_tuple(p.cites)},\n" for s, _, p in rows if s == state)
    text += "]\nREASON: list[str] = [\n"
    for state in states:
        text += _wrap([repr(p.reason).replace("'", '"') for s, _, p in rows if s == state]) + f"  # {state}\n"
    text += "]\n\n# Pairs that the engine itself never makes.\nIMPOSSIBLE: Final = frozenset(\n    {\n"
    impossible = [(states.index(s) * machine.width + n, p.why) for s, n, p in rows if p.why]
    text += "".join(f"        {at},  # {why}\n" for at, why in impossible)
    text += "    }\n)\n"
    if not impossible:
        text = text.replace("frozenset(\n    {\n    }\n)", "frozenset[int]()")
    return text


def _decisions_module(choices: list[Choice], limits: list[Limit]) -> str:
    values = sorted({v for c in choices for v in c.values})
    names = [
        "Decisions",
        "DECISIONS",
        "Limits",
        "LIMITS",
        *(f"{c.name}_{v}".upper() for c in choices for v in c.values),
    ]
    text = MARK.format(source="decisions.toml", doc="What the standards leave open, and their numbers, as data.")
    text += "\nfrom __future__ import annotations\n\nfrom typing import Final\n\n__all__ = [\n"
    text += "".join(f'    "{name}",\n' for name in sorted(names)) + "]\n\n"
    for choice in choices:
        for number, value in enumerate(choice.values):
            text += f"{choice.name.upper()}_{value.upper()}: Final = {number}\n"
    del values
    text += "\nDECISIONS: dict[str, tuple[tuple[str, ...], tuple[str, ...], str]] = {\n"
    for choice in choices:
        text += f'    "{choice.name}": (\n        {_tuple(choice.values)},\n        {_tuple(choice.cites)},\n'
        text += f'        "{choice.meaning}",\n    ),\n'
    text += '}\n"""By name: the values (the first is the default), the statements, the meaning."""\n'
    text += "\nLIMITS: dict[str, tuple[int, tuple[str, ...], str]] = {\n"
    for limit in limits:
        text += f'    "{limit.name}": (\n        {limit.value},\n        {_tuple(limit.cites)},\n'
        text += f'        "{limit.meaning}",\n    ),\n'
    text += '}\n"""By name: the value, the statements, the meaning."""\n'
    text += '\n\nclass Decisions:\n    """The choice made for each decision, as the number of the value."""\n\n'
    text += "    __slots__ = (\n" + "".join(f'        "{c.name}",\n' for c in choices) + "    )\n\n"
    text += "    def __init__(self) -> None:\n"
    text += "".join(f"        self.{c.name}: int = 0\n" for c in choices)
    text += '\n\nclass Limits:\n    """The numbers of the standards."""\n\n'
    text += "    __slots__ = (\n" + "".join(f'        "{c.name}",\n' for c in limits) + "    )\n\n"
    text += "    def __init__(self) -> None:\n"
    text += "".join(f"        self.{c.name}: int = {c.value}\n" for c in limits)
    return text


def _page(machine: Machine) -> str:
    out = [
        f"<!-- Written by `python -m codegen` from `spec/{machine.file}`. Change that, then run it again. -->",
        f"# {machine.title}",
        "",
        "```mermaid",
        "stateDiagram-v2",
        f"    [*] --> {next(iter(machine.states))}",
    ]
    edges: dict[tuple[str, str, str], list[str]] = {}
    for (state, one), pair in machine.pairs.items():
        if pair.effect and not (pair.next == state and pair.effect in ("ignore", "nothing")):
            edges.setdefault((state, pair.next, pair.effect), []).append(one)
    for (state, after, effect), ones in edges.items():
        out.append(f"    {state} --> {after}: {', '.join(ones)} / {effect}")
    out += ["```", "", "| state | means |", "|---|---|"]
    out += [f"| `{name}` | {meaning} |" for name, meaning in machine.states.items()]
    out += ["", "| input | means |", "|---|---|"]
    out += [f"| `{name}` | {meaning} |" for name, (_, meaning) in machine.inputs.items()]
    out += ["", "| action | means |", "|---|---|"]
    out += [f"| `{name}` | {meaning} |" for name, meaning in machine.actions.items()]
    out += ["", "| state | input | does | next | statements |", "|---|---|---|---|---|"]
    for state in machine.states:
        for name, (number, _) in sorted(machine.inputs.items(), key=lambda item: item[1][0]):
            pair = machine.pair(state, number)
            does = f"`{pair.effect}`" if pair.effect else f"cannot happen: {pair.why}" if pair.why else "breach"
            out.append(f"| `{state}` | `{name}` | {does} | `{pair.next or state}` | {', '.join(pair.cites)} |")
    return "\n".join(out) + "\n"


def _index(machines: list[Machine]) -> str:
    out = [
        "<!-- Written by `python -m codegen` from `spec/machines/`. Change that, then run it again. -->",
        "# State machines",
        "",
        "The engine runs these tables; a pair that is a breach is answered as the reaction table says.",
        "",
        "| machine | states | inputs | rows |",
        "|---|---|---|---|",
    ]
    for m in machines:
        rows = sum(1 for pair in m.pairs.values() if not pair.why)
        out.append(f"| [{m.title}]({m.name}.md) | {len(m.states)} | {len(m.inputs)} | {rows} |")
    out += ["", "What the standards leave open: [decisions](decisions.md)."]
    return "\n".join(out) + "\n"


def _decisions_page(choices: list[Choice], limits: list[Limit]) -> str:
    out = [
        "<!-- Written by `python -m codegen` from `spec/decisions.toml`. Change that, then run it again. -->",
        "# Decisions",
        "",
        "Where the standards leave a choice. The first value is the default; `decisions.<name>` switches it.",
        "",
        "| name | values | meaning | statements |",
        "|---|---|---|---|",
    ]
    out += [
        f"| `{c.name}` | {', '.join(f'`{v}`' for v in c.values)} | {c.meaning} | {', '.join(c.cites)} |"
        for c in choices
    ]
    out += ["", "# Numbers", "", "| name | value | meaning | statements |", "|---|---|---|---|"]
    out += [f"| `{c.name}` | {c.value} | {c.meaning} | {', '.join(c.cites)} |" for c in limits]
    return "\n".join(out) + "\n"


def main() -> int:
    """Write the files without the rest of the spec, so that citations are checked by form alone."""
    try:
        files = emit(None)
    except SpecError as error:
        print(f"spec/{error}", file=sys.stderr)
        return 2
    for path, text in files.items():
        file = ROOT / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists() or file.read_text() != text:
            file.write_text(text)
            print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

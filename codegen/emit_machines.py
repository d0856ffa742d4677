# SPDX-License-Identifier: MIT
"""Writes the state machines and decisions of `spec/`: flat integer tables for the engine, diagrams for the docs."""

from __future__ import annotations

from codegen.model import Spec
from codegen.tables.decisions import Choice, Limit, load_decisions
from codegen.tables.machines import Machine, Pair, load_machines

__all__ = ["emit"]

PACKAGE = "mqtt_ref/engine/generated"
MARK = '''# SPDX-License-Identifier: MIT
# Written by `python -m codegen` from `spec/{source}`. Change that, then run it again.
"""{doc}"""
'''


def emit(spec: Spec) -> dict[str, str]:
    """Return the files that are made from the machines and the decisions, by path below the project root."""
    machines = load_machines(known=spec.statements.keys())
    choices, limits = load_decisions(known=spec.statements.keys())
    out = {
        f"{PACKAGE}/__init__.py": MARK.format(source="machines/", doc="Tables generated from `spec/`.").rstrip() + "\n",
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
    text = MARK.format(source=machine.file, doc=f"{machine.title}: the transition table.")
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
    text += "]\n\n# Pairs of state and input that cannot happen.\nIMPOSSIBLE: Final = frozenset(\n    {\n"
    impossible = [(states.index(s) * machine.width + n, p.why) for s, n, p in rows if p.why]
    text += "".join(f"        {at},  # {why}\n" for at, why in impossible)
    text += "    }\n)\n"
    if not impossible:
        text = text.replace("frozenset(\n    {\n    }\n)", "frozenset[int]()")
    return text


def _decisions_module(choices: list[Choice], limits: list[Limit]) -> str:
    names = [
        "Decisions",
        "DECISIONS",
        "Limits",
        "LIMITS",
        *(f"{c.name}_{v}".upper() for c in choices for v in c.values),
    ]
    text = MARK.format(source="decisions.toml", doc="Choices that the standards leave open, and numbers that they set.")
    text += "\nfrom __future__ import annotations\n\nfrom typing import Final\n\n__all__ = [\n"
    text += "".join(f'    "{name}",\n' for name in sorted(names)) + "]\n\n"
    for choice in choices:
        for number, value in enumerate(choice.values):
            text += f"{choice.name.upper()}_{value.upper()}: Final = {number}\n"
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
        "The engine runs these tables. A breach is answered as the table of reactions says.",
        "",
        "| machine | states | inputs | rows |",
        "|---|---|---|---|",
    ]
    for m in machines:
        rows = sum(1 for pair in m.pairs.values() if not pair.why)
        out.append(f"| [{m.title}]({m.name}.md) | {len(m.states)} | {len(m.inputs)} | {rows} |")
    out += ["", "The choices that the standards leave open are [decisions](decisions.md)."]
    return "\n".join(out) + "\n"


def _decisions_page(choices: list[Choice], limits: list[Limit]) -> str:
    out = [
        "<!-- Written by `python -m codegen` from `spec/decisions.toml`. Change that, then run it again. -->",
        "# Decisions",
        "",
        "Choices that the standards leave open. The first value is the default; the option `decisions.<name>` sets it.",
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

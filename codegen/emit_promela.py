# SPDX-License-Identifier: MIT
"""Writes the machines that deliver messages as Promela, for the model checker `spin`."""

from __future__ import annotations

from collections.abc import Iterable

from codegen.model import Spec
from codegen.tables.machines import Machine, load_machines

__all__ = ["MODELLED", "PAGE", "emit", "promela"]

MODELLED = ("qos_receive", "qos_send", "session")
"""The machines that `tests/spin/broker.pml` runs."""
PAGE = "tests/spin/machines.pml"
HEAD = """\
/* SPDX-License-Identifier: MIT
 * Written by `python -m codegen` from `spec/machines/`. Change that, then run it again.
 *
 * One inline for each machine: it looks up the row of a state and an input, and gives the action and the next state.
 * A pair that has no row is a breach and stays in its state. `tests/spin/broker.pml` includes this file.
 */
"""


def emit(spec: Spec) -> dict[str, str]:
    """The tables as Promela, by path below the project's root."""
    return {PAGE: promela(load_machines(known=spec.statements.keys()))}


def promela(machines: Iterable[Machine]) -> str:
    """The tables of the machines that are modelled."""
    return HEAD + "".join(_machine(machine) for machine in machines if machine.name in MODELLED)


def _machine(machine: Machine) -> str:
    prefix = machine.name.upper()
    text = f"\n/* {machine.title}. */\n"
    for number, (state, meaning) in enumerate(machine.states.items()):
        text += f"#define {prefix}_{state.upper()} {number} /* {meaning} */\n"
    for name, (number, meaning) in machine.inputs.items():
        text += f"#define {prefix}_ON_{name.upper()} {number} /* {meaning} */\n"
    text += f"#define {prefix}_BREACH 0 /* The sender broke a rule, or the pair can't happen. */\n"
    for number, (action, meaning) in enumerate(machine.actions.items(), 1):
        text += f"#define {prefix}_DO_{action.upper()} {number} /* {meaning} */\n"
    text += f"\ninline {machine.name}_row(before, event, does, after)\n{{\n\tif\n"
    for (state, name), pair in machine.pairs.items():
        if pair.effect:
            guard = f"(before) == {prefix}_{state.upper()} && (event) == {prefix}_ON_{name.upper()}"
            text += f"\t:: {guard} -> /* {', '.join(pair.cites)} */\n"
            text += f"\t\tdoes = {prefix}_DO_{pair.effect.upper()}; after = {prefix}_{pair.next.upper()}\n"
    text += f"\t:: else -> does = {prefix}_BREACH; after = before\n\tfi\n}}\n"
    return text

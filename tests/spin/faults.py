# SPDX-License-Identifier: MIT
"""Models with a seeded fault: a row of a table changed, or the rule of the journal broken."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from codegen.emit_promela import MODELLED, promela
from codegen.tables.machines import load_machines
from mqtt_ref.engine.tables import TABLES, Tables
from tests.rows.changes import changes

__all__ = ["JOURNAL", "Fault", "faults"]


@dataclass(frozen=True)
class Fault:
    """One wrong model: its tables, for the model and for the engine, and the rule of the journal that it breaks."""

    name: str
    machines: str
    tables: Tables
    rule: str = ""


JOURNAL: Final = {
    "TOLD_WRONG": "journal: a batch that failed is answered as committed",
    "NOT_HELD": "journal: output does not wait for its batch",
    "NOT_MENDED": "journal: what a failed batch was about is not stored again",
    "OVERTAKES": "journal: later output goes before output that waits",
    "COMES_BACK": "journal: a session that no store keeps does not wait for the deletion of an older one",
}
"""By the name that the model knows it by: a broken rule of the journal or of its store."""


def faults() -> Iterator[Fault]:
    """Every changed row of the machines that are modelled, then the broken rules of the journal."""
    machines = load_machines()
    for change in changes():
        machine, at = change.row
        if machine in MODELLED:
            yield Fault(change.name, _changed(machine, int(at), change.make()), change.make())
    for rule, name in JOURNAL.items():
        yield Fault(name, promela(machines), TABLES, rule)


def _changed(name: str, at: int, tables: Tables) -> str:
    """The tables as Promela, with the row that differs in `tables`."""
    module: Any = importlib.import_module(f"mqtt_ref.engine.generated.{name}")
    place = (module.STATES[at // module.WIDTH], module.INPUTS[at % module.WIDTH])
    action = getattr(tables, f"{name}_action")[at]
    after = module.STATES[getattr(tables, f"{name}_next")[at]]
    machines = load_machines()
    for number, machine in enumerate(machines):
        if machine.name == name:
            pair = replace(machine.pairs[place], effect=module.ACTIONS[action] if action else "", next=after)
            machines[number] = replace(machine, pairs={**machine.pairs, place: pair})
    return promela(machines)

# SPDX-License-Identifier: MIT
"""Checks that the engine implements the machines and reactions: every input is fed, every action is handled.

The engine is read as source, not run. An input or action counts as used if a module of the engine imports its constant
from the generated module of the machine and uses it.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from codegen.model import CLIENT, Spec
from codegen.tables.machines import Machine, load_machines
from codegen.tables.reactions import SERVER_ACTIONS

__all__ = ["not_carried_out"]

FOLDERS = ("mqtt_ref/engine", "mqtt_ref/broker")
GENERATED = "mqtt_ref.engine.generated."
REACTING = "mqtt_ref/engine/reacting.py"


def not_carried_out(root: Path, spec: Spec) -> list[str]:
    """Return one line for each input that is never fed, each action and each reaction that is never carried out."""
    used = _used(root)
    packets = {packet.name.lower() for packet in spec.packets if any(CLIENT in s for s in packet.senders.values())}
    out: list[str] = []
    for machine in load_machines(root, known=spec.statements.keys()):
        out += _unused(machine, used[machine.name], packets if machine.name == "connection" else set())
    compared = _compared(root / REACTING, "action")
    for number, row in enumerate(spec.reactions, 1):
        if row.receiver == "server" and row.action != "close" and row.action not in compared:
            out.append(
                f"spec/reactions.toml: reaction {number} ({row.rule}): action: {REACTING} does nothing for "
                f"{row.action!r}; it compares `action` with {', '.join(sorted(compared & set(SERVER_ACTIONS)))}"
            )
    return out


def _unused(machine: Machine, used: set[str], packets: set[str]) -> Iterator[str]:
    for name in machine.inputs:
        if name not in packets and f"ON_{name.upper()}" not in used:
            rows = ", ".join(state for state, one in machine.pairs if one == name)
            yield (
                f"spec/{machine.file}: input {name}: nothing in {' or '.join(FOLDERS)} feeds it (ON_{name.upper()}); "
                f"its rows for {rows or 'no state'} can't be reached"
            )
    for name in machine.actions:
        if name in machine.silent:
            continue
        if f"DO_{name.upper()}" not in used:
            rows = ", ".join(f"{state} x {one}" for (state, one), pair in machine.pairs.items() if pair.effect == name)
            yield (
                f"spec/{machine.file}: action {name}: nothing in {' or '.join(FOLDERS)} handles it "
                f"(DO_{name.upper()}), though it is the effect of {rows or 'no row'}; an action that does nothing "
                "says `nothing = true`"
            )


def _used(root: Path) -> dict[str, set[str]]:
    """Return, by machine, the constants of its generated module that the engine imports and uses."""
    out: dict[str, set[str]] = defaultdict(set)
    for folder in FOLDERS:
        for path in sorted((root / folder).glob("*.py")):
            tree = ast.parse(path.read_text())
            names: dict[str, tuple[str, str]] = {}
            for node in ast.walk(tree):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(GENERATED):
                    machine = (node.module or "").removeprefix(GENERATED)
                    for alias in node.names:
                        names[alias.asname or alias.name] = (machine, alias.name)
            for node in ast.walk(tree):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in names:
                    machine, name = names[node.id]
                    out[machine].add(name)
    return out


def _compared(path: Path, attribute: str) -> set[str]:
    """Return the strings that a module compares with an attribute of this name."""
    out: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Compare) and isinstance(node.left, ast.Attribute) and node.left.attr == attribute:
            for other in node.comparators:
                if isinstance(other, ast.Constant) and isinstance(other.value, str):
                    out.add(other.value)
    return out

# SPDX-License-Identifier: MIT
"""Generates every fault that a changed table row makes: transitions, numbers, reactions. So none is forgotten."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from mqtt_conformance.faults.fault import Fault
from mqtt_conformance.rules import DELIVERY
from mqtt_ref.engine.generated.decisions import LIMITS
from mqtt_ref.engine.tables import MACHINES, TABLES, Tables, changed
from mqtt_ref.wire.generated.vectors import vectors
from mqtt_ref.wire.primitives import CLIENT
from mqtt_ref.wire.reactions import Reaction, reaction

__all__ = ["generated"]

TIMERS = ("elapsed", "expired", "ended", "resumed")
"""Inputs caused, or made void, by time. A broker that does not handle them could check the clock in an endless loop."""

OF_SESSIONS = ("acknowledge", "publish", "release", "subscribe", "unsubscribe")
"""Actions of packets that belong to a session."""

ASKED = ("deciding", "asked", "reasked")
"""States and inputs that occur only in a broker that asks an external authority which clients may connect."""


HELD = {
    "await_puback": ("MQTT5-4.3.2-3", "MQTT311-4.3.2-1"),
    "await_pubrec": ("MQTT5-4.3.3-3", "MQTT311-4.3.3-1"),
    "await_pubcomp": ("MQTT5-4.3.3-5", "MQTT311-4.3.3-1"),
}
"""The rules that a broker breaks if a wrong acknowledgement ends a delivery. The rows cite the rule of the client."""


def generated() -> Iterator[Fault]:
    """Return all faults of changed tables, in a stable order."""
    for machine in MACHINES:
        yield from _transitions(machine)
    yield from _numbers()
    yield from _reactions()


def _transitions(machine: str) -> Iterator[Fault]:
    """For each row of a machine: remove its action, replace it by another of that input, or change its next state."""
    module: Any = importlib.import_module(f"mqtt_ref.engine.generated.{machine}")
    width = len(module.INPUTS)
    for at, action in enumerate(module.ACTION):
        state, name = module.STATES[at // width], module.INPUTS[at % width]
        cites = tuple(module.CITES[at])
        if not cites or not name:
            continue
        if machine == "qos_send" and cites[0] == "MQTT5-3.3.4-1":
            cites = HELD[state]
        place = f"{machine}/{state}/{name}"
        fault = partial(Fault, alone=name in TIMERS, asks=state in ASKED or name in ASKED)
        elsewhere = _elsewhere(module, machine, at, action)
        nothing = {
            i: state for i, a in enumerate(module.ACTIONS) if a in ("ignore", "nothing", "silent") and i != action
        }
        for other, after in sorted({**nothing, **elsewhere}.items())[:3]:
            word = module.ACTIONS[other]
            yield fault(f"{place}/does-{word}", cites, _change(machine, state, name, action=word, next=after))
        if action:
            yield fault(f"{place}/refused", cites, _change(machine, state, name, action=module.ACTIONS[0], next=state))
        for number in range(len(module.STATES)):
            if number != module.NEXT[at] and action:
                word = module.STATES[number]
                also = DELIVERY if (machine, word) == ("subscription", "absent") else ()
                yield fault(f"{place}/goes-to-{word}", (*cites, *also), _change(machine, state, name, next=word))
                break


def _elsewhere(module: Any, machine: str, at: int, action: int) -> dict[int, str]:
    """Return the actions for the input in other states, with the next state if it differs.

    Without a session, actions of session packets are left out: they could do nothing.
    """
    width = len(module.INPUTS)
    out: dict[int, str] = {}
    for number in range(len(module.STATES)):
        row = number * width + at % width
        other, after = module.ACTION[row], module.NEXT[row]
        if other in (0, action) or (
            machine == "connection"
            and module.ACTIONS[other] in OF_SESSIONS
            and module.STATES[at // width] != "connected"
        ):
            continue
        out[other] = module.STATES[at // width if after == number else after]
    return out


def _change(
    machine: str,
    state: str,
    name: str,
    *,
    action: str | None = None,
    next: str | None = None,  # noqa: A002
) -> Callable[[], Tables]:
    return lambda: changed(TABLES, machine, state, name, action=action, next=next)


def _numbers() -> Iterator[Fault]:
    """Yield each number of the standards, once too large and once too small."""
    for name, (value, cites, _) in LIMITS.items():
        if name.endswith("_allowance"):
            others = {"more": 1000}
        elif name.endswith(("_percent", "_share")):
            others = {"none": 0, "more": value * 4}
        elif value <= 2:
            others = {"less": 0}
        else:
            others = {"less": 3}
        for word, other in others.items():
            yield Fault(f"number/{name}/{word}", tuple(cites), _limit(name, other), alone=name == "packet_id_maximum")


def _limit(name: str, value: int) -> Callable[[], Tables]:
    return lambda: changed(TABLES, limits={name: value})


def _reactions() -> Iterator[Fault]:
    """Yield each rule of the wire, with a broker that ignores its breach."""
    seen: set[str] = set()
    for vector in vectors():
        if vector.sender != CLIENT or not vector.statement or vector.statement in seen or vector.maximum:
            continue
        if vector.version == 0 or vector.judged == 0:
            continue
        seen.add(vector.statement)
        state = "new" if vector.data[0] >> 4 == 1 else "connected"
        row = reaction(vector.statement, vector.reason, vector.judged, state)
        hidden = "permitted: the standard allows to carry on" if "ignore" in row.allowed else ""
        yield Fault(
            f"reaction/{vector.statement}/overlooked",
            (vector.statement, *vector.also),
            _overlook(vector.statement, row),
            hidden,
        )


def _overlook(statement: str, row: Reaction) -> Callable[[], Tables]:
    return lambda: changed(TABLES, reactions={statement: row._replace(action="ignore")})

# SPDX-License-Identifier: MIT
"""Every fault that a changed table row makes: transitions, numbers, reactions. Generated, so none can be forgotten."""

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
"""Inputs that time brings about, or makes void: a broker that does not take notice may look at the clock for ever."""

OF_SESSIONS = ("acknowledge", "publish", "release", "subscribe", "unsubscribe")
"""Actions of packets that belong to a session."""

ASKED = ("deciding", "asked", "reasked")
"""States and inputs that only a broker knows which has to ask somebody else who may connect."""


HELD = {
    "await_puback": ("MQTT5-4.3.2-3", "MQTT311-4.3.2-1"),
    "await_pubrec": ("MQTT5-4.3.3-3", "MQTT311-4.3.3-1"),
    "await_pubcomp": ("MQTT5-4.3.3-5", "MQTT311-4.3.3-1"),
}
"""What a broker breaks that lets the wrong acknowledgement end a delivery: the rows cite what its client broke."""


def generated() -> Iterator[Fault]:
    """All faults of changed tables, in a stable order."""
    for machine in MACHINES:
        yield from _transitions(machine)
    yield from _numbers()
    yield from _reactions()


def _transitions(machine: str) -> Iterator[Fault]:
    """For each row of a machine: its action dropped, replaced by one that the input has elsewhere, its next changed."""
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
    """What the input does in other states, by action: with the state that it leads to, where it leads to another.

    Without a session there is nothing that a packet of a session could do.
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
    """Each number of the standards made too large and too small."""
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
    """Each rule of the wire whose breach is overlooked."""
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

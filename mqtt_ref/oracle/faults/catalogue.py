# SPDX-License-Identifier: MIT
"""The faulty clients: what each does, and the statements that it must be found to break."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from mqtt_ref.oracle import codec
from mqtt_ref.oracle.faults.stage import Stage
from mqtt_ref.wire.codes import CONNECT
from mqtt_ref.wire.generated.vectors import Vector, vectors
from mqtt_ref.wire.primitives import CLIENT, V5, V311
from mqtt_ref.wire.statements import PREFIXES, STATEMENTS

__all__ = ["FAULTS", "Fault", "fault", "from_vectors", "play_vector"]

Play = Callable[[Stage], None]


class Fault(NamedTuple):
    """One faulty client: the switches it has on, what it does, and by version what it must be accused of."""

    id: str
    breaks: tuple[str, ...]
    switches: frozenset[str]
    versions: tuple[int, ...]
    play: Play

    def expected(self, version: int) -> tuple[str, ...]:
        """The statements of that version that have to be named."""
        return tuple(one for one in self.breaks if one.startswith(PREFIXES[version]))


FAULTS: list[Fault] = []


def fault(
    *breaks: str, switches: tuple[str, ...] = (), versions: tuple[int, ...] = (V5, V311)
) -> Callable[[Play], Play]:
    """Register a fault; it runs in those versions of which it breaks a statement."""

    def register(play: Play) -> Play:
        able = tuple(v for v in versions if any(one.startswith(PREFIXES[v]) for one in breaks))
        name = play.__name__.replace("_", "-")
        FAULTS.append(Fault(name, breaks, frozenset(switches), able, play))
        return play

    return register


def from_vectors() -> Iterator[tuple[Vector, tuple[str, ...]]]:
    """Every malformed packet of a client, with what it breaks: the faults that are rows of the tables."""
    for vector in vectors():
        if vector.sender != CLIENT or not vector.statement or STATEMENTS[vector.statement].level == "may":
            continue
        if codec.is_private(vector, vector.data):
            continue
        if vector.version == 0 and vector.data[0] >> 4 != CONNECT:
            yield vector, ("MQTT5-3.1.0-1",)  # whatever else is wrong with it, it comes first
        else:
            yield vector, codec.broken_by(vector)


def play_vector(vector: Vector) -> set[str]:
    """Have a client send it, first thing on a connection or after a CONNECT; returns what was found broken."""
    limits: dict[str, Any] = {}
    stage = Stage(vector.version or V5)
    if vector.version:
        if vector.maximum:
            limits["maximum_packet_size"] = vector.maximum
        if limits and vector.version == V5:
            stage.limited(**limits)
        else:
            stage.connect(clean_start=True)
    stage.raw(vector.data)
    return stage.rules()

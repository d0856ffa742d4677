# SPDX-License-Identifier: MIT
"""The catalogue of faulty clients: what each does, and the statements that the judge must report."""

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
    """One faulty client: its switches, what it does, and the statements that it breaks."""

    id: str
    breaks: tuple[str, ...]
    switches: frozenset[str]
    versions: tuple[int, ...]
    play: Play

    def expected(self, version: int) -> tuple[str, ...]:
        """Return the statements of this version that the judge must report."""
        return tuple(one for one in self.breaks if one.startswith(PREFIXES[version]))


FAULTS: list[Fault] = []


def fault(
    *breaks: str, switches: tuple[str, ...] = (), versions: tuple[int, ...] = (V5, V311)
) -> Callable[[Play], Play]:
    """Register a fault. It runs in those of `versions` in which it breaks a statement."""

    def register(play: Play) -> Play:
        able = tuple(v for v in versions if any(one.startswith(PREFIXES[v]) for one in breaks))
        name = play.__name__.replace("_", "-")
        FAULTS.append(Fault(name, breaks, frozenset(switches), able, play))
        return play

    return register


def from_vectors() -> Iterator[tuple[Vector, tuple[str, ...]]]:
    """Return the faults derived from the tables: every malformed packet of a client, with the statements it breaks."""
    for vector in vectors():
        if vector.sender != CLIENT or not vector.statement or STATEMENTS[vector.statement].level == "may":
            continue
        if codec.is_private(vector, vector.data):
            continue
        if vector.version == 0 and vector.data[0] >> 4 != CONNECT:
            yield vector, ("MQTT5-3.1.0-1",)  # whatever else is wrong, it is not a CONNECT
        else:
            yield vector, codec.broken_by(vector)


def play_vector(vector: Vector) -> set[str]:
    """Let a client send the packet, as the first one or after a CONNECT. Return the statements found broken."""
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

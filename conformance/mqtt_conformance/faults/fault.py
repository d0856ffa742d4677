# SPDX-License-Identifier: MIT
"""One broken broker: the rules that it breaks, and how it is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from mqtt_conformance.faults.meddler import Meddling
from mqtt_ref.engine.tables import TABLES, Tables

__all__ = ["Fault", "Settings"]

Settings = tuple[tuple[str, object], ...]


def _standard() -> Tables:
    return TABLES


@dataclass(frozen=True)
class Fault:
    """One broken broker. `statements` are the rules that it breaks. `invisible` says why no client can accuse it.

    It is made from changed tables (`make`), or by a meddler between the suite and a sound broker. `thorough` means that
    each of the statements has to be accused, not only one. `alone` means that it may hang, so that nothing is judged
    beside it. `asks` means that it shows only in a broker that asks an external authority which clients may connect.
    """

    id: str
    statements: tuple[str, ...]
    make: Callable[[], Tables] = field(default=_standard, repr=False)
    invisible: str = ""
    meddling: Meddling | None = None
    thorough: bool = False
    alone: bool = False
    asks: bool = False

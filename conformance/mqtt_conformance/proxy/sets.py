# SPDX-License-Identifier: MIT
"""The sets of faults. Each has an author of its own, who knew neither the cases nor the other set."""

from __future__ import annotations

from mqtt_conformance.proxy import rows, second
from mqtt_conformance.proxy.fault import Fault

__all__ = ["ALL", "SETS"]

SETS: dict[str, dict[str, Fault]] = {"first": rows.FAULTS, "second": second.FAULTS}
ALL: dict[str, Fault] = {name: fault for one in SETS.values() for name, fault in one.items()}

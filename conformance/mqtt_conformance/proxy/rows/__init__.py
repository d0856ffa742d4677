# SPDX-License-Identifier: MIT
"""The faults of the proxy, one module for each chapter of rules."""

from __future__ import annotations

from mqtt_conformance.proxy.fault import Fault
from mqtt_conformance.proxy.rows import (
    acks,
    closing,
    connack,
    flow,
    malformed,
    messages,
    retained,
    sessions,
    subscriptions,
    v31,
    wills,
)

__all__ = ["FAULTS", "fault"]

FAULTS: dict[str, Fault] = {}
"""Every fault by its id, in the order of the modules."""
for _module in (messages, acks, connack, sessions, wills, retained, subscriptions, flow, closing, malformed, v31):
    for _row in _module.rows():
        if _row.id in FAULTS:
            raise ValueError(f"two faults are called {_row.id}")
        FAULTS[_row.id] = _row


def fault(identifier: str) -> Fault:
    """Return the fault with that id.

    Raises:
        KeyError: there is none.
    """
    return FAULTS[identifier]

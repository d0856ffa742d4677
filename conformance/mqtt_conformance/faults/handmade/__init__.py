# SPDX-License-Identifier: MIT
"""Faults that are no row of a table: what a sound broker says, or is told, is spoilt on the way."""

from __future__ import annotations

from collections.abc import Iterator

from mqtt_conformance.faults.fault import Fault
from mqtt_conformance.faults.handmade import (
    acks,
    auths,
    connacks,
    connects,
    ends,
    later,
    messages,
    properties,
    subscriptions,
)

__all__ = ["faults"]


def faults() -> Iterator[Fault]:
    """All of them."""
    for module in (connacks, connects, auths, messages, properties, acks, subscriptions, ends, later):
        yield from module.faults()

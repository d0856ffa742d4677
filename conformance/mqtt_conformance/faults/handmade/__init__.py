# SPDX-License-Identifier: MIT
"""Faults that are not a row of a table: the packets of a sound broker, or those sent to it, are spoilt on their way."""

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

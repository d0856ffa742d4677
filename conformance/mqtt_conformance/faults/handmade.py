# SPDX-License-Identifier: MIT
"""Faults that are no row of a table."""

from __future__ import annotations

from collections.abc import Iterator

from mqtt_conformance.faults.fault import Fault

__all__ = ["faults"]


def faults() -> Iterator[Fault]:
    """All of them."""
    yield from ()

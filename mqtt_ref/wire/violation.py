# SPDX-License-Identifier: MIT
"""A broken rule as a value: which statement, which byte, and what the sender's breach is called."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Violation"]


class Violation(NamedTuple):
    """One rule of the standard that a packet breaks.

    `offset` counts bytes from the packet's first; `field` names the field it lies in, as in `spec/packets.toml`.
    `reason` is the Reason Code that 5.0 has for the breach, in every version. `version` is the protocol level by which
    the packet was judged (3, 4 or 5; 0 while it is not known), `sender` is `CLIENT` or `SERVER`.
    """

    statement: str
    reason: int
    packet: int
    offset: int
    version: int
    sender: int
    field: str
    level: str = "must"

# SPDX-License-Identifier: MIT
"""The value that describes a broken rule: the statement, the byte, and the Reason Code."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Violation"]


class Violation(NamedTuple):
    """One rule of the standard that a packet breaks.

    `offset` counts bytes from the first byte of the packet; `field` is the name of the field there, as in
    `spec/packets.toml`. `reason` is the Reason Code that 5.0 has for the breach, in every version. `version` is the
    protocol level that judged the packet (3, 4 or 5; 0 while it is not known). `sender` is `CLIENT` or `SERVER`.
    """

    statement: str
    reason: int
    packet: int
    offset: int
    version: int
    sender: int
    field: str
    level: str = "must"

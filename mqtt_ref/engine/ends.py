# SPDX-License-Identifier: MIT
"""How a connection ended: its will and its session depend on it."""

from __future__ import annotations

from typing import Final

__all__ = ["GOODBYE", "LOST", "TAKEN", "TAKEN_CLEAN"]

GOODBYE: Final = 1
"""DISCONNECT with reason 0x00, or any DISCONNECT of 3.x."""
LOST: Final = 2
"""Any other end."""
TAKEN: Final = 3
"""A new connection continues the session."""
TAKEN_CLEAN: Final = 4
"""A new connection discards the session and starts a new one."""

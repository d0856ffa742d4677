# SPDX-License-Identifier: MIT
"""The properties of a PUBLISH as one block of bytes, checked once and forwarded unchanged. Import them from here."""

from __future__ import annotations

from mqtt_ref.wire.generated.fast import block_for, block_of, outgoing, read_block, will_block
from mqtt_ref.wire.generated.packets import Block

__all__ = ["Block", "block_for", "block_of", "outgoing", "read_block", "will_block"]

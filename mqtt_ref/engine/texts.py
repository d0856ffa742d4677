# SPDX-License-Identifier: MIT
"""Unicode that the standards disallow but let a receiver accept: refused only where that is decided."""

from __future__ import annotations

from typing import Final

__all__ = ["DISALLOWED", "disallowed"]

DISALLOWED: Final = (
    "X5-disallowed-unicode-malformed",
    "X311-disallowed-unicode-received",
    "X31-protocol-violation",
)
"""What such a character breaks, by version."""


def disallowed(text: str) -> bool:
    """Whether a control character (U+0001 to U+001F, U+007F to U+009F) or a non-character is in the text."""
    if text.isascii() and text.isprintable():
        return False
    for char in text:
        code = ord(char)
        if code < 0x20 or 0x7F <= code < 0xA0 or 0xFDD0 <= code <= 0xFDEF or code & 0xFFFE == 0xFFFE:
            return True
    return False

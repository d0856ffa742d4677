# SPDX-License-Identifier: MIT
"""SASLprep (RFC 4013): user names and passwords that look the same become the same."""

from __future__ import annotations

import stringprep
import unicodedata
from collections.abc import Callable
from typing import Final

__all__ = ["saslprep"]

# Characters that the result must not contain (RFC 4013, section 2.3).
_PROHIBITED: Final[tuple[Callable[[str], bool], ...]] = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def saslprep(text: str, stored: bool = True) -> str:
    """Return the prepared form. `stored` forbids code points that Unicode 3.2 had not assigned (RFC 3454, section 7).

    Raises:
        ValueError: the text has a prohibited character or mixes writing directions.
    """
    if text.isascii() and text.isprintable():
        return text
    mapped = "".join(" " if stringprep.in_table_c12(c) else c for c in text if not stringprep.in_table_b1(c))
    prepared = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    for c in prepared:
        if any(prohibited(c) for prohibited in _PROHIBITED):
            raise ValueError(f"U+{ord(c):04X} may not be in a user name or password")
        if stored and stringprep.in_table_a1(c):
            raise ValueError(f"U+{ord(c):04X} is not assigned in Unicode 3.2, and may not be in a stored password")
    # RFC 3454, section 6: a text with right-to-left characters must be right-to-left as a whole.
    if any(map(stringprep.in_table_d1, prepared)):
        if any(map(stringprep.in_table_d2, prepared)):
            raise ValueError("a user name or password may not mix writing directions")
        if not (stringprep.in_table_d1(prepared[0]) and stringprep.in_table_d1(prepared[-1])):
            raise ValueError("a user name or password with right-to-left letters must begin and end with one")
    return prepared

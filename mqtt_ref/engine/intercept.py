# SPDX-License-Identifier: MIT
"""The answers of `Intercept` that are no changed packet: a refusal, or that the answer comes later."""

from __future__ import annotations

from typing import Final

__all__ = ["ASK", "LATER", "Refusal"]


class Refusal:
    """The answer that something is refused with a Reason Code; or `dropped`: taken, and then forgotten."""

    __slots__ = ("code", "dropped", "text")

    def __init__(self, code: int, text: str = "", dropped: bool = False) -> None:
        self.code = code
        self.text = text
        self.dropped = dropped

    def __repr__(self) -> str:
        return f"Refusal(0x{self.code:02X}, {self.text!r}, dropped={self.dropped})"


LATER: Final = Refusal(0, "later")
"""Not an answer: let the question leave as an effect."""
ASK: Final = -1
"""The same from a callable that returns a Reason Code."""

# SPDX-License-Identifier: MIT
"""Answers of `Intercept` other than a changed packet: a refusal, or that the answer comes later."""

from __future__ import annotations

from typing import Final

__all__ = ["ASK", "LATER", "Refusal"]


class Refusal:
    """Refuse something with a Reason Code. With `dropped`, accept it and then ignore it."""

    __slots__ = ("code", "dropped", "text")

    def __init__(self, code: int, text: str = "", dropped: bool = False) -> None:
        self.code = code
        self.text = text
        self.dropped = dropped

    def __repr__(self) -> str:
        return f"Refusal(0x{self.code:02X}, {self.text!r}, dropped={self.dropped})"


LATER: Final = Refusal(0, "later")
"""The answer comes later: the question leaves as an effect."""
ASK: Final = -1
"""The same as `LATER`, for callables that return a Reason Code."""

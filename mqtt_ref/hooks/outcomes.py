# SPDX-License-Identifier: MIT
"""Answers of hooks: accept, refuse, challenge or drop."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Challenge", "Decision", "Drop", "Reject"]


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer of `on_connect_authenticate` and `on_auth_packet`.

    A refused client gets `reason_code` and `text`. Code 0 means 0x87 (Not authorized); 3.x clients get the nearest
    return code. `username`, if not empty, replaces that of the CONNECT. `data` is the last Authentication Data of the
    server, sent when `on_auth_packet` accepts.
    """

    allow: bool
    reason_code: int = 0
    text: str = ""
    username: str = ""
    data: bytes | None = None


@dataclass(frozen=True, slots=True)
class Challenge:
    """The answer of `on_auth_packet` that sends `data` to the client and asks it for another AUTH."""

    data: bytes | None = None


class Reject(Exception):
    """Raised by a hook to refuse a request of the client with a Reason Code.

    A code that the answering packet cannot have becomes 0x80. 3.x clients get only what their version can express.
    """

    def __init__(self, reason_code: int, text: str = "") -> None:
        super().__init__(reason_code, text)
        self.reason_code = reason_code
        self.text = text


class Drop(Exception):
    """Raised by a hook to discard a packet or message silently: the client gets a success."""

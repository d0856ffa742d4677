# SPDX-License-Identifier: MIT
"""What a hook answers: let in or not, ask for more, refuse, or drop."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Challenge", "Decision", "Drop", "Reject"]


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer of `on_connect_authenticate` and `on_auth_packet`.

    `reason_code` is what a refused client is told (0: 0x87, not authorized; 3.x gets the return code that comes
    nearest) and `text` why. `username` replaces the one of the CONNECT, for those who know better. `data` goes out with
    a success of `on_auth_packet`, as the last Authentication Data of the server.
    """

    allow: bool
    reason_code: int = 0
    text: str = ""
    username: str = ""
    data: bytes | None = None


@dataclass(frozen=True, slots=True)
class Challenge:
    """The answer of `on_auth_packet` that asks the client for another AUTH, which gets `data`."""

    data: bytes | None = None


class Reject(Exception):
    """Raised by a hook to refuse what the client asks for, with the Reason Code that it is told.

    A code that the answering packet does not have becomes 0x80. 3.x clients are told what their version can say.
    """

    def __init__(self, reason_code: int, text: str = "") -> None:
        super().__init__(reason_code, text)
        self.reason_code = reason_code
        self.text = text


class Drop(Exception):
    """Raised by a hook to take something and let it vanish: the client is told that all went well."""

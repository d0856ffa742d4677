# SPDX-License-Identifier: MIT
"""What an embedder may change on its way, and the questions that are answered later."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mqtt_ref.engine.connection import Connection
    from mqtt_ref.engine.session import Session
    from mqtt_ref.wire.packets import Connect, Packet, Publish, Subscribe, Unsubscribe, Will

__all__ = [
    "ASK",
    "LATER",
    "Intercept",
    "Refusal",
]


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


class Intercept:
    """What may be changed, each a callable or None; None changes nothing and costs nothing.

    Each returns what is to go on in place of what it got, None for the same, a `Refusal`, or `LATER`: then an `Ask`
    leaves, the connection waits, and the answer comes back through `Broker.answer`. What they return is legal. Unless
    `waits`, none of them ever returns `LATER`.
    """

    __slots__ = ("connect", "publish", "read", "subscribe", "unsubscribe", "waits", "will")

    def __init__(
        self,
        *,
        waits: bool = True,
        connect: Callable[[Connection, Connect], Refusal | None] | None = None,
        read: Callable[[Connection, Packet], Packet | Refusal | None] | None = None,
        publish: Callable[[Connection, Publish], Publish | Refusal | None] | None = None,
        subscribe: Callable[[Connection, Subscribe], Subscribe | Refusal | None] | None = None,
        unsubscribe: Callable[[Connection, Unsubscribe], Unsubscribe | Refusal | None] | None = None,
        will: Callable[[Session, Will], Will | Refusal | None] | None = None,
    ) -> None:
        self.connect = connect
        self.read = read
        self.publish = publish
        self.subscribe = subscribe
        self.unsubscribe = unsubscribe
        self.will = will
        self.waits = waits

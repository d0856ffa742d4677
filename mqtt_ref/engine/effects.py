# SPDX-License-Identifier: MIT
"""What the engine wants done outside: store a batch, answer a question, write a log line."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mqtt_ref.engine.link import Link
    from mqtt_ref.wire.packets import Connect

__all__ = ["Ask", "Commit", "Effect", "Note"]


class Effect:
    """Base of all effects."""

    __slots__ = ()


class Commit(Effect):
    """Store `records` as one unit, then call `on_committed(batch)` or `on_commit_failed(batch)`."""

    __slots__ = ("batch", "records")

    def __init__(self, batch: int, records: Sequence[object]) -> None:
        self.batch = batch
        self.records = records

    def __repr__(self) -> str:
        return f"Commit(batch={self.batch}, records={list(self.records)!r})"


class Ask(Effect):
    """May this client connect, or go on? `answer(question, verdict, now)` is the way back.

    `method` is empty for user name and password; `connect` is the CONNECT, also for every AUTH that follows it.
    """

    __slots__ = ("connect", "data", "link", "method", "question", "renewal")

    def __init__(
        self, question: int, link: Link, connect: Connect, method: str, data: bytes | None, renewal: bool
    ) -> None:
        self.question = question
        self.link = link
        self.connect = connect
        self.method = method
        self.data = data
        self.renewal = renewal

    def __repr__(self) -> str:
        return f"Ask(question={self.question}, client_id={self.connect.client_id!r}, method={self.method!r})"


class Note(Effect):
    """One line for the log: why a connection was refused or closed."""

    __slots__ = ("client_id", "code", "listener", "remote", "statement", "text")

    def __init__(self, text: str, code: int, statement: str, client_id: str, remote: str, listener: str) -> None:
        self.text = text
        self.code = code
        self.statement = statement
        self.client_id = client_id
        self.remote = remote
        self.listener = listener

    def __repr__(self) -> str:
        return (
            f"Note({self.text!r}, code=0x{self.code:02X}, statement={self.statement!r}, "
            f"client_id={self.client_id!r}, remote={self.remote!r})"
        )

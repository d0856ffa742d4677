# SPDX-License-Identifier: MIT
"""Effects: what the engine asks the driver to do, such as store a batch, ask a hook, or write a log line."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mqtt_ref.engine.connection import Connection
    from mqtt_ref.engine.session import Session
    from mqtt_ref.ports import QueuePut
    from mqtt_ref.wire.packets import Packet, Will

__all__ = ["Ask", "Commit", "Dropped", "Effect", "Note", "Read", "Withdraw"]


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


class Read(Effect):
    """Read a part of a stored queue, then call `on_read(number, records)` or `on_read_failed(number)`.

    That is what `PagedStorage.load_queue(client_id, after, messages, size)` returns, before any later `Commit`.
    """

    __slots__ = ("after", "client_id", "messages", "number", "size")

    def __init__(self, number: int, client_id: str, after: int, messages: int, size: int) -> None:
        self.number = number
        self.client_id = client_id
        self.after = after
        self.messages = messages
        self.size = size

    def __repr__(self) -> str:
        return (
            f"Read({self.number}, {self.client_id!r}, after={self.after}, messages={self.messages}, size={self.size})"
        )

    def is_full(self, records: Sequence[QueuePut]) -> bool:
        """True if so much was read that there may be more."""
        return len(records) >= self.messages or sum([record.message.size for record in records]) >= self.size


class Ask(Effect):
    """A question that is answered later, through `Broker.answer(question, ..., now)`.

    `event` is the event of the hooks that are asked. It determines the type of the answer: a `Verdict` for
    `on_connect_authenticate` and `on_auth_packet`, 0 or a Reason Code for `on_acl_check`, else what `Intercept` says.
    `subject` is the packet or the will. For authentication it is the CONNECT, also for every AUTH after it.
    """

    __slots__ = ("connection", "data", "event", "method", "question", "renewal", "session", "subject", "topic", "write")

    def __init__(
        self,
        question: int,
        event: str,
        connection: Connection | None,
        session: Session | None,
        subject: Packet | Will,
        *,
        method: str = "",
        data: bytes | None = None,
        renewal: bool = False,
        topic: str = "",
        write: bool = False,
    ) -> None:
        self.question = question
        self.event = event
        self.connection = connection
        self.session = session
        self.subject = subject
        self.method = method
        self.data = data
        self.renewal = renewal
        self.topic = topic
        self.write = write

    def __repr__(self) -> str:
        return f"Ask(question={self.question}, event={self.event!r}, connection={self.connection!r})"


class Withdraw(Effect):
    """Withdraw a question: its connection is over, or the answer took too long (`overdue`)."""

    __slots__ = ("overdue", "question")

    def __init__(self, question: int, overdue: bool = False) -> None:
        self.question = question
        self.overdue = overdue

    def __repr__(self) -> str:
        return f"Withdraw(question={self.question}, overdue={self.overdue})"


class Dropped(Effect):
    """Messages were dropped since the last look at `Broker.drops`: the log should say for which clients."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Dropped()"


class Note(Effect):
    """A log line that says why a connection was refused or closed. `routine`: it happens every day, without a fault."""

    __slots__ = ("client_id", "code", "listener", "remote", "routine", "statement", "text")

    def __init__(
        self,
        text: str,
        code: int,
        statement: str,
        client_id: str,
        remote: str,
        listener: str,
        routine: bool = False,
    ) -> None:
        self.text = text
        self.code = code
        self.statement = statement
        self.client_id = client_id
        self.remote = remote
        self.listener = listener
        self.routine = routine

    def __repr__(self) -> str:
        return (
            f"Note({self.text!r}, code=0x{self.code:02X}, statement={self.statement!r}, "
            f"client_id={self.client_id!r}, remote={self.remote!r})"
        )

# SPDX-License-Identifier: MIT
"""Open questions to the embedding program: what was asked, about what, and until when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mqtt_ref.engine import continuing
from mqtt_ref.engine.access import REFUSE, Verdict
from mqtt_ref.engine.effects import Ask, Withdraw
from mqtt_ref.engine.intercept import Refusal
from mqtt_ref.engine.message import SECOND
from mqtt_ref.wire.codes import SERVER_UNAVAILABLE, UNSPECIFIED_ERROR

if TYPE_CHECKING:
    from mqtt_ref.broker.broker import Broker
    from mqtt_ref.engine.authenticate import Authentication
    from mqtt_ref.engine.connection import Connection
    from mqtt_ref.engine.session import Session
    from mqtt_ref.engine.waiting import Suspended
    from mqtt_ref.wire.packets import Packet, Will

__all__ = ["Questions"]

OVERDUE = "The question was not answered in time"


class Questions:
    """Emits each question as an `Ask`. `answer` passes the answer to the connection or will that waits for it."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._newest = 0
        self._connections: dict[int, Connection] = {}
        """By question: the connection that waits for the answer."""
        self._wills: dict[int, tuple[Session, Will]] = {}
        """By question: the will that waits for the answer."""

    def __len__(self) -> int:
        return len(self._connections) + len(self._wills)

    def is_open(self, question: int) -> bool:
        """True if the question is not answered yet."""
        return question in self._connections or question in self._wills

    def ask(self, connection: Connection, auth: Authentication, data: bytes | None, renewal: bool, now: int) -> None:
        """Ask for the authentication of a client. The answer goes to `continuing.answered`."""
        question = auth.question = self._number(now)
        self._connections[question] = connection
        event = "on_auth_packet" if auth.method else "on_connect_authenticate"
        self._broker.effects.append(
            Ask(
                question,
                event,
                connection,
                connection.session,
                auth.connect,
                method=auth.method,
                data=data,
                renewal=renewal,
            )
        )

    def ask_about(
        self, connection: Connection, suspended: Suspended, now: int, subject: Packet, topic: str, write: bool
    ) -> None:
        """Ask about a packet. The answer goes to `continuing.resume`."""
        question = suspended.question = self._number(now)
        self._connections[question] = connection
        ask = Ask(question, suspended.event, connection, connection.session, subject, topic=topic, write=write)
        self._broker.effects.append(ask)

    def ask_about_will(self, session: Session, wanted: Will, now: int) -> None:
        """Ask about a will. No connection waits; the answer goes to `Wills.decided`."""
        question = self._number(now)
        self._wills[question] = (session, wanted)
        self._broker.effects.append(Ask(question, "on_will", None, session, wanted))

    def _number(self, now: int) -> int:
        """Return the number of a new question, and set the timer for its answer."""
        self._newest += 1
        until = now + int(self._broker.options.bounds.hook_timeout * SECOND)
        self._broker.timers.add_question(until, self._newest)
        return self._newest

    def answer(self, question: int, answer: object, now: int) -> bool:
        """Pass on the answer to an `Ask`, of the type that its event needs. Return False if it is no longer awaited.

        Raises:
            TypeError: the question is about authentication, and the answer is not a `Verdict`.
        """
        waiting = self._wills.pop(question, None)
        if waiting is not None:
            session, wanted = waiting
            self._broker.wills.decided(session, wanted, answer, now)
            return True
        connection = self._connections.pop(question, None)
        if connection is None:
            return False
        if connection.auth is not None and connection.auth.question == question:
            if not isinstance(answer, Verdict):
                raise TypeError(f"question {question} asks for a Verdict, not for {answer!r}")
            continuing.answered(connection, answer, now)
            return True
        suspended = connection.suspended
        if suspended is None or suspended.question != question:
            return False
        continuing.resume(connection, answer, now)
        return True

    def overdue(self, question: int, now: int) -> None:
        """Answer a question with no if it is still open, since its time is over."""
        connection = self._connections.get(question)
        no: object = Refusal(UNSPECIFIED_ERROR, OVERDUE)
        if connection is None:
            if question not in self._wills:
                return
        elif connection.auth is not None and connection.auth.question == question:
            no = Verdict(REFUSE, SERVER_UNAVAILABLE, text=OVERDUE)  # no hook has judged this client
        elif connection.suspended is not None and connection.suspended.event == "on_unsubscribe":
            no = None  # let the UNSUBSCRIBE pass: the client wants no more messages
        self._broker.effects.append(Withdraw(question, True))
        self.answer(question, no, now)

    def withdraw(self, connection: Connection) -> None:
        """Withdraw the questions of a connection that is over."""
        auth = connection.auth
        if auth is not None and auth.question:
            self._drop(auth.question)
            auth.question = 0
        waiting = connection.waiting
        if waiting is not None and waiting.suspended is not None:
            self._drop(waiting.suspended.question)
            waiting.suspended = None

    def _drop(self, question: int) -> None:
        if self._connections.pop(question, None) is not None:
            self._broker.effects.append(Withdraw(question))

# SPDX-License-Identifier: MIT
"""Answers questions of the engine in asyncio tasks. Each task asks the hooks in order and returns the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mqtt_ref.broker.views import Client, client_of, owner_of
from mqtt_ref.engine.intercept import Refusal
from mqtt_ref.hooks.chain import Chain, Handler
from mqtt_ref.hooks.changing import CHANGES, FAILED
from mqtt_ref.hooks.deciding import (
    NOBODY,
    V,
    denial,
    entitled,
    read_acl,
    read_decision,
    read_step,
    refusal,
    unshared,
)
from mqtt_ref.hooks.outcomes import Reject
from mqtt_ref.wire.codes import NOT_AUTHORIZED

if TYPE_CHECKING:
    from mqtt_ref.broker.broker import Broker
    from mqtt_ref.engine.effects import Ask, Withdraw
    from mqtt_ref.hooks.later import Later

__all__ = ["Asker"]


class _Open:
    """One open question: its task, and the handler that it waits for."""

    __slots__ = ("handler", "task")

    def __init__(self) -> None:
        self.handler: Handler | None = None
        self.task: asyncio.Task[None] | None = None


class Asker:
    """Answers the questions of one broker. The broker itself measures the time limit of an answer."""

    def __init__(self, broker: Broker, later: Later) -> None:
        self.broker = broker
        self.later = later
        self.answer: Callable[[int, object], object] = lambda question, answer: None
        """Called with each question and its answer; set when the server starts."""
        self._open: dict[int, _Open] = {}

    def ask(self, ask: Ask, chain: Chain) -> None:
        """Start a task that asks the handlers of `chain`."""
        waiting = self._open[ask.question] = _Open()
        waiting.task = self.later.start(self._run(ask, chain, waiting))

    def withdraw(self, effect: Withdraw) -> None:
        """Cancel a question whose answer is no longer needed."""
        waiting = self._open.pop(effect.question, None)
        if waiting is None or waiting.task is None:
            return
        if effect.overdue and waiting.handler is not None:
            waiting.handler.late(self.later.timeout)
        waiting.task.cancel()

    async def _run(self, ask: Ask, chain: Chain, waiting: _Open) -> None:
        connection = ask.connection
        if connection is not None:
            client = client_of(connection)
        else:
            assert ask.session is not None
            client = owner_of(ask.session)
        answer: object
        if ask.event in CHANGES:
            answer = await self._change(ask.event, chain, waiting, client, ask.subject)
        elif ask.event == "on_acl_check":
            topic = ask.topic if ask.write or connection is None else unshared(self.broker, connection, ask.topic)
            answer = await _first(chain, waiting, read_acl, NOT_AUTHORIZED, client, topic, ask.write)
        elif ask.event == "on_auth_packet":
            able = entitled(chain, ask.method)
            answer = await _first(able, waiting, read_step, denial(), client, ask.method, ask.data, ask.renewal)
        else:
            answer = await _first(chain, waiting, read_decision, denial(NOBODY), client, ask.subject)
        if self._open.pop(ask.question, None) is not None:
            self.answer(ask.question, answer)

    async def _change(self, event: str, chain: Chain, waiting: _Open, client: Client, value: Any) -> object:
        """Like `changing.fold`, but handlers may be `async def`."""
        change = CHANGES[event]
        mark = change.mark(value)
        version = client.protocol_version
        changed = False
        for handler in chain:
            try:
                answer = await _called(handler, waiting, client, value)
                if answer is not None:
                    value = change.check(self.broker, version, mark, answer)
                    if change.decides:
                        return None
                    changed = True
            except Reject as no:
                return Refusal(no.reason_code or FAILED.code, no.text)
            except Exception as error:
                return change.given_up(handler, error)
        return value if changed else None


async def _first(chain: Chain, waiting: _Open, read: Callable[[object], V], denied: V, *args: object) -> V:
    """Like `deciding.first`, but handlers may be `async def`."""
    for handler in chain:
        try:
            answer = await _called(handler, waiting, *args)
            if answer is not None:
                return read(answer)
        except Reject as no:
            return refusal(denied, no)
        except Exception as error:
            handler.failed(error)
            return denied
    return denied


async def _called(handler: Handler, waiting: _Open, *args: object) -> Any:
    waiting.handler = handler
    answer = handler.call(*args)
    return await answer if handler.waits else answer

# SPDX-License-Identifier: MIT
"""Builds the callables that the engine calls, each time a hook is added or removed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from mqtt_ref.hooks.asking import Asker
from mqtt_ref.hooks.chain import Chains, chains_of, name_of
from mqtt_ref.hooks.changing import intercept_of
from mqtt_ref.hooks.deciding import access_of
from mqtt_ref.hooks.declare import EVENTS
from mqtt_ref.hooks.hook import Hook
from mqtt_ref.hooks.later import Later
from mqtt_ref.hooks.sending import output_of
from mqtt_ref.hooks.telling import watch_of

if TYPE_CHECKING:
    from mqtt_ref.broker.broker import Broker
    from mqtt_ref.engine.effects import Ask, Withdraw
    from mqtt_ref.ports import Record

__all__ = ["Dispatcher"]

LOG = logging.getLogger("mqtt_ref.hooks")


class Dispatcher:
    """The hooks of one broker."""

    def __init__(self, broker: Broker, hooks: Iterable[Hook] = ()) -> None:
        self.broker = broker
        self.later = Later(broker.options.bounds.hook_timeout)
        self.asker = Asker(broker, self.later)
        self.hooks: tuple[Hook, ...] = ()
        self.chains: Chains = {}
        self._running = False
        self._set(tuple(map(_checked, hooks)))

    def add(self, hook: Hook) -> None:
        """Add a hook after the others. It is called from the next event on.

        Raises:
            TypeError: it is not a `Hook`, or has an `async def` handler for which the broker cannot wait.
            ValueError: it was added already.
        """
        self.replace((), (hook,))

    def remove(self, hook: Hook) -> None:
        """Remove a hook. The broker still waits for answers to earlier questions.

        Raises:
            ValueError: it was not added.
        """
        self.replace((hook,), ())

    def replace(self, gone: Sequence[Hook], come: Sequence[Hook]) -> None:
        """Remove some hooks and add others after the rest. No event is fired in between.

        Raises:
            TypeError: a new one is not a `Hook`, or has an `async def` handler for which the broker cannot wait.
            ValueError: one to remove was not added, or a new one was added already.
        """
        for hook in gone:
            if hook not in self.hooks:
                raise ValueError(f"hook {name_of(hook)} cannot be removed: it was not added")
        kept = tuple(hook for hook in self.hooks if hook not in gone)
        for hook in map(_checked, come):
            if hook in kept:
                raise ValueError(f"hook {name_of(hook)} cannot be added: it was added already")
            kept = (*kept, hook)
        self._set(kept)
        if self._running:
            for hook in come:
                self._tell(hook, "on_started")
            for hook in gone:
                self._tell(hook, "on_stopped")

    def _set(self, hooks: tuple[Hook, ...]) -> None:
        broker = self.broker
        chains = chains_of(hooks)  # raises before anything is changed
        for hook in self.hooks:
            hook._brokers = tuple(one for one in hook._brokers if one is not broker)
        for hook in hooks:
            hook._brokers = (*hook._brokers, broker)
        self.hooks = hooks
        self.chains = chains
        watch = watch_of(chains, self.later)
        broker.set_hooks(
            access_of(chains, broker),
            watch,
            intercept_of(chains, broker),
            output_of(chains, watch),
        )

    # ---------------------------------------------------------------- start and stop

    def begin(self, loop: asyncio.AbstractEventLoop, answer: Callable[[int, object], object]) -> None:
        """Run `async def` handlers on this loop from now on. Called before the server opens its listeners.

        `answer(question, outcome)` is called with the outcome of each question that was passed to `ask`.
        """
        self.later.begin(loop)
        self.asker.answer = answer

    def ask(self, ask: Ask) -> None:
        """Pass a question of the engine to the hooks."""
        self.asker.ask(ask, self.chains[ask.event])

    def withdraw(self, effect: Withdraw) -> None:
        """Cancel a question whose answer is no longer needed."""
        self.asker.withdraw(effect)

    async def stored(self) -> tuple[list[Record], dict[str, int]]:
        """Load the stored state from the hooks: records (sessions first) and counters.

        Raises:
            Exception: whatever a hook raises. Without its stored state the server must not start.
        """
        records: list[Record] = []
        records.extend(await self._load("stored_clients") or ())
        records.extend(await self._load("stored_subscriptions") or ())
        records.extend(await self._load("stored_inflight_messages") or ())
        records.extend(await self._load("stored_retained_messages") or ())
        counters = await self._load("stored_sys_info")
        return records, {} if counters is None else dict(counters)

    async def _load(self, event: str) -> Any:
        for handler in self.chains[event]:
            answer = handler.call()
            if handler.waits:
                answer = await answer
            if answer is not None:
                return answer
        return None

    async def started(self) -> None:
        """Fire `on_started`: the server runs."""
        self._running = True
        for handler in self.chains["on_started"]:
            await self.later.call(handler, ())

    async def stopped(self, grace: float) -> None:
        """Fire `on_stopped`, give tasks `grace` seconds to finish, then cancel them."""
        if self._running:
            self._running = False
            await asyncio.gather(*(self.later.call(handler, ()) for handler in self.chains["on_stopped"]))
        await self.later.end(grace)

    def _tell(self, hook: Hook, event: str) -> None:
        for handler in chains_of((hook,))[event]:
            self.later.start(self.later.call(handler, ()))


def _checked(hook: Hook) -> Hook:
    if not isinstance(hook, Hook):
        raise TypeError(f"{hook!r} is not a hook: its class must inherit from mqtt_ref.hooks.Hook")
    for event in EVENTS:
        if event in getattr(hook, "__dict__", ()):
            LOG.warning("hook %s: %s was set on the object, where it has no effect; override it", name_of(hook), event)
    for name in dir(type(hook)):
        if name.startswith("on_") and name not in EVENTS:
            from difflib import get_close_matches

            for meant in get_close_matches(name, EVENTS, 1, 0.8):
                LOG.warning("hook %s: there is no event %s; did you mean %s?", name_of(hook), name, meant)
    return hook

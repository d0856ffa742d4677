# SPDX-License-Identifier: MIT
"""From hooks to what the engine calls: worked out when a hook is added or removed, not when it is called."""

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
        """Add a hook behind the others; it is asked from the next event on.

        Raises:
            TypeError: it is no hook, or has an `async def` where none can be.
            ValueError: it was added before.
        """
        self.replace((), (hook,))

    def remove(self, hook: Hook) -> None:
        """Remove a hook; what it was asked before is still waited for.

        Raises:
            ValueError: it is not there.
        """
        self.replace((hook,), ())

    def replace(self, gone: Sequence[Hook], come: Sequence[Hook]) -> None:
        """Remove some hooks and add others behind the rest, with nothing happening in between.

        Raises:
            TypeError: one that comes is no hook, or has an `async def` where none can be.
            ValueError: one that is to go is not there, or one that comes is already.
        """
        for hook in gone:
            if hook not in self.hooks:
                raise ValueError(f"hook {name_of(hook)} is not there")
        kept = tuple(hook for hook in self.hooks if hook not in gone)
        for hook in map(_checked, come):
            if hook in kept:
                raise ValueError(f"hook {name_of(hook)} was added already")
            kept = (*kept, hook)
        self._set(kept)
        if self._running:
            for hook in come:
                self._tell(hook, "on_started")
            for hook in gone:
                self._tell(hook, "on_stopped")

    def _set(self, hooks: tuple[Hook, ...]) -> None:
        broker = self.broker
        chains = chains_of(hooks)  # nothing changes if one of them is not as it should be
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

    # ---------------------------------------------------------------- the server's life

    def begin(self, loop: asyncio.AbstractEventLoop, answer: Callable[[int, object], object]) -> None:
        """The server is about to open its listeners: handlers that are `async def` run on its loop.

        `answer(question, outcome)` is the way back of what `ask` was asked.
        """
        self.later.begin(loop)
        self.asker.answer = answer

    def ask(self, ask: Ask) -> None:
        """A question of the engine that hooks are to answer."""
        self.asker.ask(ask, self.chains[ask.event])

    def withdraw(self, effect: Withdraw) -> None:
        """A question that need not be answered any more."""
        self.asker.withdraw(effect)

    async def stored(self) -> tuple[list[Record], dict[str, int]]:
        """What the hooks have kept for the broker to go on from: records, sessions first, and counters.

        Raises:
            Exception: whatever one of them raises: without what was kept, the server must not start.
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
        """The server runs: tell it."""
        self._running = True
        for handler in self.chains["on_started"]:
            await self.later.call(handler, ())

    async def stopped(self, grace: float) -> None:
        """The server has stopped: tell it, and end the tasks."""
        if self._running:
            self._running = False
            await asyncio.gather(*(self.later.call(handler, ()) for handler in self.chains["on_stopped"]))
        await self.later.end(grace)

    def _tell(self, hook: Hook, event: str) -> None:
        for handler in chains_of((hook,))[event]:
            self.later.start(self.later.call(handler, ()))


def _checked(hook: Hook) -> Hook:
    if not isinstance(hook, Hook):
        raise TypeError(f"{hook!r} is no hook: hooks are objects of classes that inherit from mqtt_ref.hooks.Hook")
    for event in EVENTS:
        if event in getattr(hook, "__dict__", ()):
            LOG.warning("hook %s: %s was set on the object, where it has no effect; override it", name_of(hook), event)
    for name in dir(type(hook)):
        if name.startswith("on_") and name not in EVENTS:
            from difflib import get_close_matches

            for meant in get_close_matches(name, EVENTS, 1, 0.8):
                LOG.warning("hook %s: there is no event %s; did you mean %s?", name_of(hook), name, meant)
    return hook

# SPDX-License-Identifier: MIT
"""From hooks to what the engine calls: worked out when a hook is added or removed, not when it is called."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from mqtt_ref.hooks.chain import chain_of, name_of
from mqtt_ref.hooks.deciding import access_of
from mqtt_ref.hooks.declare import EVENTS
from mqtt_ref.hooks.hook import Hook
from mqtt_ref.hooks.later import Later
from mqtt_ref.hooks.telling import watch_of

if TYPE_CHECKING:
    from mqtt_ref.broker.broker import Broker

__all__ = ["Dispatcher"]

LOG = logging.getLogger("mqtt_ref.hooks")


class Dispatcher:
    """The hooks of one broker."""

    def __init__(self, broker: Broker, hooks: Iterable[Hook] = ()) -> None:
        self.broker = broker
        self.later = Later(broker.options.bounds.hook_timeout)
        self.hooks: tuple[Hook, ...] = ()
        self._running = False
        self._set(tuple(map(_checked, hooks)))

    def add(self, hook: Hook) -> None:
        """Add a hook behind the others; it is asked from the next event on.

        Raises:
            TypeError: it is no hook, or has an `async def` where none can be.
            ValueError: it was added before.
        """
        if hook in self.hooks:
            raise ValueError(f"hook {name_of(hook)} was added already")
        self._set((*self.hooks, _checked(hook)))
        if self._running:
            self._tell(hook, "on_started")

    def remove(self, hook: Hook) -> None:
        """Remove a hook; what it was asked before is still waited for.

        Raises:
            ValueError: it is not there.
        """
        if hook not in self.hooks:
            raise ValueError(f"hook {name_of(hook)} is not there")
        self._set(tuple(one for one in self.hooks if one is not hook))
        if self._running:
            self._tell(hook, "on_stopped")

    def _set(self, hooks: tuple[Hook, ...]) -> None:
        broker = self.broker
        for event in EVENTS:
            chain_of(hooks, event)  # nothing changes if one of them is not as it should be
        access = access_of(hooks, broker)
        watch = watch_of(hooks, broker, self.later)
        self.hooks = hooks
        broker.set_access(access)
        broker.watch = watch

    # ---------------------------------------------------------------- the server's life

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """The server is about to open its listeners: handlers that are `async def` run on its loop."""
        self.later.begin(loop)

    async def started(self) -> None:
        """The server runs: tell it."""
        self._running = True
        await self._tell_all("on_started")

    async def stopped(self, grace: float) -> None:
        """The server has stopped: tell it, and end the tasks."""
        if self._running:
            self._running = False
            await self._tell_all("on_stopped")
        await self.later.end(grace)

    async def _tell_all(self, event: str) -> None:
        for handler in chain_of(self.hooks, event):
            await self.later.call(handler, ())

    def _tell(self, hook: Hook, event: str) -> None:
        for handler in chain_of((hook,), event):
            self.later.start(self.later.call(handler, ()))


def _checked(hook: Hook) -> Hook:
    if not isinstance(hook, Hook):
        raise TypeError(f"{hook!r} is no hook: hooks are objects of classes that inherit from mqtt_ref.hooks.Hook")
    for event in EVENTS:
        if event in getattr(hook, "__dict__", ()):
            LOG.warning("hook %s: %s was set on the object, where it has no effect; override it", name_of(hook), event)
    return hook

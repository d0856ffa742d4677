# SPDX-License-Identifier: MIT
"""The handlers of one event, in the order of their hooks, and what becomes of what they raise."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from inspect import iscoroutine, iscoroutinefunction
from time import monotonic_ns
from typing import Any

from mqtt_ref.hooks.declare import EVENTS
from mqtt_ref.hooks.hook import Hook
from mqtt_ref.log import Throttle

__all__ = ["Chain", "Chains", "Handler", "chains_of", "name_of", "unfit"]

LOG = logging.getLogger("mqtt_ref.hooks")


class Handler:
    """One method of one hook."""

    __slots__ = ("_lines", "call", "event", "hook", "id", "waits")

    def __init__(self, hook: Hook, event: str) -> None:
        self.hook = hook
        self.event = event
        self.id = name_of(hook)
        self.call: Callable[..., Any] = getattr(hook, event)
        self.waits = iscoroutinefunction(self.call)
        self._lines = Throttle(LOG.error)

    def failed(self, error: BaseException) -> None:
        """Log what the handler raised, at most a hundred times a second."""
        if self._lines.passes(monotonic_ns()):
            LOG.error("hook %s failed in %s: %r", self.id, self.event, error, exc_info=error)

    def late(self, seconds: float) -> None:
        """Log that it was not waited for any longer."""
        if self._lines.passes(monotonic_ns()):
            LOG.error("hook %s did not answer %s within %g s", self.id, self.event, seconds)


Chain = tuple[Handler, ...]
Chains = Mapping[str, Chain]


def chains_of(hooks: Sequence[Hook]) -> Chains:
    """The handlers of every event.

    Raises:
        TypeError: one of them is `async def` where nothing can wait for it.
    """
    chains: dict[str, Chain] = {}
    for event in EVENTS.values():
        base = getattr(Hook, event.name)
        chain = tuple(Handler(hook, event.name) for hook in hooks if getattr(type(hook), event.name) is not base)
        for handler in chain:
            if handler.waits and not event.waits:
                raise TypeError(f"hook {handler.id}: {event.name} cannot be async def, since nothing can wait for it")
            if handler.waits and event.name == "on_acl_check" and not handler.hook.filters_only:
                raise TypeError(
                    f"hook {handler.id}: on_acl_check is async def, and nothing can wait for it when a topic is "
                    "delivered; write a plain one, or set `filters_only = True` if what it says of a filter holds for "
                    "every topic that the filter matches"
                )
        chains[event.name] = chain
    return chains


def name_of(hook: Hook) -> str:
    """What the log calls a hook."""
    return hook.id or type(hook).__name__


def unfit(answer: object, wanted: str) -> TypeError:
    """The error for an answer of the wrong kind."""
    if iscoroutine(answer):
        answer.close()
        return TypeError("it returned a coroutine, but is not async def")
    return TypeError(f"it returned {answer!r} instead of {wanted}")

# SPDX-License-Identifier: MIT
"""Handlers of each event, in the order of their hooks, and the log lines about their failures."""

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
        """Log the exception that the handler raised: at most 100 lines per second."""
        if self._lines.passes(monotonic_ns()):
            LOG.error("hook %s failed in %s: %r", self.id, self.event, error, exc_info=error)

    def late(self, seconds: float) -> None:
        """Log that the handler did not answer within `seconds`."""
        if self._lines.passes(monotonic_ns()):
            LOG.error("hook %s did not answer %s within %g s", self.id, self.event, seconds)


Chain = tuple[Handler, ...]
Chains = Mapping[str, Chain]


def chains_of(hooks: Sequence[Hook]) -> Chains:
    """Return the handlers of every event.

    Raises:
        TypeError: a handler is `async def`, but the broker cannot wait for its answer.
    """
    chains: dict[str, Chain] = {}
    for event in EVENTS.values():
        base = getattr(Hook, event.name)
        chain = tuple(Handler(hook, event.name) for hook in hooks if getattr(type(hook), event.name) is not base)
        for handler in chain:
            if handler.waits and not event.waits:
                raise TypeError(
                    f"hook {handler.id}: {event.name} cannot be async def, because the broker cannot wait for it; "
                    "write a plain method"
                )
            if handler.waits and event.name == "on_acl_check" and not handler.hook.filters_only:
                raise TypeError(
                    f"hook {handler.id}: on_acl_check is async def, but the broker cannot wait for it when it delivers "
                    "a message; write a plain method, or set `filters_only = True` if the answer for a filter is valid "
                    "for every topic that the filter matches"
                )
        chains[event.name] = chain
    return chains


def name_of(hook: Hook) -> str:
    """Return the name of a hook in the log."""
    return hook.id or type(hook).__name__


def unfit(answer: object, wanted: str) -> TypeError:
    """Return the error for an answer of the wrong type."""
    if iscoroutine(answer):
        answer.close()
        return TypeError("it returned a coroutine, but is not async def")
    return TypeError(f"it returned {answer!r} instead of {wanted}")

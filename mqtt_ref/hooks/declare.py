# SPDX-License-Identifier: MIT
"""Decorators that declare hook events. Dispatch, the documentation and the tests read `EVENTS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, TypeVar

__all__ = ["ENGINE", "EVENTS", "Event", "decide", "load", "notify", "transform"]

F = TypeVar("F", bound=Callable[..., Any])


class Event(NamedTuple):
    """One event. `waits`: handlers may be `async def`. `fails`: the outcome when a handler raises."""

    name: str
    kind: str
    waits: bool
    fails: str
    arguments: Mapping[str, str]
    """By argument name: its annotation as text."""
    by: str
    """What fires it. `engine`: the generated slot of its name. Code written by hand: `server` (start, stop), `access`
    (checks) or `output` (to a client).
    """

    @property
    def of_client(self) -> bool:
        """True if the event is about a client: its first argument."""
        return next(iter(self.arguments.values()), "") in CLIENT


ENGINE: Final = "engine"
CLIENT: Final = ("Client", "Client | None")
EVENTS: Final[dict[str, Event]] = {}
"""All events by name, in the order of their declaration."""


def notify(*, waits: bool = True, by: str = ENGINE) -> Callable[[F], F]:
    """Declare a notification: it is fired after the fact. What a handler returns or raises changes nothing."""
    return _event("notify", waits, "logged", by)


def transform(*, fails: str, waits: bool = True, by: str = ENGINE) -> Callable[[F], F]:
    """Declare an event that may change its last argument. Each handler gets the result of the one before."""
    return _event("transform", waits, fails, by)


def decide(*, fails: str, waits: bool = True, by: str = ENGINE) -> Callable[[F], F]:
    """Declare a decision. Handlers are asked in order; the first answer that is not None decides."""
    return _event("decide", waits, fails, by)


def load() -> Callable[[F], F]:
    """Declare an event that loads stored state when the server starts. The first answer that is not None counts."""
    return _event("load", True, "the server does not start", "server")


def _event(kind: str, waits: bool, fails: str, by: str) -> Callable[[F], F]:
    def declare(method: F) -> F:
        arguments = {name: str(type_) for name, type_ in method.__annotations__.items() if name != "return"}
        if any(type_ in CLIENT for type_ in list(arguments.values())[1:]):
            raise TypeError(f"event {method.__name__}: its client must be the first argument")
        EVENTS[method.__name__] = Event(method.__name__, kind, waits, fails, arguments, by)
        return method

    return declare

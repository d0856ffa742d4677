# SPDX-License-Identifier: MIT
"""How an event is declared: by decorating its method of `Hook`. Dispatch, the page and the tests read `EVENTS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, TypeVar

__all__ = ["ENGINE", "EVENTS", "Event", "decide", "load", "notify", "transform"]

F = TypeVar("F", bound=Callable[..., Any])


class Event(NamedTuple):
    """One event. `waits` says whether a handler may be `async def`; `fails`, what follows when a handler raises."""

    name: str
    kind: str
    waits: bool
    fails: str
    arguments: Mapping[str, str]
    """The types of its arguments as they are written, by name."""
    by: str
    """What fires it: `engine`, through the generated slot of its name; else, by hand, the `server` as a whole, the
    `access` checks, or the `output` to a client.
    """

    @property
    def of_client(self) -> bool:
        """Whether it is about a client; then that is its first argument."""
        return next(iter(self.arguments.values()), "") in CLIENT


ENGINE: Final = "engine"
CLIENT: Final = ("Client", "Client | None")
EVENTS: Final[dict[str, Event]] = {}
"""All events by name, in the order in which they are declared."""


def notify(*, waits: bool = True, by: str = ENGINE) -> Callable[[F], F]:
    """Told after the fact. What a handler returns or raises changes nothing."""
    return _event("notify", waits, "logged", by)


def transform(*, fails: str, waits: bool = True, by: str = ENGINE) -> Callable[[F], F]:
    """May change what passes, its last argument: each handler gets what the one before it returned."""
    return _event("transform", waits, fails, by)


def decide(*, fails: str, waits: bool = True, by: str = ENGINE) -> Callable[[F], F]:
    """Handlers are asked in order; the first answer that is not None decides."""
    return _event("decide", waits, fails, by)


def load() -> Callable[[F], F]:
    """Asked once, when the server starts, for what outlived the one before; the first answer counts."""
    return _event("load", True, "the server does not start", "server")


def _event(kind: str, waits: bool, fails: str, by: str) -> Callable[[F], F]:
    def declare(method: F) -> F:
        arguments = {name: str(type_) for name, type_ in method.__annotations__.items() if name != "return"}
        if any(type_ in CLIENT for type_ in list(arguments.values())[1:]):
            raise TypeError(f"event {method.__name__}: its client has to be the first argument")
        EVENTS[method.__name__] = Event(method.__name__, kind, waits, fails, arguments, by)
        return method

    return declare

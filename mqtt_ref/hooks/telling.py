# SPDX-License-Identifier: MIT
"""Notifications: what the broker calls for each event, made from the handlers when hooks are added or removed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mqtt_ref.broker.views import view_of
from mqtt_ref.engine.generated.events import Watch
from mqtt_ref.hooks.chain import Chain, Chains
from mqtt_ref.hooks.declare import ENGINE, EVENTS

if TYPE_CHECKING:
    from mqtt_ref.engine.connection import Connection
    from mqtt_ref.engine.session import Session
    from mqtt_ref.hooks.later import Later

__all__ = ["watch_of"]

Tell = Callable[..., None]


def _tell_of(chains: Chains, event: str, later: Later) -> Tell | None:
    """A callable that tells all hooks with a handler of the event; None if there is none. It never raises."""
    chain = chains[event]
    return _teller(chain, later) if chain else None


def _teller(chain: Chain, later: Later) -> Tell:
    def tell(*args: Any) -> None:
        for handler in chain:
            if handler.waits:
                later.tell(handler, args)
                continue
            try:
                handler.call(*args)
            except Exception as error:
                handler.failed(error)

    return tell


def watch_of(chains: Chains, later: Later) -> Watch:
    """What the engine is to tell these hooks: a callable for each event that one of them has a handler of."""
    watch = Watch()
    for event in EVENTS.values():
        if event.kind == "notify" and event.by == ENGINE:
            tell = _tell_of(chains, event.name, later)
            if tell is not None:
                setattr(watch, event.name, _of_client(tell) if event.of_client else tell)
    return watch


def _of_client(tell: Tell) -> Tell:
    """The same for the engine, which has a connection or a session where a hook sees a client."""

    def told(subject: Connection | Session | None, *rest: object) -> None:
        tell(view_of(subject), *rest)

    return told

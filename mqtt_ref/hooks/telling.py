# SPDX-License-Identifier: MIT
"""Notifications: what the broker calls for each event, made from the handlers when hooks are added or removed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

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


def watch_of(chains: Chains, later: Later) -> Watch:
    """What the engine is to tell these hooks: a callable for each event that one of them has a handler of."""
    watch = Watch()
    for event in EVENTS.values():
        chain = chains[event.name]
        if chain and event.kind == "notify" and event.by == ENGINE:
            setattr(watch, event.name, _about_client(chain, later) if event.of_client else _tell(chain, later))
    return watch


def _about_client(chain: Chain, later: Later) -> Tell:
    """Tells the handlers, which see a client where the engine has a connection or a session. It never raises."""

    def told(subject: Connection | Session | None, *rest: object) -> None:
        client = view_of(subject)
        for handler in chain:
            if handler.waits:
                later.tell(handler, (client, *rest))
                continue
            try:
                handler.call(client, *rest)
            except Exception as error:
                handler.failed(error)

    return told


def _tell(chain: Chain, later: Later) -> Tell:
    """The same for an event that is about no client."""

    def told(*arguments: object) -> None:
        for handler in chain:
            if handler.waits:
                later.tell(handler, arguments)
                continue
            try:
                handler.call(*arguments)
            except Exception as error:
                handler.failed(error)

    return told

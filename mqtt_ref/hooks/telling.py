# SPDX-License-Identifier: MIT
"""Notification hooks: builds one callable for each event from its handlers."""

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
    """Build the `Watch` of these hooks: a callable for each notification that has a handler."""
    watch = Watch()
    for event in EVENTS.values():
        chain = chains[event.name]
        if chain and event.kind == "notify" and event.by == ENGINE:
            setattr(watch, event.name, _about_client(chain, later) if event.of_client else _tell(chain, later))
    return watch


def _about_client(chain: Chain, later: Later) -> Tell:
    """Build a callable that never raises. It converts a connection or session to the `Client` that handlers see."""

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
    """Build a callable that never raises, for an event that is not about a client."""

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

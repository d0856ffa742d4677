# SPDX-License-Identifier: MIT
"""Hooks that are told: what the broker calls, with what a hook wants to know put together only if one listens."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mqtt_ref.broker.views import Client, client_of, owner_of
from mqtt_ref.engine.ends import GOODBYE
from mqtt_ref.engine.watch import Watch
from mqtt_ref.hooks.chain import Chain, Chains

if TYPE_CHECKING:
    from mqtt_ref.broker.broker import Broker
    from mqtt_ref.engine.connection import Connection
    from mqtt_ref.engine.message import Message
    from mqtt_ref.engine.session import Session
    from mqtt_ref.hooks.later import Later

__all__ = ["Tell", "tell_of", "watch_of"]

Tell = Callable[..., None]


def tell_of(chains: Chains, event: str, later: Later) -> Tell | None:
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


def watch_of(chains: Chains, broker: Broker, later: Later) -> Watch | None:
    """What the engine is to tell these hooks; None if none of them listens."""
    watch = Watch()
    any_of_them = False

    def on(event: str, slot: str, make: Callable[[Tell], Callable[..., None]]) -> None:
        nonlocal any_of_them
        tell = tell_of(chains, event, later)
        if tell is not None:
            any_of_them = True
            setattr(watch, slot, make(tell))

    on("on_session_establish", "establishing", _of_link)
    on("on_session_established", "connected", _connected)
    on("on_disconnect", "disconnected", _disconnected)
    on("on_packet_processed", "processed", _of_link)
    on("on_subscribed", "subscribed", _of_link)
    on("on_unsubscribed", "unsubscribed", _of_link)
    on("on_published", "published", lambda tell: _of_publisher(tell, broker))
    on("on_publish_dropped", "dropped", _of_subscriber)
    on("on_retain_message", "retained", lambda tell: _of_publisher(tell, broker))
    on("on_retain_published", "retained_sent", _of_session)
    on("on_retained_expired", "retained_expired", _as_it_is)
    on("on_qos_publish", "qos_publish", _of_session)
    on("on_qos_complete", "qos_complete", _of_session)
    on("on_qos_dropped", "qos_dropped", _of_session)
    on("on_packet_id_exhausted", "exhausted", _of_session)
    on("on_will_sent", "will_sent", _of_session)
    on("on_client_expired", "session_ended", _expired)
    on("on_sys_info_tick", "sys_info", _as_it_is)
    return watch if any_of_them else None


def _as_it_is(tell: Tell) -> Callable[..., None]:
    return tell


def _of_link(tell: Tell) -> Callable[..., None]:
    def told(connection: Connection, *rest: Any) -> None:
        tell(client_of(connection), *rest)

    return told


def _of_session(tell: Tell) -> Callable[..., None]:
    def told(session: Session, *rest: Any) -> None:
        tell(owner_of(session), *rest)

    return told


def _of_subscriber(tell: Tell) -> Callable[..., None]:
    def told(session: Session | None, message: Message, why: str) -> None:
        tell(None if session is None else owner_of(session), message, why)

    return told


def _of_publisher(tell: Tell, broker: Broker) -> Callable[..., None]:
    def told(message: Message, *rest: Any) -> None:
        client: Client | None = None
        if message.publisher:
            session = broker.sessions.by_client_id.get(message.publisher)
            if session is not None:
                client = owner_of(session)
        tell(client, message, *rest)

    return told


def _connected(tell: Tell) -> Callable[..., None]:
    def told(connection: Connection, session: Session, present: bool) -> None:
        tell(client_of(connection), present)

    return told


def _disconnected(tell: Tell) -> Callable[..., None]:
    def told(connection: Connection, session: Session, how: int) -> None:
        if how == GOODBYE:
            tell(client_of(connection), 0, "")
        else:
            tell(client_of(connection), connection.reason_code, connection.reason_text or "The link was lost")

    return told


def _expired(tell: Tell) -> Callable[..., None]:
    def told(session: Session, why: str) -> None:
        if why == "expired":
            tell(owner_of(session))

    return told

# SPDX-License-Identifier: MIT
"""A broker with its listeners on an event loop, to be embedded or served: `async with Server(...) as server`."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from time import monotonic_ns, time_ns
from types import TracebackType
from typing import TYPE_CHECKING, Final

from mqtt_ref.broker.broker import Broker
from mqtt_ref.broker.views import owner_of, retained_of, subscriptions_of
from mqtt_ref.engine.counters import COUNTERS
from mqtt_ref.engine.options import Options
from mqtt_ref.engine.tables import TABLES, Tables
from mqtt_ref.hooks.dispatch import Dispatcher
from mqtt_ref.hooks.hook import Hook
from mqtt_ref.net.channel import Channel
from mqtt_ref.net.driver import Driver
from mqtt_ref.net.inline import Inline
from mqtt_ref.net.listener import Listener, ListenerError
from mqtt_ref.net.tcp import TcpListener
from mqtt_ref.wire.codes import ADMINISTRATIVE_ACTION

if TYPE_CHECKING:
    from mqtt_ref.broker.inline import Received
    from mqtt_ref.broker.views import Client, RetainedView, SubscriptionView
    from mqtt_ref.net.channel import Layers
    from mqtt_ref.net.clock import Clock
    from mqtt_ref.net.inline import Messages
    from mqtt_ref.net.layer import Layer
    from mqtt_ref.net.trace import Trace
    from mqtt_ref.wire.packets import Packet, PublishProperties

__all__ = ["GRACE", "Server"]

LOG = logging.getLogger("mqtt_ref.net")
GRACE: Final = 0.75
"""Seconds that clients have to take what they are told when the server stops."""


class Server:
    """A broker that listens.

    Nobody may connect unless one of the `hooks` says so; `AllowAll` lets everybody in. `listeners` is one TCP listener
    on loopback with a free port when none are given. `tables` are the rules that the broker keeps; a changed copy
    makes one that breaks them. `layers` makes what stands between the transport and the broker for each
    accepted connection, besides what its listener needs (see `mqtt_ref.net.layer`); `clock` is the time that the broker
    goes by.

        async with Server(hooks=[AllowAll()]) as server:
            print(server.url)
    """

    def __init__(
        self,
        options: Options | None = None,
        listeners: Sequence[Listener] | None = None,
        *,
        hooks: Sequence[Hook] = (),
        trace: Trace | None = None,
        tables: Tables = TABLES,
        layers: Layers | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.options = Options() if options is None else options
        self.listeners: list[Listener] = [TcpListener(port=0)] if listeners is None else list(listeners)
        self.trace = trace
        self.layers = layers
        self._clock = clock
        self._now: Callable[[], int] = monotonic_ns if clock is None else clock.now
        self.broker = Broker(self.options, tables, seed=secrets.randbits(64))
        self.hooks = Dispatcher(self.broker, hooks)
        self._driver: Driver | None = None
        self._begun = False
        self._inline: Inline | None = None
        self._inlines: dict[str, Inline] = {}
        """By Client Identifier: the newest inline client that has it."""

    @property
    def url(self) -> str:
        """Where the first listener is reached; it is open while the server runs."""
        return self.listeners[0].urls[0]

    @property
    def port(self) -> int:
        """The port of the first listener."""
        return self.listeners[0].port

    @property
    def driver(self) -> Driver:
        """What runs the broker while the server is started."""
        if self._driver is None:
            raise RuntimeError("the server does not run")
        return self._driver

    @property
    def host(self) -> str:
        """The address of the first listener; empty where it has none."""
        return self.listeners[0].host

    def add_hook(self, hook: Hook) -> None:
        """Add a hook behind the others, also while the server runs; it is asked from the next event on.

        Raises:
            TypeError: it is no hook, or has an `async def` where nothing can wait for it.
            ValueError: it was added before.
        """
        self.hooks.add(hook)

    def remove_hook(self, hook: Hook) -> None:
        """Remove a hook, also while the server runs.

        Raises:
            ValueError: it is not there.
        """
        self.hooks.remove(hook)

    def rules_changed(self) -> None:
        """Forget who may read what: hooks are asked again for each topic that is delivered."""
        self.broker.rules_changed()

    # ---------------------------------------------------------------- from inside

    @property
    def inline(self) -> Inline:
        """The client of the embedding program itself.

        Raises:
            RuntimeError: the options have no inline client.
        """
        if self._inline is None:
            self._inline = self.inline_client("inline")
        return self._inline

    def inline_client(self, client_id: str) -> Inline:
        """Another client inside the program, with subscriptions of its own.

        Raises:
            RuntimeError: the options have no inline client.
        """
        if not self.options.inline_client:
            raise RuntimeError("this server has no inline client: `inline_client` is off in its options")
        made = Inline(self.broker, client_id, self._wake, self._now)
        self._inlines[client_id] = made
        return made

    def publish(
        self,
        topic: str,
        payload: bytes | str = b"",
        *,
        qos: int = 0,
        retain: bool = False,
        properties: PublishProperties | None = None,
    ) -> bool:
        """Publish a message, to `$SYS` topics too; False if nobody had subscribed. See `Inline.publish`."""
        return self.inline.publish(topic, payload, qos=qos, retain=retain, properties=properties)

    def subscribe(self, topic_filter: str, handler: Callable[[Received], object], *, identifier: int = 0) -> None:
        """Have `handler` called with each message that matches. See `Inline.subscribe`."""
        self.inline.subscribe(topic_filter, handler, identifier=identifier)

    def unsubscribe(self, topic_filter: str, identifier: int = 0) -> bool:
        """Delete a subscription of `subscribe`; False if there is none with this filter and identifier."""
        return self.inline.unsubscribe(topic_filter, identifier)

    def messages(self, topic_filter: str) -> Messages:
        """The messages that match, to loop over with `async for`. See `Inline.messages`."""
        return self.inline.messages(topic_filter)

    def inject(self, client_id: str, packet: Packet) -> None:
        """Handle a packet as if the client had sent it now, rules and hooks included.

        For an inline client, for which no rules hold, a PUBLISH; unless a client with its identifier is connected.

        Raises:
            LookupError: no client with this identifier is connected, or inline.
            ValueError: a client may not send such a packet in its version, or an inline one none but PUBLISH.
        """
        session = self.broker.sessions.by_client_id.get(client_id)
        inline = self._inlines.get(client_id)
        if inline is not None and (session is None or session.connection is None):
            inline.inject(packet)
            return
        self.broker.inject_packet(client_id, packet, self._now())
        self._wake()

    def disconnect(
        self, client_id: str, reason_code: int = ADMINISTRATIVE_ACTION, text: str = "", server_reference: str = ""
    ) -> bool:
        """End the connection of a client, with a reason if it speaks 5.0; False if it is not connected."""
        text = text or "Disconnected by the administrator"
        found = self.broker.disconnect(client_id, reason_code, text, self._now(), server_reference)
        self._wake()
        return found

    def clients(self) -> list[Client]:
        """All clients that have a session, connected or not."""
        return [owner_of(session) for session in self.broker.sessions.by_client_id.values()]

    def client(self, client_id: str) -> Client | None:
        """A client by its identifier, if it has a session."""
        session = self.broker.sessions.by_client_id.get(client_id)
        return None if session is None else owner_of(session)

    def subscriptions(self) -> list[SubscriptionView]:
        """The subscriptions of all sessions."""
        return [row for session in self.broker.sessions.by_client_id.values() for row in subscriptions_of(session)]

    def retained(self, topic_filter: str = "#") -> list[RetainedView]:
        """The retained messages whose topics match; `#` leaves out topics that begin with `$`."""
        return [retained_of(message) for message in self.broker.retained.matching(topic_filter, self._now())]

    def reset(self) -> None:
        """Disconnect all clients and forget their sessions and all retained messages, `$SYS` apart."""
        self.broker.sessions.remove_all(self._now())
        self.broker.retained.remove_all()
        self._wake()

    def _wake(self) -> None:
        """Have written what was caused from outside the event loop's own turn."""
        if self._driver is not None:
            self._driver.schedule()

    # ---------------------------------------------------------------- the life of a server

    async def start(self) -> None:
        """Open all listeners, or none.

        Raises:
            ListenerError: one of them cannot be opened.
        """
        if self._driver is not None:
            raise RuntimeError("the server runs already")
        self._driver = driver = Driver(self.broker, asyncio.get_running_loop(), self._clock)
        self.broker.shutting_down = False
        driver.on_ask = self.hooks.ask
        driver.on_withdraw = self.hooks.withdraw
        self.hooks.begin(driver.loop, driver.answer)
        driver.report()
        try:
            await self._take_over()
            for listener in self.listeners:
                await listener.open(driver, self._channel())
            await self.hooks.started()
            driver.serving = True
        except BaseException:
            await self.stop(0.0)
            raise

    async def _take_over(self) -> None:
        """Before the first start: go on from what hooks have kept."""
        if self._begun:
            return
        records, counters = await self.hooks.stored()
        self._begun = True
        if records:
            now = self._now()
            self.broker.take_over(records, now, time_ns() - now)
        for name, value in counters.items():
            if self.options.restore_sys_info and name in COUNTERS:
                setattr(self.broker.counters, name, value)

    async def stop(self, grace: float = GRACE) -> None:
        """Close the listeners, say goodbye to the clients, and be done within `grace` seconds and a bit.

        Listeners and hooks of your own may take up to `bounds.hook_timeout` more, for `close` and for an `async def
        on_stopped`. One that does not end, or raises, is logged and holds nobody else up.
        """
        driver, self._driver = self._driver, None
        if driver is None:
            return
        await self._close_all()
        await driver.close(grace)
        await self.hooks.stopped(grace)

    async def _close_all(self) -> None:
        closing = [asyncio.ensure_future(listener.close()) for listener in self.listeners]
        if closing:
            await asyncio.wait(closing, timeout=self.options.bounds.hook_timeout)
        for listener, task in zip(self.listeners, closing, strict=True):
            if not task.done():
                task.cancel()
                LOG.error("listener %s did not close within %g s", listener.name, self.options.bounds.hook_timeout)
            elif not task.cancelled() and task.exception() is not None:
                LOG.error("listener %s could not be closed", listener.name, exc_info=task.exception())

    async def add_listener(self, listener: Listener) -> None:
        """Listen there too, at once if the server runs, else from its start on.

        Raises:
            ListenerError: it cannot be opened, or another one has its name.
        """
        if self._driver is not None:
            if any(one.name == listener.name for one in self.listeners):
                raise ListenerError(f"there is a listener {listener.name!r} already; give this one another name")
            await listener.open(self._driver, self._channel())
        self.listeners.append(listener)

    async def close_listener(self, name: str, *, disconnect: bool = True) -> None:
        """Listen there no more; its clients are disconnected (5.0: 0x98, Administrative action) unless they may stay.

        Raises:
            KeyError: there is no such listener.
        """
        listener = next((one for one in self.listeners if one.name == name), None)
        if listener is None:
            raise KeyError(f"there is no listener {name!r}; there are {', '.join(one.name for one in self.listeners)}")
        self.listeners.remove(listener)
        await listener.close()
        driver = self._driver
        if driver is not None and disconnect:
            now = self._now()
            for link in [link for link in self.broker.connections.values() if link.listener == name]:
                link.dismiss(ADMINISTRATIVE_ACTION, "The listener was closed", now)
            driver.schedule()

    def _channel(self) -> Callable[[Driver, Listener], Channel]:
        if self.trace is None:
            return partial(Channel, layers=self.layers)
        from mqtt_ref.net.trace import TraceLayer

        trace, others = self.trace, self.layers

        def layers(channel: Channel) -> Iterable[Layer]:
            yield TraceLayer(trace, channel)
            if others is not None:
                yield from others(channel)

        return partial(Channel, layers=layers)

    async def __aenter__(self) -> Server:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        await self.stop()

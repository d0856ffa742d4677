# SPDX-License-Identifier: MIT
"""The server: a broker with its listeners on an event loop. Use it with `async with Server(...) as server`."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Final, Literal, TypeVar

from mqtt_ref.broker.broker import Broker
from mqtt_ref.broker.topics import valid_topic_filter
from mqtt_ref.broker.views import owner_of, retained_of, subscriptions_of
from mqtt_ref.clocks import monotonic_ns, time_ns
from mqtt_ref.engine.options import Options
from mqtt_ref.engine.tables import TABLES, Tables
from mqtt_ref.hooks.dispatch import Dispatcher
from mqtt_ref.hooks.hook import Hook
from mqtt_ref.net.channel import Channel
from mqtt_ref.net.driver import Driver
from mqtt_ref.net.inline import Inline
from mqtt_ref.net.listener import Listener, ListenerError
from mqtt_ref.net.tcp import TcpListener
from mqtt_ref.storage.keeper import Keeper
from mqtt_ref.wire.codes import ADMINISTRATIVE_ACTION

if TYPE_CHECKING:
    from mqtt_ref.broker.inline import Received
    from mqtt_ref.broker.views import Client, RetainedView, SubscriptionView
    from mqtt_ref.net.channel import Layers
    from mqtt_ref.net.clock import Clock
    from mqtt_ref.net.inline import Messages
    from mqtt_ref.net.layer import Layer
    from mqtt_ref.net.trace import Trace
    from mqtt_ref.ports import Storage
    from mqtt_ref.wire.packets import Packet, PublishProperties

__all__ = ["GRACE", "Server"]

LOG = logging.getLogger("mqtt_ref.net")
GRACE: Final = 0.75
"""Default seconds that clients have to read the last packets when the server stops."""


class Server:
    """A broker with listeners.

    Clients may connect only if one of the `hooks` allows it: `AllowAll` allows all. By default, `listeners` is one TCP
    listener on loopback with a free port. `tables` are the rules that the broker keeps: a changed copy makes a broker
    that breaks them. `layers` makes additional layers between the transport and the broker, for each connection (see
    `mqtt_ref.net.layer`). `clock` is the broker's clock.

    `storage` keeps sessions, messages and retained messages beyond the process: `mqtt_ref.storage.url.store_at` makes
    one. If it fails, `refuse` refuses what needs it until it works again, and `stop` stops the server: `stopped` is set
    then, and `store_error` says why. See docs/persistence.md.

    Raises:
        TypeError: an argument has the wrong type, or a hook cannot be used.

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
        storage: Storage | None = None,
        on_store_failure: Literal["refuse", "stop"] = "refuse",
    ) -> None:
        self.options = Options() if options is None else options
        self.listeners: list[Listener] = [TcpListener(port=0)]
        if listeners is not None:
            self.listeners = list(_listed("listeners", listeners, "TcpListener(port=1883)"))
        hooks = list(_listed("hooks", hooks, "AllowAll()"))
        _check(self.options, self.listeners)
        self.trace = trace
        self.layers = layers
        self._clock = clock
        self._now: Callable[[], int] = monotonic_ns if clock is None else clock.now
        self.storage = storage
        self._on_store_failure = on_store_failure
        self.keeper: Keeper | None = None
        """What commits to the store while the server runs."""
        self.store_error: OSError | None = None
        """Why the server has stopped by itself, with `on_store_failure="stop"`."""
        utc_offset = time_ns() - self._now()
        self.broker = Broker(self.options, tables, storage, secrets.randbits(64), utc_offset)
        self.hooks = Dispatcher(self.broker, hooks)
        self._driver: Driver | None = None
        self._begun = False
        self._stopped = False
        self._ending: asyncio.Future[None] | None = None
        self.stopped = asyncio.Event()
        """Set when the server has stopped, also by itself."""
        self._inline: Inline | None = None
        self._inlines: dict[str, Inline] = {}
        """The newest inline client of each Client Identifier."""

    @property
    def url(self) -> str:
        """The URL of the first listener, which is open while the server runs.

        Raises:
            RuntimeError: there is none: the server has no listener, or does not run.
        """
        if not self.listeners:
            raise RuntimeError("the server has no listener, so it has no URL")
        if not self.listeners[0].urls:
            raise RuntimeError("the server does not run: its URL is known after start()")
        return self.listeners[0].urls[0]

    @property
    def port(self) -> int:
        """The port of the first listener."""
        return self.listeners[0].port

    @property
    def driver(self) -> Driver:
        """The driver of the broker.

        Raises:
            RuntimeError: the server does not run.
        """
        if self._driver is None:
            raise RuntimeError("the server does not run")
        return self._driver

    @property
    def host(self) -> str:
        """The address of the first listener, or empty if it has none."""
        return self.listeners[0].host

    def add_hook(self, hook: Hook) -> None:
        """Add a hook after the others, also while the server runs. It is called from the next event on.

        Raises:
            TypeError: it is not a hook, or has an `async def` for an event that cannot wait.
            ValueError: it was added before.
        """
        self.hooks.add(hook)

    def remove_hook(self, hook: Hook) -> None:
        """Remove a hook, also while the server runs.

        Raises:
            ValueError: this hook was not added.
        """
        self.hooks.remove(hook)

    def rules_changed(self) -> None:
        """Forget the cached read permissions: hooks are asked again for each topic that is delivered."""
        self.broker.rules_changed()

    # ---------------------------------------------------------------- from inside

    @property
    def inline(self) -> Inline:
        """The embedding program as a client.

        Raises:
            RuntimeError: `inline_client` is off in the options.
        """
        if self._inline is None:
            self._inline = self.inline_client("inline")
        return self._inline

    def inline_client(self, client_id: str) -> Inline:
        """Make another client inside the program, with its own subscriptions.

        Raises:
            RuntimeError: `inline_client` is off in the options.
        """
        if not self.options.inline_client:
            raise RuntimeError("this server has no inline client: `inline_client` is off in its options")
        made = Inline(self.broker, client_id, self._wake, self._now, self._check_not_stopped)
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
        """Publish a message, also to `$SYS` topics. Return False if no subscription matched. See `Inline.publish`.

        Raises:
            RuntimeError: the server has been stopped.
        """
        return self.inline.publish(topic, payload, qos=qos, retain=retain, properties=properties)

    def subscribe(self, topic_filter: str, handler: Callable[[Received], object], *, identifier: int = 0) -> None:
        """Call `handler` with each message that matches. See `Inline.subscribe`."""
        self.inline.subscribe(topic_filter, handler, identifier=identifier)

    def unsubscribe(self, topic_filter: str, identifier: int = 0) -> bool:
        """Delete a subscription of `subscribe`. Return False if none has this filter and identifier."""
        return self.inline.unsubscribe(topic_filter, identifier)

    def messages(self, topic_filter: str) -> Messages:
        """Subscribe, and return an iterator over the messages that match, for `async for`. See `Inline.messages`."""
        return self.inline.messages(topic_filter)

    def inject(self, client_id: str, packet: Packet) -> None:
        """Handle a packet as if the client had sent it now. Rules and hooks apply.

        If no such client is connected, but an inline client has this identifier, it publishes the message of a PUBLISH.
        Access rules do not apply then.

        Raises:
            LookupError: no connected client and no inline client has this identifier.
            ValueError: the client may not send this packet in its version, or an inline client gets no PUBLISH.
        """
        session = self.broker.by_client_id.get(client_id)
        inline = self._inlines.get(client_id)
        if inline is not None and (session is None or session.connection is None):
            inline.inject(packet)
            return
        self.broker.inject_packet(client_id, packet, self._now())
        self._wake()

    def disconnect(
        self, client_id: str, reason_code: int = ADMINISTRATIVE_ACTION, text: str = "", server_reference: str = ""
    ) -> bool:
        """Disconnect a client. A 5.0 client gets the reason. Return False if it is not connected."""
        text = text or "Disconnected by the administrator"
        found = self.broker.disconnect(client_id, reason_code, text, self._now(), server_reference)
        self._wake()
        return found

    def clients(self) -> list[Client]:
        """Return all clients that have a session, connected or not."""
        return [owner_of(session) for session in self.broker.by_client_id.values()]

    def client(self, client_id: str) -> Client | None:
        """Return the client with this identifier, or None if it has no session."""
        session = self.broker.by_client_id.get(client_id)
        return None if session is None else owner_of(session)

    def subscriptions(self) -> list[SubscriptionView]:
        """Return the subscriptions of all sessions."""
        return [row for session in self.broker.by_client_id.values() for row in subscriptions_of(session)]

    def retained(self, topic_filter: str = "#") -> list[RetainedView]:
        """Return the retained messages whose topics match. `#` leaves out topics that begin with `$`."""
        return [retained_of(message) for message in self.broker.retained.matching(topic_filter, self._now())]

    def clear_retained(self, topic_filter: str) -> int:
        """Delete the retained messages that match, except those under `$SYS`. Return how many were deleted.

        Raises:
            ValueError: it is not a Topic Filter.
        """
        if not valid_topic_filter(topic_filter, shared=False):
            raise ValueError(f"{topic_filter!r} is not a Topic Filter; + is a whole level, # the last one")
        removed = max(self.broker.retained.clear(topic_filter), default=0)
        self._wake()
        return removed

    def reset(self) -> None:
        """Disconnect all clients. Delete their sessions, and all retained messages except those under `$SYS`."""
        self.broker.sessions.remove_all(self._now())
        self.broker.retained.remove_all()
        self._wake()

    def _check_not_stopped(self) -> None:
        if self._stopped:
            raise RuntimeError("the server has been stopped: call publish() before stop()")

    def _wake(self) -> None:
        """Schedule a flush, because no read does it."""
        if self._driver is not None:
            self._driver.schedule()

    # ---------------------------------------------------------------- the life of a server

    async def start(self) -> None:
        """Open all listeners. If one fails, none stays open.

        Raises:
            ListenerError: a listener cannot be opened.
            OSError: the store cannot be used, or a part of it cannot be read.
            RuntimeError: the server runs already.
        """
        if self._driver is not None:
            raise RuntimeError("the server runs already")
        self._driver = driver = Driver(self.broker, asyncio.get_running_loop(), self._clock)
        self._stopped = False
        self.broker.shutting_down = False
        driver.on_ask = self.hooks.ask
        driver.on_withdraw = self.hooks.withdraw
        self.hooks.begin(driver.loop, driver.answer)
        self.stopped.clear()
        self.store_error = None
        self._ending = None
        try:
            await self._take_over()
            driver.report()
            for listener in self.listeners:
                await listener.open(driver, self._channel())
            await self.hooks.started()
            driver.serving = True
        except BaseException:
            await self.stop(0.0)
            raise

    async def _take_over(self) -> None:
        """Before the first start, restore the state that the store and hooks have kept."""
        driver = self.driver
        if self.storage is not None:
            self.keeper = Keeper(self.storage, driver, self._on_store_failure, self._end_for)
            try:
                await self.keeper.open(self._begun)
            except BaseException:
                if not self._begun:
                    self._forget()
                raise
        if self._begun:
            return
        records, counters = await self.hooks.stored()
        self._begun = True
        if records:
            now = self._now()
            self.broker.take_over(records, now, time_ns() - now)
            if self.broker.journal is not None:
                self.broker.journal.adopt(records)
                driver.schedule()
        if self.options.restore_sys_info:
            self.broker.counters.restore(counters.items())

    def _forget(self) -> None:
        """Drop what was loaded of a store that cannot be read as a whole."""
        broker = self.broker
        broker.sessions.remove_all(self._now())
        broker.retained.remove_all()
        if broker.journal is not None:
            broker.journal.records.clear()

    def _end_for(self, error: OSError) -> None:
        """The store failed, and the server is to stop then."""
        self.store_error = error
        if self._ending is None:
            self._ending = asyncio.ensure_future(self.stop())

    async def stop(self, grace: float = GRACE) -> None:
        """Close the listeners and disconnect the clients. It takes `grace` seconds and a little more.

        Your own listeners and hooks may add up to `bounds.hook_timeout` seconds, for `close` and for an `async def
        on_stopped`. If one raises or does not end, it is logged and does not block the others.
        """
        driver, self._driver = self._driver, None
        if driver is None:
            if self._ending is not None and self._ending is not asyncio.current_task():
                await self._ending
            return
        self._stopped = True
        await self._close_all()
        await driver.close(grace)
        keeper, self.keeper = self.keeper, None
        if keeper is not None:
            await keeper.close()
        await self.hooks.stopped(grace)
        self.stopped.set()

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
        """Add a listener. If the server runs, open it now, else at the start.

        Raises:
            ListenerError: the server runs, and the listener cannot be opened or another one has its name.
        """
        if self._driver is not None:
            if any(one.name == listener.name for one in self.listeners):
                raise ListenerError(f"there is a listener {listener.name!r} already; give this one another name")
            await listener.open(self._driver, self._channel())
        self.listeners.append(listener)

    async def close_listener(self, name: str, *, disconnect: bool = True) -> None:
        """Close and remove a listener. With `disconnect`, end its connections (5.0: 0x98, Administrative action).

        Raises:
            KeyError: no listener has this name.
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


T = TypeVar("T")


def _listed(name: str, given: Iterable[T], example: str) -> Iterable[T]:
    wrong: object = given
    if isinstance(wrong, str) or not isinstance(wrong, Iterable):
        raise TypeError(f"{name} is {given!r}; it must be a list, such as [{example}]")
    return given


def _check(options: object, listeners: Sequence[object]) -> None:
    if not isinstance(options, Options):
        raise TypeError(f"options is {options!r}; it must be an Options, as Options(capabilities=Capabilities(...))")
    for place, listener in enumerate(listeners):
        if not isinstance(listener, Listener):
            raise TypeError(
                f'listeners[{place}] is {listener!r}; it must be a Listener, such as TcpListener("127.0.0.1", 1883)'
            )

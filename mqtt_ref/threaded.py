# SPDX-License-Identifier: MIT
"""A server for programs without an event loop. It runs in its own thread; call its methods from any other thread.

with ThreadedServer(hooks=[AllowAll()]) as server:
    print(server.url)
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Protocol, Self, TypeVar

from mqtt_ref.engine.tables import TABLES, Tables
from mqtt_ref.server import GRACE, Server
from mqtt_ref.wire.codes import ADMINISTRATIVE_ACTION

if TYPE_CHECKING:
    from mqtt_ref.broker.inline import Received
    from mqtt_ref.broker.views import Client, RetainedView, SubscriptionView
    from mqtt_ref.engine.options import Options
    from mqtt_ref.hooks import Hook
    from mqtt_ref.net.channel import Layers
    from mqtt_ref.net.clock import Clock
    from mqtt_ref.net.listener import Listener
    from mqtt_ref.net.trace import Trace
    from mqtt_ref.wire.packets import Packet, PublishProperties

__all__ = ["InThread", "ThreadedMessages", "ThreadedServer"]

T = TypeVar("T")
PATIENCE: Final = 30.0
"""Timeout in seconds of a call from another thread."""
WAITING: Final = 10_000
"""Default limit of messages that wait in a `ThreadedMessages` iterator."""


class Startable(Protocol):
    """What `InThread` can run."""

    async def start(self) -> None:
        """Start."""

    async def stop(self, grace: float) -> None:
        """Stop within `grace` seconds."""


class InThread:
    """Runs a `Startable` in its own event loop, in its own thread."""

    def __init__(self, runs: Startable) -> None:
        self._runs = runs
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    # ---------------------------------------------------------------- its life

    def start(self) -> None:
        """Open all listeners. If one fails, none stays open.

        Raises:
            ListenerError: a listener cannot be opened.
            RuntimeError: the server runs already.
        """
        if self._thread is not None:
            raise RuntimeError("the server runs already")
        loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, args=(loop,), name="mqtt_ref", daemon=True)
        self._loop = loop
        self._thread.start()
        try:
            self.run(self._runs.start())
        except BaseException:
            self._end()
            raise

    def stop(self, grace: float = GRACE) -> None:
        """Disconnect the clients and stop. It takes `grace` seconds and a little more. Ignored if it does not run."""
        if self._thread is None:
            return
        try:
            self.run(self._runs.stop(grace))
        finally:
            self._end()

    @property
    def running(self) -> bool:
        """True if it was started, and not stopped since."""
        return self._thread is not None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.stop()

    @staticmethod
    def _run(loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
        finally:
            loop.close()

    def _end(self) -> None:
        loop, self._loop = self._loop, None
        thread, self._thread = self._thread, None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(PATIENCE)

    # ---------------------------------------------------------------- calls from other threads

    def call(self, function: Callable[..., T], *args: Any, **named: Any) -> T:
        """Run a function in the server's thread. Return its result, or raise its exception.

        Raises:
            RuntimeError: the server does not run, or this is its own thread.
            TimeoutError: there is no result after 30 seconds.
        """

        async def work() -> T:
            return function(*args, **named)

        return self.run(work())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the server's event loop. Return its result, or raise its exception.

        Raises:
            RuntimeError: the server does not run, or this is its own thread.
            TimeoutError: there is no result after 30 seconds.
        """
        if self._loop is None:
            work.close()
            raise RuntimeError("the server does not run")
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("this call comes from the server's own thread: use `server.server` here")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)


class ThreadedServer(InThread):
    """`Server` for programs without an event loop. It has the same parameters and the same methods, which block.

    Hooks and message handlers are called in the server's thread. `start` returns when all listeners are open. `stop`
    takes as long as `Server.stop`. The server can be started again after `stop`.
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
        self.server = Server(options, listeners, hooks=hooks, trace=trace, tables=tables, layers=layers, clock=clock)
        """The server itself, for `call`. While it runs, use it only in its own thread."""
        super().__init__(self.server)

    @classmethod
    def of(cls, server: Server) -> Self:
        """Make a `ThreadedServer` from a server that does not run yet."""
        made = cls.__new__(cls)
        made.server = server
        InThread.__init__(made, server)
        return made

    @property
    def url(self) -> str:
        """The URL of the first listener, which is open while the server runs."""
        return self.server.url

    @property
    def port(self) -> int:
        """The port of the first listener."""
        return self.server.port

    @property
    def host(self) -> str:
        """The address of the first listener, or empty if it has none."""
        return self.server.host

    def add_hook(self, hook: Hook) -> None:
        """See `Server.add_hook`."""
        self.call(self.server.add_hook, hook)

    def remove_hook(self, hook: Hook) -> None:
        """See `Server.remove_hook`."""
        self.call(self.server.remove_hook, hook)

    def add_listener(self, listener: Listener) -> None:
        """See `Server.add_listener`."""
        self.run(self.server.add_listener(listener))

    def close_listener(self, name: str, *, disconnect: bool = True) -> None:
        """See `Server.close_listener`."""
        self.run(self.server.close_listener(name, disconnect=disconnect))

    def rules_changed(self) -> None:
        """See `Server.rules_changed`."""
        self.call(self.server.rules_changed)

    def publish(
        self,
        topic: str,
        payload: bytes | str = b"",
        *,
        qos: int = 0,
        retain: bool = False,
        properties: PublishProperties | None = None,
    ) -> bool:
        """See `Server.publish`."""
        return self.call(self.server.publish, topic, payload, qos=qos, retain=retain, properties=properties)

    def subscribe(self, topic_filter: str, handler: Callable[[Received], object], *, identifier: int = 0) -> None:
        """See `Server.subscribe`. The handler is called in the server's thread."""
        self.call(self.server.subscribe, topic_filter, handler, identifier=identifier)

    def unsubscribe(self, topic_filter: str, identifier: int = 0) -> bool:
        """See `Server.unsubscribe`."""
        return self.call(self.server.unsubscribe, topic_filter, identifier)

    def messages(self, topic_filter: str, timeout: float = PATIENCE, *, waiting: int = WAITING) -> ThreadedMessages:
        """Subscribe at once, and return an iterator over the messages that match.

            with server.messages("sensors/#") as messages:
                for message in messages: ...

        The loop ends after `close`, or if no message comes for `timeout` seconds. If more than `waiting` messages wait
        to be taken, the oldest are dropped and counted.

        Raises:
            ValueError: the filter is not a Topic Filter.
        """
        inline = self.call(self.server.inline_client, "inline")

        def close() -> None:  # does not block, so that any thread may call it
            loop = self._loop
            if loop is not None:
                loop.call_soon_threadsafe(inline.close)

        held = _Held(waiting)
        self.call(inline.subscribe, topic_filter, held.put)
        return ThreadedMessages(held, timeout, close)

    def inject(self, client_id: str, packet: Packet) -> None:
        """See `Server.inject`."""
        self.call(self.server.inject, client_id, packet)

    def disconnect(
        self, client_id: str, reason_code: int = ADMINISTRATIVE_ACTION, text: str = "", server_reference: str = ""
    ) -> bool:
        """See `Server.disconnect`."""
        return self.call(self.server.disconnect, client_id, reason_code, text, server_reference)

    def clients(self) -> list[Client]:
        """See `Server.clients`."""
        return self.call(self.server.clients)

    def client(self, client_id: str) -> Client | None:
        """See `Server.client`."""
        return self.call(self.server.client, client_id)

    def subscriptions(self) -> list[SubscriptionView]:
        """See `Server.subscriptions`."""
        return self.call(self.server.subscriptions)

    def retained(self, topic_filter: str = "#") -> list[RetainedView]:
        """See `Server.retained`."""
        return self.call(self.server.retained, topic_filter)

    def reset(self) -> None:
        """See `Server.reset`."""
        self.call(self.server.reset)


class _Held:
    """A queue of messages from the server's thread to another thread."""

    def __init__(self, most: int) -> None:
        self.waiting: deque[Received] = deque(maxlen=most)
        self.dropped = 0
        self.closed = False
        self.changed = threading.Condition()

    def put(self, received: Received) -> None:
        """Add a message."""
        with self.changed:
            if len(self.waiting) == self.waiting.maxlen:
                self.dropped += 1
            self.waiting.append(received)
            self.changed.notify()

    def take(self, timeout: float) -> Received | None:
        """Return the next message, or None if none comes within `timeout` seconds."""
        with self.changed:
            self.changed.wait_for(lambda: self.waiting or self.closed, timeout)
            return self.waiting.popleft() if self.waiting else None

    def close(self) -> None:
        """Close the queue and wake the threads that wait."""
        with self.changed:
            self.closed = True
            self.changed.notify_all()


class ThreadedMessages:
    """The messages of a subscription, as an ordinary iterator. See `Messages`."""

    def __init__(self, held: _Held, timeout: float, unsubscribe: Callable[[], object]) -> None:
        self._held = held
        self._timeout = timeout
        self._unsubscribe = unsubscribe

    @property
    def dropped(self) -> int:
        """Messages that were dropped because too many waited to be taken."""
        return self._held.dropped

    def close(self) -> None:
        """End the subscription. Messages that wait can still be taken."""
        if not self._held.closed:
            self._held.close()
            self._unsubscribe()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Received:
        received = self._held.take(self._timeout)
        if received is None:
            self.close()
            raise StopIteration
        return received

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

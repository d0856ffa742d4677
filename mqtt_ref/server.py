# SPDX-License-Identifier: MIT
"""A broker with its listeners on an event loop, to be embedded or served: `async with Server(...) as server`."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Final

from mqtt_ref.broker.broker import Broker
from mqtt_ref.engine.access import REFUSE, Access, Verdict
from mqtt_ref.engine.options import Options
from mqtt_ref.engine.tables import TABLES, Tables
from mqtt_ref.net.channel import Channel
from mqtt_ref.net.driver import Driver
from mqtt_ref.net.listener import Listener

if TYPE_CHECKING:
    from mqtt_ref.engine.link import Link
    from mqtt_ref.net.trace import Trace
    from mqtt_ref.wire.packets import Connect

__all__ = ["ALLOW_ALL", "GRACE", "Server"]

ALLOW_ALL: Final = Access()
"""Everybody may connect, publish, subscribe and read."""
GRACE: Final = 0.75
"""Seconds that clients have to take what they are told when the server stops."""
NOT_AUTHORIZED: Final = 0x87


class Server:
    """A broker that listens.

    Nobody may connect unless `access` says so; `ALLOW_ALL` lets everybody in. `listeners` is one TCP listener on
    loopback with a free port when none are given. `tables` are the rules that the broker keeps; a changed copy
    makes one that breaks them. `channels` makes the channel of each accepted connection, instead of the usual one.

        async with Server(access=ALLOW_ALL) as server:
            print(server.url)
    """

    def __init__(
        self,
        options: Options | None = None,
        listeners: Sequence[Listener] | None = None,
        *,
        access: Access | None = None,
        trace: Trace | None = None,
        tables: Tables = TABLES,
        channels: Callable[[Driver, str], Channel] | None = None,
    ) -> None:
        self.options = Options() if options is None else options
        self.listeners = [Listener(port=0)] if listeners is None else list(listeners)
        self.trace = trace
        self.channels = channels
        self.broker = Broker(self.options, tables, seed=secrets.randbits(64))
        self.broker.set_access(_deny_all() if access is None else None if access is ALLOW_ALL else access)
        self._driver: Driver | None = None

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

    async def start(self) -> None:
        """Open all listeners, or none.

        Raises:
            ListenerError: one of them cannot be opened.
        """
        if self._driver is not None:
            raise RuntimeError("the server runs already")
        self._driver = driver = Driver(self.broker, asyncio.get_running_loop())
        self.broker.shutting_down = False
        channel: Callable[[Driver, str], Channel] = Channel
        if self.channels is not None:
            channel = self.channels
        elif self.trace is not None:
            from mqtt_ref.net.trace import traced

            channel = traced(self.trace)
        try:
            for listener in self.listeners:
                await listener.open(driver, channel)
        except BaseException:
            await self.stop(0.0)
            raise

    async def stop(self, grace: float = GRACE) -> None:
        """Close the listeners, say goodbye to the clients, and be done within `grace` seconds and a bit."""
        driver, self._driver = self._driver, None
        if driver is None:
            return
        for listener in self.listeners:
            await listener.close()
        await driver.close(grace)

    async def __aenter__(self) -> Server:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        await self.stop()


def _deny_all() -> Access:
    """What holds until somebody says who may do what."""

    def authenticate(link: Link, connect: Connect) -> Verdict:
        return Verdict(REFUSE, NOT_AUTHORIZED, text="the server was not told who may connect")

    return Access(authenticate=authenticate)

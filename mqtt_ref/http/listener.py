# SPDX-License-Identifier: MIT
"""A listener for HTTP: the sockets of a TCP listener, with an application behind them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from mqtt_ref.http.channel import HttpChannel
from mqtt_ref.http.guard import Guard
from mqtt_ref.http.limits import Limits
from mqtt_ref.net.channel import Channel
from mqtt_ref.net.listener import Listener

if TYPE_CHECKING:
    from mqtt_ref.http.app import App
    from mqtt_ref.net.driver import Driver

__all__ = ["HttpListener", "Limits"]


class HttpListener(Listener):
    """Serves an `App`. Only this machine reaches it unless another host is given."""

    scheme = "http"

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 8080,
        app: App | None = None,
        *,
        guard: Guard | None = None,
        name: str = "",
        limits: Limits | None = None,
    ) -> None:
        super().__init__(host, port, name)
        if app is None:
            from mqtt_ref.http.broker_app import broker_app

            app = broker_app()
        self.app = app
        self.guard = Guard() if guard is None else guard
        self.limits = Limits() if limits is None else limits
        self.channels: set[HttpChannel] = set()

    async def open(self, driver: Driver, channel: Callable[[Driver, str], Any] = Channel) -> None:
        """Begin to serve; the channel is for MQTT and not used."""
        await super().open(driver, partial(HttpChannel, self))  # type: ignore[arg-type]

    async def close(self) -> None:
        """Serve nobody any more: requests under way are finished within `limits.closing` seconds or dropped."""
        await super().close()
        left = [channel.finish() for channel in list(self.channels)]
        tasks = [task for task in left if task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=self.limits.closing)
        for channel in list(self.channels):
            channel.abort()

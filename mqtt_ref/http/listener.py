# SPDX-License-Identifier: MIT
"""The HTTP listener: a TCP listener that serves an application."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mqtt_ref.http.channel import HttpChannel
from mqtt_ref.http.guard import Guard
from mqtt_ref.http.limits import Limits
from mqtt_ref.net.tcp import TcpListener

if TYPE_CHECKING:
    from mqtt_ref.http.app import App
    from mqtt_ref.net.driver import Driver
    from mqtt_ref.net.tls import TlsSettings

__all__ = ["HttpListener", "Limits"]


class HttpListener(TcpListener):
    """Serves an `App`, by default that of the broker. With the default `host`, only this machine can reach it."""

    scheme = "http"
    scheme_tls = "https"
    alpn = ("http/1.1",)
    default_port = 8080
    default_port_tls = 8443

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int | None = None,
        app: App | None = None,
        *,
        guard: Guard | None = None,
        name: str = "",
        tls: TlsSettings | ssl.SSLContext | None = None,
        limits: Limits | None = None,
    ) -> None:
        super().__init__(host, port, name, tls)
        if app is None:
            from mqtt_ref.http.broker_app import broker_app

            app = broker_app()
        self.app = app
        self.guard = Guard() if guard is None else guard
        self.limits = Limits() if limits is None else limits
        self.channels: set[HttpChannel] = set()

    async def open(self, driver: Driver, channel: Callable[..., Any] | None = None) -> None:
        """Begin to serve. `channel` is for MQTT and is ignored.

        Raises:
            ListenerError: the address or the certificates cannot be used.
        """
        await super().open(driver, HttpChannel)  # type: ignore[arg-type]

    async def close(self) -> None:
        """Stop serving. Open requests have `limits.closing` seconds to finish, then their connections are aborted."""
        await super().close()
        left = [channel.leave() for channel in list(self.channels)]
        tasks = [task for task in left if task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=self.limits.closing)
        for channel in list(self.channels):
            channel.abort()

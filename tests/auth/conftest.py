# SPDX-License-Identifier: MIT
"""Servers with hooks, and blocking clients beside them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from mqtt_ref.engine.options import Options
from mqtt_ref.hooks import Hook
from mqtt_ref.server import Server
from mqtt_ref.testing.rawclient import RawClient


class Running:
    """A server on a loop in a thread of its own."""

    def __init__(self, hooks: tuple[Hook, ...], options: Options | None) -> None:
        self.server = Server(options, hooks=hooks)
        self.clients: list[RawClient] = []
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.wait(self.server.start())

    def wait(self, coroutine: Any) -> Any:
        done: Future[Any] = asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        return done.result(20)

    def do(self, call: Callable[[], Any]) -> Any:
        """Call something on the loop."""

        async def on_loop() -> Any:
            return call()

        return self.wait(on_loop())

    def client(self, version: int = 5) -> RawClient:
        """A link to it; closed at the end."""
        client = RawClient(self.server.port, version=version)
        self.clients.append(client)
        return client

    def stop(self) -> None:
        for client in self.clients:
            client.close()
        try:
            self.wait(self.server.stop())
        finally:
            self.loop.call_soon_threadsafe(self.loop.stop)
            self.thread.join(20)
            self.loop.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., Running]]:
    """`serve(hook, ..., options=None)`: a running server."""
    running: list[Running] = []

    def start(*hooks: Hook, options: Options | None = None) -> Running:
        running.append(Running(hooks, options))
        return running[-1]

    yield start
    for one in running:
        one.stop()

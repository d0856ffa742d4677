# SPDX-License-Identifier: MIT
"""A server with an HTTP listener in a thread of its own, and clients that speak HTTP to it."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import sys
import threading
from collections.abc import Awaitable, Callable, Generator
from typing import Any

import pytest

from mqtt_ref.hooks import AllowAll
from mqtt_ref.http import HttpListener
from mqtt_ref.net.tcp import TcpListener
from mqtt_ref.server import Server

LOOPS = ["asyncio"] if sys.platform == "win32" else ["asyncio", "uvloop"]
TOKEN = "s3cret"
BEARER = {"authorization": f"Bearer {TOKEN}"}
JSON_BEARER = BEARER | {"content-type": "application/json"}


class Answer:
    """What came back."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def detail(self) -> str:
        """Why it was refused."""
        assert self.headers["content-type"] == "application/problem+json", self.body
        problem = self.json
        assert problem["status"] == self.status
        assert problem["title"]
        return str(problem["detail"])


class Site:
    """A server that runs, and its HTTP listener."""

    def __init__(self, listener: HttpListener, **more: Any) -> None:
        self.listener = listener
        self.server = Server(listeners=[TcpListener(port=0), listener], **({"hooks": [AllowAll()]} | more))
        self.loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event
        self._ready = threading.Event()

    @property
    def port(self) -> int:
        return self.listener.port

    async def serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        async with self.server:
            self._ready.set()
            await self._stop.wait()

    def run(self, loop: str) -> threading.Thread:
        factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
        if loop == "uvloop":
            import uvloop

            factory = uvloop.new_event_loop

        def main() -> None:
            with asyncio.Runner(loop_factory=factory) as runner:
                runner.run(self.serve())

        thread = threading.Thread(target=main)
        thread.start()
        assert self._ready.wait(10)
        return thread

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self._stop.set)

    def call(self, function: Callable[[], Any]) -> Any:
        """Call something on the server's loop."""

        async def there() -> Any:
            value = function()
            return await value if isinstance(value, Awaitable) else value

        return asyncio.run_coroutine_threadsafe(there(), self.loop).result(10)

    def ask(self, method: str, target: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        """One request on a connection of its own; a body that is no bytes is sent as JSON."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            link.request(method, target, data, headers or {})
            return Answer(link.getresponse())
        finally:
            link.close()

    def get(self, target: str, headers: dict[str, str] | None = None) -> Answer:
        return self.ask("GET", target, headers=headers)

    def change(self, method: str, target: str, body: Any = None) -> Answer:
        """A request with the token."""
        return self.ask(method, target, body, BEARER if body is None else JSON_BEARER)

    def raw(self) -> Raw:
        return Raw(self.port)


class Raw:
    """A socket."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 10)

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes | str) -> None:
        self.socket.sendall(data.encode() if isinstance(data, str) else data)

    def answer(self, method: str = "GET") -> Answer:
        response = http.client.HTTPResponse(self.socket, method=method)
        response.begin()
        return Answer(response)

    def rest(self) -> bytes:
        """Everything until the server closes."""
        found = b""
        while data := self.socket.recv(65536):
            found += data
        return found


@pytest.fixture
def serve() -> Generator[Callable[..., Site]]:
    """`serve(listener, loop="asyncio", **more)`: a site that runs until the test ends."""
    running: list[tuple[Site, threading.Thread]] = []

    def start(listener: HttpListener, loop: str = "asyncio", **more: Any) -> Site:
        site = Site(listener, **more)
        running.append((site, site.run(loop)))
        return site

    yield start
    for site, thread in running:
        site.stop()
        thread.join(10)
        assert not thread.is_alive(), "the server did not stop"

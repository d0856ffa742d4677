# SPDX-License-Identifier: MIT
"""The back ends that the tests of stores run on, each with what it needs."""

from __future__ import annotations

import itertools
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from mqtt_ref.storage.port import Durability
from mqtt_ref.storage.store import Store
from mqtt_ref.storage.url import store_at

__all__ = ["Backend", "RedisServer", "backends"]


class Backend:
    """A kind of store, and where one of it is."""

    module = ""
    """What has to be importable."""

    def __init__(self, name: str, examples: int) -> None:
        self.name = name
        self.examples = examples
        """Of a machine that runs on it."""
        self.address = ""
        """As `--store` takes it."""

    def __str__(self) -> str:
        return self.name

    def need(self, require: Any) -> None:
        """What has to be installed."""
        module = {"lmdb": "lmdb", "rocksdb": "rocksdict", "redis": "redis"}.get(self.name)
        if module is not None:
            require.module(module)

    def begin(self, folder: Path) -> None:
        """A new, empty store."""
        self.address = f"{self.name}:{folder / 'store'}"

    def store(self, durability: Durability = "off") -> Store:
        """The store, not opened yet."""
        return store_at(self.address, durability)

    def __enter__(self) -> Backend:
        return self

    def __exit__(self, *error: object) -> None:
        """Stop what was started."""


class RedisServer:
    """A server of its own on a free port, without a file of its own unless `arguments` say so."""

    def __init__(self, program: str, *arguments: str, port: int = 0) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="mqtt_ref-redis-")
        if not port:
            with socket.socket() as taken:
                taken.bind(("127.0.0.1", 0))
                port = taken.getsockname()[1]
        self.port = port
        self.command = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", self.folder.name, "--save", ""]
        self.command += arguments
        self.start()

    def start(self) -> None:
        """Start it, or start it again."""
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL)
        until = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert time.monotonic() < until, "redis-server does not start"
                assert self.process.poll() is None, "redis-server has ended"
                time.sleep(0.02)

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait(20)

    def close(self) -> None:
        """End it, and remove its files."""
        self.kill()
        self.folder.cleanup()


class RedisBackend(Backend):
    """A server for all tests of one block; each store has a database of its own."""

    server: RedisServer | None = None

    def need(self, require: Any) -> None:
        super().need(require)
        self.program = require.program("redis-server")

    def __enter__(self) -> Backend:
        self.server = RedisServer(self.program, "--databases", "10000", "--appendonly", "yes")
        self.numbers = itertools.count()
        return self

    def begin(self, folder: Path) -> None:
        assert self.server is not None
        self.address = f"redis://127.0.0.1:{self.server.port}/{next(self.numbers)}"

    def __exit__(self, *error: object) -> None:
        if self.server is not None:
            self.server.close()


def backends() -> list[Backend]:
    return [Backend("sqlite", 60), Backend("lmdb", 30), Backend("rocksdb", 10), RedisBackend("redis", 15)]

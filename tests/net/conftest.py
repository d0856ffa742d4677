# SPDX-License-Identifier: MIT
"""A broker in a process of its own, with all it says at hand."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from mqtt_ref.testing.rawclient import RawClient

DEADLINE = 20.0


class Lines:
    """The lines of a stream, collected by a thread."""

    def __init__(self, stream: Any) -> None:
        self.lines: list[str] = []
        self.ended = False
        self.changed = threading.Condition()
        self.thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self.thread.start()

    def _read(self, stream: Any) -> None:
        with stream:
            for line in stream:
                with self.changed:
                    self.lines.append(line.rstrip("\n"))
                    self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def wait(self, pattern: str, deadline: float = DEADLINE, since: int = 0) -> re.Match[str]:
        """The first match in a line that is there or comes; lines before the number `since` do not count."""
        match = self.within(deadline, pattern, since)
        if match is None:
            pytest.fail(f"no line like {pattern!r} within {deadline} s in:\n" + "\n".join(self.lines[-30:]))
        return match

    def within(self, deadline: float, pattern: str, since: int = 0) -> re.Match[str] | None:
        """The same, or None if it does not come."""

        def found() -> re.Match[str] | None:
            return next((m for m in (re.search(pattern, line) for line in self.lines[since:]) if m), None)

        with self.changed:
            self.changed.wait_for(lambda: found() or self.ended, deadline)
            return found()

    def having(self, pattern: str) -> list[str]:
        return [line for line in list(self.lines) if re.search(pattern, line)]


class Serving:
    """A broker process; `out` and `err` are what it printed."""

    def __init__(self, command: list[str], env: dict[str, str]) -> None:
        flags = subprocess.CREATE_NEW_PROCESS_GROUP if sys.platform == "win32" else 0
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=env,
            creationflags=flags,
        )
        self.out = Lines(self.process.stdout)
        self.err = Lines(self.process.stderr)
        self.port = 0

    @property
    def pid(self) -> int:
        return self.process.pid

    def wait_ready(self, lines: Lines | None = None) -> Serving:
        self.port = int((lines or self.out).wait(r"^listening on mqtt://127\.0\.0\.1:(\d+)$")[1])
        return self

    def client(self, version: int = 5, timeout: float = 10.0, receive_buffer: int = 0) -> RawClient:
        return RawClient(self.port, version=version, timeout=timeout, receive_buffer=receive_buffer)

    def resident(self) -> int:
        """Bytes of memory that are in use."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found
        return int(found[1]) * 1024

    def end(self, number: int = signal.SIGTERM, deadline: float = DEADLINE) -> int:
        """Send a signal and give the exit code."""
        self.process.send_signal(number)
        return self.wait(deadline)

    def wait(self, deadline: float = DEADLINE) -> int:
        code = self.process.wait(deadline)
        self.out.thread.join(deadline)
        self.err.thread.join(deadline)
        return code

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.wait()


@contextlib.contextmanager
def serving(command: list[str], loop: str) -> Iterator[Serving]:
    env = dict(os.environ, PYTHONUNBUFFERED="")
    env.pop("MQTT_REF_LOOP", None)
    if loop == "asyncio":
        env["MQTT_REF_LOOP"] = "asyncio"
    broker = Serving(command, env)
    try:
        yield broker
    finally:
        broker.kill()


@pytest.fixture
def serve() -> Generator[Callable[..., Serving]]:
    """`serve("--trace")`: starts `mqtt-ref serve --port 0 --trace`; add `loop="asyncio"` for that loop."""
    with contextlib.ExitStack() as stack:

        def start(*arguments: str, loop: str = "", port: int | None = 0) -> Serving:
            command = [sys.executable, "-m", "mqtt_ref", "serve", *arguments]
            if port is not None:
                command += ["--port", str(port)]
            return stack.enter_context(serving(command, loop))

        yield start


@pytest.fixture(scope="session")
def serving_module() -> Callable[..., Any]:
    """The context manager itself, for brokers that live longer than a test."""
    return serving

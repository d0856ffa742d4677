# SPDX-License-Identifier: MIT
"""Brokers in a process or a thread of their own, with all they say at hand; certificates."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from mqtt_ref.engine.options import Options
from mqtt_ref.hooks import AllowAll
from mqtt_ref.net.listener import Listener
from mqtt_ref.server import Server
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


class Running:
    """A server in a thread of its own, for clients that block."""

    def __init__(self, server: Server, loop: asyncio.AbstractEventLoop) -> None:
        self.server = server
        self.loop = loop

    def do(self, what: Coroutine[Any, Any, Any] | Callable[[], Any]) -> Any:
        """What a coroutine or a function gives that runs in the server's loop."""

        async def call() -> Any:
            return what() if callable(what) else await what

        return asyncio.run_coroutine_threadsafe(call(), self.loop).result(DEADLINE)


@pytest.fixture(params=["uvloop", "asyncio"] if sys.platform != "win32" else ["asyncio"])
def running(request: pytest.FixtureRequest) -> Generator[Callable[..., Running]]:
    """`running(listener, ..., options=...)`: starts a server that lets everybody in, on either loop."""
    loop = pytest.importorskip("uvloop").new_event_loop() if request.param == "uvloop" else asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    started: list[Running] = []

    def start(*listeners: Listener, options: Options | None = None, **more: Any) -> Running:
        it = Running(Server(options, listeners, **{"hooks": [AllowAll()], **more}), loop)
        it.do(it.server.start())
        started.append(it)
        return it

    try:
        yield start
        for it in started:
            it.do(it.server.stop(0.2))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(DEADLINE)
        loop.close()


class Authority:
    """An authority with certificates in a folder, made anew for each run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca = trustme.CA()
        self.ca.cert_pem.write_to_path(folder / "ca.pem")
        self.certificate("server", "127.0.0.1", "localhost")
        self.certificate("client", common_name="gauge 7")

    def certificate(self, file: str, *names: str, **more: Any) -> trustme.LeafCert:
        """Writes `file.pem` and `file.key`; a client's certificate needs no name."""
        issued = self.ca.issue_cert(*(names or ("client.example.org",)), **more)
        issued.private_key_and_cert_chain_pem.write_to_path(self.folder / f"{file}.pem")
        issued.private_key_pem.write_to_path(self.folder / f"{file}.key")
        return issued

    def path(self, file: str) -> Path:
        return self.folder / file

    def client(self, file: str = "", trusts: str = "ca.pem") -> ssl.SSLContext:
        """The client's side of TLS, with a certificate or without."""
        context = ssl.create_default_context(cafile=self.folder / trusts)
        if file:
            context.load_cert_chain(self.folder / file)
        return context

    def threaded_client(self) -> ssl.SSLContext:
        """The same for a client that reads in one thread and writes in another, as `websockets.sync` does.

        Python's `ssl` does not guard a connection against that. With TLS 1.3 the server's tickets are read just when
        the first request is written, and one in some hundred requests is lost or garbled; with 1.2 there are none.
        """
        context = self.client()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        return context

    def connect(self, port: int, context: ssl.SSLContext | None = None, version: int = 5) -> RawClient:
        """A client over TLS; the handshake is done."""
        plain = socket.create_connection(("127.0.0.1", port), 10)
        try:
            connected = (context or self.client()).wrap_socket(plain, server_hostname="127.0.0.1")
        except BaseException:
            plain.close()
            raise
        return RawClient(connected=connected, version=version)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture, wait_until: Callable[..., Any]) -> Callable[..., str]:
    """`said("pattern")`: waits for a line of the log that has it, and says that there is no second one."""
    caplog.set_level(logging.INFO, "mqtt_ref")

    def wait(pattern: str) -> str:
        def lines() -> list[str]:
            return [record.getMessage() for record in caplog.records if re.search(pattern, record.getMessage())]

        wait_until(lines, what=f"a line like {pattern!r} in {[r.getMessage() for r in caplog.records]}")
        (line,) = lines()
        return line

    return wait

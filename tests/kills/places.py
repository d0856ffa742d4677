# SPDX-License-Identifier: MIT
"""Back ends with all that belongs to them, and the processes that write to them."""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from tests.kills.faults import Shim, copied

__all__ = ["BACK_ENDS", "Broker", "NotStarted", "Place", "RedisPlace", "place_for"]

ROOT: Final = Path(__file__).resolve().parents[2]
BACK_ENDS: Final = ("sqlite", "lmdb", "rocksdb", "redis")
START: Final = 30.0
"""Seconds that a process may take to start."""


class NotStarted(Exception):
    """A process ended instead of starting; the text is what it said."""


def environment(more: dict[str, str]) -> dict[str, str]:
    """The environment of a process: it finds what this process finds."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path), **more}


class Process:
    """A process that is killed in the end."""

    def __init__(self, command: list[str], more: dict[str, str], errors: Path) -> None:
        self.errors = errors
        with errors.open("wb") as file:
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=file, env=environment(more), cwd=ROOT
            )

    def line(self, pattern: str) -> re.Match[str]:
        """Wait for a line of its output.

        Raises:
            NotStarted: it ended, or was too slow.
        """
        assert self.process.stdout is not None
        end = time.monotonic() + START
        text = b""
        while True:
            found = re.search(pattern, text.decode(errors="replace"))
            if found:
                return found
            if not select.select([self.process.stdout], [], [], max(0.0, end - time.monotonic()))[0]:
                self.kill()
                raise NotStarted(f"no answer in {START} s")
            more = os.read(self.process.stdout.fileno(), 4096)
            if not more:
                self.kill()
                raise NotStarted(f"{text.decode(errors='replace')}{self.errors.read_text(errors='replace')}".strip())
            text += more

    @property
    def alive(self) -> bool:
        """True while it runs."""
        return self.process.poll() is None

    def wait(self, seconds: float) -> int:
        """Wait for its end."""
        return self.process.wait(seconds)

    def kill(self) -> None:
        """SIGKILL, and wait for the end."""
        if self.alive:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


class Broker(Process):
    """A broker: `mqtt-ref serve`, or the program of `tests.kills.child`."""

    def __init__(
        self, place: Place, durability: str, more: dict[str, str], control: Path | None = None, lie: str = ""
    ) -> None:
        if control is None:
            command = ["-m", "mqtt_ref", "serve", "--host", "127.0.0.1", "--port", "0", "--no-ws", "--no-http"]
            command += ["--store", place.url, "--durability", durability]
        else:
            command = ["-m", "tests.kills.child", "--store", place.url, "--durability", durability]
            command += ["--control", str(control), "--lie", lie]
        super().__init__([sys.executable, *command], more, place.scratch / "broker.err")

    def port(self) -> int:
        """Wait until it listens."""
        return int(self.line(r"mqtt://127\.0\.0\.1:(\d+)")[1])


class Place:
    """A store in files: `root` has all of it, `scratch` is for what the test keeps about it."""

    def __init__(self, kind: str, folder: Path, library: Path) -> None:
        self.kind = kind
        self.root = folder / "root"
        self.scratch = folder / "scratch"
        self.before = folder / "before"
        self.root.mkdir()
        self.scratch.mkdir()
        suffix = {"sqlite": "db"}.get(kind, kind)
        self.store = self.root / f"store.{suffix}"
        self.url = f"{kind}:{self.store}"
        self.library = library
        self.shim = Shim(library, self.root, self.scratch)

    def begin(self, *, noted: bool, safe: bool = False) -> dict[str, str]:
        """Have the next broker watched; `noted`: so that the power can fail. Returns its variables.

        A store whose durability is not the broker's to choose has to be `safe` then, or if that is asked for.
        """
        self.shim.close()
        self.shim = Shim(self.library, self.root, self.scratch)
        if noted:
            copied(self.root, self.before)
        return self.shim.environment(noted=noted)

    def command(self, *words: str, more: dict[str, str] | None = None) -> Process:
        """Run `mqtt-ref store` with this store."""
        command = [sys.executable, "-m", "mqtt_ref", "store", *words, self.url]
        return Process(command, more or {}, self.scratch / "command.err")

    def close(self) -> None:
        """End all, and delete the files."""
        self.shim.close()
        shutil.rmtree(self.root.parent, ignore_errors=True)


class RedisPlace(Place):
    """A Redis server of its own."""

    def __init__(self, folder: Path, library: Path, program: str) -> None:
        super().__init__("redis", folder, library)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.program = program
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.fsync = "everysec"
        self.server: Process | None = None
        self.start()

    def start(self, *, noted: bool = False) -> None:
        """Start the server, with what is in its folder."""
        self.shim.close()
        self.shim = Shim(self.library, self.root, self.scratch)
        command = [self.program, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.root)]
        command += ["--save", "", "--appendonly", "yes", "--appendfsync", self.fsync, "--daemonize", "no"]
        command += ["--auto-aof-rewrite-percentage", "0", "--logfile", str(self.scratch / "redis.log")]
        self.server = Process(command, self.shim.environment(noted=noted), self.scratch / "redis.err")
        end = time.monotonic() + START
        while self.ask("PING") != "+PONG":
            if not self.server.alive or time.monotonic() > end:
                raise NotStarted((self.scratch / "redis.log").read_text(errors="replace")[-2000:])
            time.sleep(0.005)

    def ask(self, *words: str) -> str:
        """Send a command; the first line of the answer, or nothing."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 5.0) as link:
                text = f"*{len(words)}\r\n" + "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
                link.sendall(text.encode())
                return link.recv(4096).decode(errors="replace").split("\r\n")[0]
        except OSError:
            return ""

    def begin(self, *, noted: bool, safe: bool = False) -> dict[str, str]:
        """Have the server watched, in place of the broker, which does nothing with files."""
        wanted = "always" if noted or safe else "everysec"
        if noted or wanted != self.fsync:
            self.fsync = wanted
            self.kill()
            if noted:
                copied(self.root, self.before)
            self.start(noted=noted)
        return {}

    def mend(self) -> None:
        """Cut the log off where it is damaged, as the server asks for."""
        manifest = self.root / "appendonlydir" / "appendonly.aof.manifest"
        program = Path(self.program).with_name("redis-check-aof")
        subprocess.run([str(program), "--fix", str(manifest)], input="y\n", text=True, check=True, capture_output=True)

    def kill(self) -> None:
        """SIGKILL for the server."""
        if self.server is not None:
            self.server.kill()

    def close(self) -> None:
        self.kill()
        super().close()


def place_for(kind: str, folder: Path, library: Path, program: str = "") -> Place:
    """A back end in a new folder."""
    folder.mkdir(parents=True)
    program = program or shutil.which("redis-server") or "redis-server"
    return RedisPlace(folder, library, program) if kind == "redis" else Place(kind, folder, library)

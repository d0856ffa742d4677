# SPDX-License-Identifier: MIT
"""`mqtt-ref serve` with a store, in a process that can be killed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from types import TracebackType

__all__ = ["Served", "run"]

COMMAND = [sys.executable, "-m", "mqtt_ref"]


def _limit_files(size: int) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


class Served:
    """A broker process; `port` is where it listens. It ends with the block, by SIGTERM."""

    def __init__(self, *arguments: str | Path, limit: int = 0, capabilities: dict[str, int] | None = None) -> None:
        """`limit`: bytes that a file of the process may have; 0: any number."""
        given = {} if capabilities is None else capabilities
        variables = {f"MQTT_REF__OPTIONS__CAPABILITIES__{name.upper()}": str(value) for name, value in given.items()}
        command = [*COMMAND, "serve", "--port", "0", "--no-ws", "--no-http", *map(str, arguments)]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **variables},
            preexec_fn=(lambda: _limit_files(limit)) if limit else None,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r":(\d+)$", line.strip())
        if found is None:
            _, errors = self.process.communicate(timeout=20)
            raise AssertionError(f"the broker did not start: {line!r}, {errors}")
        self.port = int(found.group(1))

    def kill(self) -> None:
        """SIGKILL: nothing is written, nobody is told."""
        self.process.kill()
        self.process.communicate(timeout=20)

    def stop(self) -> str:
        """SIGTERM; returns what was printed to standard error."""
        self.process.terminate()
        return self.process.communicate(timeout=20)[1]

    def __enter__(self) -> Served:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if self.process.returncode is None:
            self.kill() if kind else self.stop()


def run(*arguments: str | Path) -> tuple[int, str, str]:
    """A command that ends by itself: its exit code, output and errors."""
    done = subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr

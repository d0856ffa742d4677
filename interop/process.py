# SPDX-License-Identifier: MIT
"""A child process whose output is read as it comes, so that a test can wait for a line and nothing blocks."""

import os
import re
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from interop.peer import DEADLINE


class ProcessFailure(Exception):
    """The process ended, or did not write the expected output in time."""


class Process:
    """A started program. Its stdout and stderr are collected line by line, both in one list.

    With `by_line` a program in C writes each line at once (`stdbuf -oL`) instead of filling a buffer first. A
    pseudo-terminal would do the same, but may lose output from just before the program ends.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        on_line: Callable[[str], None] | None = None,
        by_line: bool = False,
    ) -> None:
        self.name = command[0]
        self.lines: list[str] = []
        self._changed = threading.Condition()
        self._on_line = on_line
        self._ended = False
        ours, theirs = os.pipe()
        try:
            self._popen = subprocess.Popen(
                ["stdbuf", "-oL", *command] if by_line else list(command),
                stdin=subprocess.DEVNULL,
                stdout=theirs,
                stderr=theirs,
                cwd=cwd,
                env=None if env is None else dict(env),
            )
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        self._output = ours
        self._reader = threading.Thread(target=self._read, name=f"read {self.name}", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._popen.pid

    @property
    def running(self) -> bool:
        """True if the process has not ended yet."""
        return self._popen.poll() is None

    def wait_line(self, pattern: str, seconds: float = DEADLINE) -> re.Match[str]:
        """Wait for a line of the output, past or future, that matches `pattern`. Return its first match."""
        expression = re.compile(pattern)
        seen = 0
        found: list[re.Match[str]] = []

        def ready() -> bool:
            nonlocal seen
            while seen < len(self.lines) and not found:
                match = expression.search(self.lines[seen])
                if match:
                    found.append(match)
                seen += 1
            return bool(found) or self._ended

        with self._changed:
            self._changed.wait_for(ready, seconds)
        if not found:
            state = "still runs" if self.running else f"ended with {self._popen.returncode}"
            raise ProcessFailure(f"{self.name} {state} without a line like {pattern!r}:\n{self.tail()}")
        return found[0]

    def wait(self, seconds: float = DEADLINE) -> int:
        """Wait for the end and for the rest of the output. Return the exit code."""
        try:
            code = self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise ProcessFailure(f"{self.name} did not end within {seconds:g} s:\n{self.tail()}") from None
        self._reader.join(seconds)
        return code

    def terminate(self, seconds: float = 5.0) -> int:
        """Ask the process to end, kill it if it does not, and return the exit code."""
        if self.running:
            self._popen.terminate()
            try:
                self._popen.wait(seconds)
            except subprocess.TimeoutExpired:
                self._popen.kill()
        return self.wait()

    def kill(self) -> None:
        """Kill the process. The kernel closes its sockets."""
        if self.running:
            self._popen.kill()
        self.wait()

    def tail(self, count: int = 30) -> str:
        """The last lines of the output."""
        return "\n".join(line[:400] for line in self.lines[-count:])

    def _read(self) -> None:
        pending: list[bytes] = []
        while True:
            data = os.read(self._output, 1 << 16)
            if not data:
                break
            *whole, rest = data.split(b"\n")
            for part in whole:
                self._add(b"".join([*pending, part]))
                pending.clear()
            pending.append(rest)
        if any(pending):
            self._add(b"".join(pending))
        os.close(self._output)
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _add(self, raw: bytes) -> None:
        line = raw.decode("utf-8", "replace").rstrip("\r")
        with self._changed:
            self.lines.append(line)
            self._changed.notify_all()
        if self._on_line is not None:
            self._on_line(line)

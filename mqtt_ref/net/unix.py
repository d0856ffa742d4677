# SPDX-License-Identifier: MIT
"""The listener on a Unix domain socket: a path in the file system, with permissions that control access."""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mqtt_ref.engine.options import Terms
from mqtt_ref.net.channel import Channel
from mqtt_ref.net.listener import Listener, ListenerError, StreamListener

if TYPE_CHECKING:
    from mqtt_ref.net.driver import Driver

__all__ = ["UnixListener"]


class UnixListener(StreamListener):
    """Listens on a path. The socket file gets the permissions `mode`, by default access for its user and group.

    The stale socket file of a dead broker is replaced. A socket that is in use, and any other kind of file, is not.
    `close` removes the file, unless another program has replaced it.
    """

    def __init__(
        self, path: str | os.PathLike[str], name: str = "", terms: Terms | None = None, *, mode: int = 0o660
    ) -> None:
        super().__init__(name or f"unix:{os.fspath(path)}", terms)
        self.path = os.fspath(path)
        self.mode = mode
        self._made: tuple[int, int] | None = None

    def bind(self) -> list[socket.socket]:
        """Return the socket, bound to the path.

        Raises:
            ListenerError: the path is in use, is too long, or cannot be created.
        """
        if not hasattr(socket, "AF_UNIX"):
            raise ListenerError(f"cannot listen on {self.path}: this system has no Unix sockets")
        bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            bound.setblocking(False)
            self._make_room()
            bound.bind(self.path)
            # Clients cannot connect before `listen`, so the permissions are set in time.
            os.chmod(self.path, self.mode)
            self._made = _identity(self.path)
        except OSError as error:
            bound.close()
            raise ListenerError(self.explain(error)) from error
        except BaseException:
            bound.close()
            raise
        return [bound]

    def explain(self, error: OSError) -> str:
        """Return the text that says why the listener cannot use this path."""
        if error.errno == errno.ENOENT:
            return f"cannot listen on {self.path}: there is no folder {os.path.dirname(self.path) or '.'}"
        if error.errno is None:  # raised by Python itself, which checks the length
            return f"cannot listen on {self.path}: the path is too long; a Unix socket path has at most 107 bytes"
        return f"cannot listen on {self.path}: {error.strerror or error}"

    async def open(self, driver: Driver, channel: Callable[[Driver, Listener], Channel] = Channel) -> None:
        """Begin to accept connections.

        Raises:
            ListenerError: the path cannot be used.
        """
        try:
            await super().open(driver, channel)
        except BaseException:
            self._remove()
            raise

    async def close(self) -> None:
        """Accept no more connections and remove the file. Existing connections stay."""
        await super().close()
        self._remove()

    def _make_room(self) -> None:
        """Remove a stale socket file."""
        try:
            found = os.lstat(self.path)
        except FileNotFoundError:
            return
        if not stat.S_ISSOCK(found.st_mode):
            raise ListenerError(f"cannot listen on {self.path}: the file there is not a socket")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.setblocking(False)
            try:
                probe.connect(self.path)
            except ConnectionRefusedError:
                Path(self.path).unlink(missing_ok=True)
                return
            except BlockingIOError:  # its queue is full, so it is in use
                pass
        raise ListenerError(f"cannot listen on {self.path}: the path is in use, perhaps by another broker")

    def _remove(self) -> None:
        made, self._made = self._made, None
        if made is not None and _identity(self.path) == made:
            Path(self.path).unlink(missing_ok=True)


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino

# SPDX-License-Identifier: MIT
"""Unix domain sockets: a path in the file system, whose permissions say who may connect."""

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
    """Listens on a path. The file is made with the permissions `mode`, by default for its user and group.

    A socket file that a dead broker left behind is replaced; one that somebody listens on, and a file that is no
    socket, is not. The file is removed when the listener is closed, unless somebody else has replaced it.
    """

    def __init__(
        self, path: str | os.PathLike[str], name: str = "", terms: Terms | None = None, *, mode: int = 0o660
    ) -> None:
        super().__init__(name or f"unix:{os.fspath(path)}", terms)
        self.path = os.fspath(path)
        self.mode = mode
        self._made: tuple[int, int] | None = None

    def bind(self) -> list[socket.socket]:
        """The socket, bound to the path.

        Raises:
            ListenerError: the path is in use, is too long, or cannot be made.
        """
        if not hasattr(socket, "AF_UNIX"):
            raise ListenerError(f"cannot listen on {self.path}: this system has no Unix sockets")
        bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            bound.setblocking(False)
            self._make_room()
            bound.bind(self.path)
            # Nobody can connect before `listen`, so nobody gets in between.
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
        """Why this path cannot be listened on."""
        if error.errno == errno.ENOENT:
            return f"cannot listen on {self.path}: there is no folder {os.path.dirname(self.path) or '.'}"
        if error.errno is None:  # Python itself says so
            return f"cannot listen on {self.path}: a path of a Unix socket has at most 107 bytes"
        return f"cannot listen on {self.path}: {error.strerror or error}"

    async def open(self, driver: Driver, channel: Callable[[Driver, Listener], Channel] = Channel) -> None:
        """Begin to accept.

        Raises:
            ListenerError: the path cannot be used.
        """
        try:
            await super().open(driver, channel)
        except BaseException:
            self._remove()
            raise

    async def close(self) -> None:
        """Accept no more connections and remove the file; connections that exist stay."""
        await super().close()
        self._remove()

    def _make_room(self) -> None:
        """Remove a socket that nobody listens on."""
        try:
            found = os.lstat(self.path)
        except FileNotFoundError:
            return
        if not stat.S_ISSOCK(found.st_mode):
            raise ListenerError(f"cannot listen on {self.path}: there is a file there that is no socket")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.setblocking(False)
            try:
                probe.connect(self.path)
            except ConnectionRefusedError:
                Path(self.path).unlink(missing_ok=True)
                return
            except BlockingIOError:  # its queue is full: somebody has it
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

# SPDX-License-Identifier: MIT
"""A broker that breaks most rules: it accepts each CONNECT, answers PINGREQ and ignores everything else."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["lame_broker"]


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.server.links += 1  # type: ignore[attr-defined]
        if self.server.links > self.server.served:  # type: ignore[attr-defined]
            self.rfile.read()
            return
        while head := self.rfile.read(1):
            size, shift = 0, 0
            while (byte := self.rfile.read(1)) and shift <= 21:
                size |= (byte[0] & 127) << shift
                shift += 7
                if byte[0] < 128:
                    break
            body = self.rfile.read(size)
            if head[0] >> 4 == 1:
                self.wfile.write(b"\x20\x03\x00\x00\x00" if body[6:7] == b"\x05" else b"\x20\x02\x00\x00")
            elif head[0] >> 4 == 12:
                self.wfile.write(b"\xd0\x00")
            elif head[0] >> 4 == 14:
                return


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    links = 0
    served = 1 << 30


@contextmanager
def lame_broker(served: int = 1 << 30) -> Iterator[int]:
    """Run it on a free port of this machine; it answers nothing on the links behind the first `served`."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.served = served
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield int(server.server_address[1])
        server.shutdown()

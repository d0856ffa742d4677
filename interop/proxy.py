# SPDX-License-Identifier: MIT
"""A proxy that changes packets by a fault, to prove that a scenario can fail."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterable, Iterator

from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.framing import Decoder
from mqtt_ref.wire.packets import Connect, Packet
from mqtt_ref.wire.primitives import CLIENT, SERVER, V5
from mqtt_ref.wire.violation import Violation

#: Takes a packet and whether it comes from the client. Returns what to pass on instead.
Fault = Callable[[Packet, bool], Iterable[Packet]]


class _Link:
    """One client's connection, and the proxy's connection to the broker."""

    def __init__(self, client: socket.socket, server: socket.socket, fault: Fault) -> None:
        self._sockets = (client, server)
        self._fault = fault
        self._version = V5
        self._threads = [
            threading.Thread(target=self._pump, args=(client, server, CLIENT), name="proxy up", daemon=True),
            threading.Thread(target=self._pump, args=(server, client, SERVER), name="proxy down", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End both directions and wait for their threads."""
        for end in self._sockets:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for end in self._sockets:
            end.close()

    def _pump(self, source: socket.socket, target: socket.socket, sender: int) -> None:
        decoder: Decoder | None = None
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                if decoder is None:  # the server sends only after the CONNECT, which carries the version
                    decoder = Decoder(version=self._version, sender=sender)
                for packet in decoder.feed(data):
                    if isinstance(packet, Connect):
                        self._version = packet.protocol_version
                    if isinstance(packet, Violation):
                        raise ValueError(f"the proxy cannot decode the packet to pass on: {packet}")
                    for changed in self._fault(packet, sender == CLIENT):
                        target.sendall(encode(self._version, changed))
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def lying(host: str, port: int, fault: Fault) -> Iterator[int]:
    """Listen on a free port of the loopback interface. Yield its number."""
    links: list[_Link] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    links.append(_Link(client, socket.create_connection((host, port)), fault))

        thread = threading.Thread(target=accept, name="proxy", daemon=True)
        thread.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for link in links:
                link.close()

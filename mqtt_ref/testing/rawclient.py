# SPDX-License-Identifier: MIT
"""A blocking client for tests. It sends any packets or bytes, legal or not, and returns everything that it receives."""

from __future__ import annotations

import socket
import struct
import time
from collections import deque
from types import TracebackType
from typing import Any, TypeVar

from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.framing import Decoder
from mqtt_ref.wire.packets import (
    Connack,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Pingresp,
    Puback,
    Pubcomp,
    Publish,
    Pubrec,
    Pubrel,
    Suback,
    Subscribe,
    Subscription,
)
from mqtt_ref.wire.primitives import SERVER, V5
from mqtt_ref.wire.violation import Violation

__all__ = ["LinkClosed", "RawClient"]

P = TypeVar("P")


class LinkClosed(Exception):
    """The other side closed the connection. `reset` is true if it was a TCP reset."""

    def __init__(self, reset: bool = False) -> None:
        super().__init__("the connection was reset" if reset else "the connection was closed")
        self.reset = reset


class RawClient:
    """A client on a new TCP connection, or on the socket `connected`.

    Each method that waits raises TimeoutError after `timeout` seconds.
    """

    def __init__(
        self,
        port: int = 0,
        host: str = "127.0.0.1",
        version: int = V5,
        timeout: float = 10.0,
        receive_buffer: int = 0,
        connected: socket.socket | None = None,
    ) -> None:
        self.version = version
        self.timeout = timeout
        self.decoder = Decoder(version, SERVER)
        self.inbox: deque[Packet | Violation] = deque()
        if connected is not None:
            self.socket = connected
            return
        self.socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        try:
            if receive_buffer:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            self.socket.settimeout(timeout)
            self.socket.connect((host, port))
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except BaseException:
            self.socket.close()
            raise

    def __enter__(self) -> RawClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    # ---------------------------------------------------------------- out

    def send(self, *packets: Packet | bytes) -> None:
        """Send packets, or raw bytes, in one write.

        Raises:
            LinkClosed: the other side closed the connection before all was sent.
        """
        data = b"".join(p if isinstance(p, bytes) else encode(self.version, p) for p in packets)
        try:
            self.socket.settimeout(self.timeout)
            self.socket.sendall(data)
        except (ConnectionResetError, BrokenPipeError) as error:
            raise LinkClosed(True) from error

    def close(self) -> None:
        """Close the connection without DISCONNECT."""
        self.socket.close()

    def reset(self) -> None:
        """Close the connection with a TCP reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    # ---------------------------------------------------------------- in

    def read(self, timeout: float | None = None) -> Packet | Violation:
        """Return the next packet.

        Raises:
            LinkClosed: the other side closed the connection, and no packet is left.
            TimeoutError: no packet came in time.
        """
        end = time.monotonic() + (self.timeout if timeout is None else timeout)
        while not self.inbox:
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError("no packet came in time")
            self.socket.settimeout(left)
            try:
                data = self.socket.recv(1 << 18)
            except ConnectionResetError as error:
                raise LinkClosed(True) from error
            if not data:
                raise LinkClosed
            self.inbox.extend(self.decoder.feed(data))
        return self.inbox.popleft()

    def expect(self, kind: type[P], timeout: float | None = None) -> P:
        """Return the next packet, which must be of this class.

        Raises:
            AssertionError: the packet is of another class.
        """
        packet = self.read(timeout)
        if not isinstance(packet, kind):
            raise AssertionError(f"expected {kind.__name__}, got {packet!r}")
        return packet

    def until_closed(self, timeout: float | None = None) -> list[Packet | Violation]:
        """Return everything that comes before the other side closes."""
        end = time.monotonic() + (self.timeout if timeout is None else timeout)
        found: list[Packet | Violation] = []
        while True:
            try:
                found.append(self.read(end - time.monotonic()))
            except LinkClosed:
                return found

    # ---------------------------------------------------------------- exchanges

    def connect(self, client_id: str = "", **fields: Any) -> Connack:
        """Send a CONNECT and return the CONNACK. `fields` are those of `Connect`."""
        self.send(Connect(client_id, protocol_version=self.version, **fields))
        return self.expect(Connack)

    def subscribe(self, *filters: str, qos: int = 0, packet_id: int = 1) -> list[int]:
        """Subscribe and return the reason codes. Messages that come before the SUBACK stay in the inbox."""
        self.send(Subscribe(packet_id, [Subscription(one, qos) for one in filters]))
        early: list[Packet | Violation] = []
        while True:
            packet = self.read()
            if isinstance(packet, Suback):
                self.inbox.extendleft(reversed(early))
                return packet.reason_codes
            early.append(packet)

    def publish(self, topic: str, payload: bytes = b"", qos: int = 0, packet_id: int = 1, **fields: Any) -> None:
        """Publish, and wait for the acknowledgements of the QoS. Other packets stay in the inbox."""
        self.send(Publish(topic, payload, qos, packet_id=packet_id if qos else 0, **fields))
        if qos == 1:
            self._await(Puback)
        elif qos == 2:
            self._await(Pubrec)
            self.send(Pubrel(packet_id))
            self._await(Pubcomp)

    def message(self, timeout: float | None = None) -> Publish:
        """Return the next message, and acknowledge it according to its QoS."""
        publish = self.expect(Publish, timeout)
        if publish.qos == 1:
            self.send(Puback(publish.packet_id))
        elif publish.qos == 2:
            self.send(Pubrec(publish.packet_id))
            self._await(Pubrel)
            self.send(Pubcomp(publish.packet_id))
        return publish

    def ping(self) -> None:
        """Send a PINGREQ and wait for the PINGRESP. Other packets stay in the inbox."""
        self.send(Pingreq())
        self._await(Pingresp)

    def disconnect(self) -> None:
        """Send a DISCONNECT and wait until the other side has closed."""
        self.send(Disconnect())
        self.until_closed()
        self.close()

    def _await(self, kind: type[Any]) -> None:
        early: list[Packet | Violation] = []
        while True:
            packet = self.read()
            if isinstance(packet, kind):
                self.inbox.extendleft(reversed(early))
                return
            early.append(packet)

# SPDX-License-Identifier: MIT
"""The strict client over real WebSockets, framed in every way that RFC 6455 and section 6 allow."""

from __future__ import annotations

import base64
import select
import socket
import struct
from random import Random
from time import monotonic_ns

from tests.oracle.strict.client import SECOND, StrictClient
from tests.oracle.strict.habits import KINDS, draw

__all__ = ["FRAMINGS", "Framer", "Player", "play_all"]

FRAMINGS = ("packet", "bytes", "cuts", "fragments", "pool", "mixed")
"""How packets lie in frames: as written, a byte in each, cut anywhere, in fragments with pings between, many in one."""

CONTINUATION, BINARY, CLOSE, PING, PONG = 0, 2, 8, 9, 10
PROTOCOLS = ("mqtt", "mqtt", "mqtt, other", "mqttv3.1, mqtt")


class Framer:
    """Bytes of packets in, frames of a client out."""

    def __init__(self, how: str, random: Random) -> None:
        self.how = how
        self.random = random

    def frames(self, data: bytes) -> bytes:
        """All frames for the bytes."""
        random = self.random
        how = self.how if self.how != "mixed" else random.choice(FRAMINGS[:4])
        if how == "bytes" and len(data) < 2000:
            return b"".join(self.frame(BINARY, data[at : at + 1]) for at in range(len(data)))
        if how == "cuts":
            return b"".join(self.frame(BINARY, piece) for piece in self._pieces(data))
        if how == "fragments":
            pieces = self._pieces(data)
            out = []
            for number, piece in enumerate(pieces):
                last = number == len(pieces) - 1
                out.append(self.frame(CONTINUATION if number else BINARY, piece, last))
                if random.random() < 0.3:
                    out.append(self.frame(PING, random.randbytes(random.choice((0, 4, 125)))))
            return b"".join(out)
        return self.frame(BINARY, data)

    def _pieces(self, data: bytes) -> list[bytes]:
        out = []
        at = 0
        while at < len(data):
            size = self.random.choice((0, 1, 2, 3, 10, 126, 500))
            out.append(data[at : at + size])
            at += size
        if self.random.random() < 0.2:
            out.append(b"")
        return out

    def frame(self, opcode: int, data: bytes, final: bool = True) -> bytes:
        """One masked frame."""
        head = bytes([(0x80 if final else 0) | opcode])
        size = len(data)
        if size < 126:
            head += bytes([0x80 | size])
        elif size < 65536:
            head += struct.pack("!BH", 0x80 | 126, size)
        else:
            head += struct.pack("!BQ", 0x80 | 127, size)
        mask = self.random.randbytes(4)
        return head + mask + bytes(byte ^ mask[at & 3] for at, byte in enumerate(data))


class Player:
    """One client, which connects again and again until its time is over."""

    def __init__(self, seed: int, port: int, seconds: float) -> None:
        self.random = random = Random(seed)
        self.port = port
        self.framing = FRAMINGS[seed % len(FRAMINGS)]
        habits = draw(random, KINDS[seed % len(KINDS)])
        # It lives for seconds of a real clock, and stays far from every limit of time.
        habits.pace = min(habits.pace, 0.05)
        habits.ack_delay = min(habits.ack_delay, 0.2)
        habits.reconnect = min(habits.reconnect, 0.1)
        habits.keep_alive = max(habits.keep_alive, 30) if habits.keep_alive else 0
        habits.ping_at = 0.5
        habits.big_size = 50_000
        habits.crash = 0.04
        self.client = StrictClient(habits, random, f"w{seed % 1000}")
        self.until = monotonic_ns() + int(seconds * SECOND)
        self.next_connect = 0
        self.socket: socket.socket | None = None
        self.framer = Framer(self.framing, random)
        self.inbox = b""
        self.outbox = b""
        self.pooled = b""
        self.pool_until = 0
        self.open = False
        self.closing_by = 0

    @property
    def done(self) -> bool:
        return self.socket is None and monotonic_ns() > self.until

    def begin(self, now: int) -> None:
        """TCP, and the handshake."""
        self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        self.socket.setblocking(False)
        key = base64.b64encode(self.random.randbytes(16)).decode()
        self.outbox = (
            f"GET /mqtt HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Protocol: {self.random.choice(PROTOCOLS)}\r\n\r\n"
        ).encode()
        self.inbox = self.pooled = b""
        self.open = False
        self.closing_by = 0

    def turn(self, now: int) -> None:
        """What is due."""
        if self.socket is None:
            if now >= self.next_connect and now < self.until:
                self.begin(now)
            return
        client = self.client
        if self.closing_by:
            if now >= self.closing_by:
                self.end(now)
            return
        if not self.open:
            return
        if now > self.until and client.connected and not client.closing:
            client.finish(now)
        deadline = client.next_deadline()
        if deadline is not None and now >= deadline:
            client.wake(now)
        self.flush(now)

    def flush(self, now: int) -> None:
        client = self.client
        data = client.take()
        if self.framing == "pool" and not (client.closing or client.vanishing):
            if data and not self.pooled:
                self.pool_until = now + SECOND // 50
            self.pooled += data
            if now < self.pool_until or not self.pooled:
                return
            data, self.pooled = self.pooled, b""
        else:
            data, self.pooled = self.pooled + data, b""
        if data:
            self.outbox += self.framer.frames(data)
        if client.vanishing:
            # In the middle of a frame, if it has not left yet.
            self.outbox = self.outbox[: self.random.randint(0, len(self.outbox))]
            self.write()
            self.end(now)
        elif client.closing and not self.closing_by:
            if self.random.random() < 0.7:
                self.outbox += self.framer.frame(CLOSE, struct.pack("!H", 1000))
            self.closing_by = now + SECOND // 10
        self.write()

    def write(self) -> None:
        if self.socket is None or not self.outbox:
            return
        try:
            sent = self.socket.send(self.outbox)
        except BlockingIOError:
            return
        except OSError:
            self.end(monotonic_ns())
            return
        self.outbox = self.outbox[sent:]

    def read(self, now: int) -> None:
        assert self.socket is not None
        try:
            data = self.socket.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.end(now)
            return
        self.inbox += data
        if not self.open:
            head, found, rest = self.inbox.partition(b"\r\n\r\n")
            if not found:
                return
            assert head.startswith(b"HTTP/1.1 101"), head
            self.open = True
            self.inbox = rest
            self.client.connect(now)
            self.flush(now)
        self.frames(now)

    def frames(self, now: int) -> None:
        """What the server's frames carry."""
        while self.socket is not None and len(self.inbox) >= 2:
            first, size = self.inbox[0], self.inbox[1]
            at = 2
            if size == 126:
                size, at = int.from_bytes(self.inbox[2:4], "big"), 4
            elif size == 127:
                size, at = int.from_bytes(self.inbox[2:10], "big"), 10
            if len(self.inbox) < at + size:
                return
            data, self.inbox = self.inbox[at : at + size], self.inbox[at + size :]
            opcode = first & 15
            if opcode in (BINARY, CONTINUATION):
                if self.client.connected and not self.closing_by:
                    self.client.receive(data, now)
                    self.flush(now)
            elif opcode == PING:
                self.outbox += self.framer.frame(PONG, data)
                self.write()
            elif opcode == CLOSE:
                self.end(now)
                return

    def end(self, now: int) -> None:
        """The socket is gone."""
        if self.socket is None:
            return
        self.socket.close()
        self.socket = None
        self.client.lost(now)
        self.next_connect = now + int(self.random.expovariate(1.0) * self.client.habits.reconnect * SECOND)


def play_all(seeds: range, port: int, seconds: float) -> list[Player]:
    """Let all of them live side by side against a server on this machine."""
    players = [Player(seed, port, seconds) for seed in seeds]
    limit = monotonic_ns() + int((seconds + 30) * SECOND)
    while not all(player.done for player in players):
        now = monotonic_ns()
        assert now < limit, "sessions did not end"
        sockets = {player.socket: player for player in players if player.socket is not None}
        writing = [item for item, player in sockets.items() if player.outbox]
        readable, writable, _ = select.select(list(sockets), writing, [], 0.002)
        for item in readable:
            if sockets[item].socket is item:
                sockets[item].read(now)
        for item in writable:
            if sockets[item].socket is item:
                sockets[item].write()
        for player in players:
            player.turn(monotonic_ns())
    return players

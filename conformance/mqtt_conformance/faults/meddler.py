# SPDX-License-Identifier: MIT
"""A proxy between the suite and a sound broker that spoils the packets of either side."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.framing import Decoder
from mqtt_ref.wire.packets import Connack, Connect, Packet
from mqtt_ref.wire.primitives import CLIENT, SERVER, V5, V311
from mqtt_ref.wire.violation import Violation

__all__ = ["Meddler", "Meddling", "Talk"]

Alter = Callable[["Talk", Packet], "Iterable[Packet | bytes]"]


@dataclass
class Talk:
    """One connection through the meddler. `here` is for a fault's notes on it, `all` for notes on all connections."""

    all: dict[Any, Any]
    version: int = V311
    connect: Connect | None = None
    answered: bool = False
    here: dict[Any, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Meddling:
    """What to do with a packet of the client (`up`) and of the broker (`down`): each returns what to pass on instead.

    `linger` keeps the connection open when the broker closes it. `farewell` is sent before the close to a 5.0 client
    that got no CONNACK. `late` returns the delay of a broker's packet in seconds; packets after it do not wait.
    """

    up: Alter | None = None
    down: Alter | None = None
    linger: Callable[[Talk], bool] | None = None
    farewell: bytes = b""
    late: Callable[[Talk, Packet], float] | None = None


class Meddler:
    """Listen on loopback and pass everything to the broker at `port`, changed as `meddling` says."""

    def __init__(self, port: int, meddling: Meddling) -> None:
        self.port = port
        self.meddling = meddling
        self.notes: dict[Any, Any] = {}
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """The URL that it listens on."""
        assert self._server is not None
        return f"mqtt://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Meddler:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            broker_reader, broker_writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            writer.close()
            return
        talk = Talk(self.notes)
        try:
            await asyncio.gather(
                self._pump(reader, broker_writer, talk, _Side(CLIENT, self.meddling.up), writer),
                self._pump(broker_reader, writer, talk, _Side(SERVER, self._down(writer)), broker_writer),
            )
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            for one in (writer, broker_writer):
                one.transport.abort()
            self._tasks.discard(task)

    def _down(self, writer: asyncio.StreamWriter) -> Alter | None:
        """Change packets of the broker, and write delayed ones when their time has come."""
        late, down = self.meddling.late, self.meddling.down
        if late is None:
            return down

        def alter(talk: Talk, packet: Packet) -> Iterable[Packet | bytes]:
            out = down(talk, packet) if down is not None else (packet,)
            seconds = late(talk, packet)
            if not seconds:
                return out
            data = b"".join(one if isinstance(one, bytes) else encode(talk.version, one) for one in out)
            asyncio.get_running_loop().call_later(seconds, writer.write, data)
            return ()

        return alter

    async def _pump(
        self,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        talk: Talk,
        side: _Side,
        back: asyncio.StreamWriter,
    ) -> None:
        while True:
            try:
                data = await source.read(65_536)
            except ConnectionError:
                sink.transport.abort()
                return
            if not data:
                break
            for piece in side.pieces(data, talk):
                sink.write(piece)
            await sink.drain()
        if side.sender == SERVER:
            if self.meddling.linger is not None and self.meddling.linger(talk):
                await asyncio.sleep(30)
            if not talk.answered:
                sink.write(self.meddling.farewell)
            sink.close()
            back.close()
        elif sink.can_write_eof():
            sink.write_eof()


class _Side:
    """One direction: splits the stream into packets and has each one changed."""

    def __init__(self, sender: int, alter: Alter | None) -> None:
        self.sender = sender
        self.alter = alter
        self._rest = b""
        self._raw = False

    def pieces(self, data: bytes, talk: Talk) -> Iterable[bytes]:
        """Return what to pass on of the received bytes."""
        self._rest += data
        while self._rest and not self._raw:
            size = _size(self._rest)
            if size < 0:
                self._raw = True
                break
            if size == 0 or len(self._rest) < size:
                return
            frame, self._rest = self._rest[:size], self._rest[size:]
            yield from self._passed(frame, talk)
        if self._raw:
            rest, self._rest = self._rest, b""
            yield rest

    def _passed(self, frame: bytes, talk: Talk) -> Iterable[bytes]:
        if self.sender == CLIENT and talk.connect is None:
            _guess(frame, talk)
        version = 0 if self.sender == CLIENT and frame[0] >> 4 == Connect.TYPE else talk.version
        found = Decoder(version, self.sender).feed(frame)
        if len(found) != 1 or isinstance(found[0], Violation):
            yield frame
            return
        packet = found[0]
        if isinstance(packet, Connect):
            talk.version, talk.connect = packet.protocol_version, packet
        if isinstance(packet, Connack):
            talk.answered = True
        if self.alter is None:
            yield frame
            return
        for one in self.alter(talk, packet):
            if one is packet and not isinstance(one, bytes):
                yield frame if self.sender == SERVER else encode(talk.version, one)
            else:
                yield one if isinstance(one, bytes) else encode(talk.version, one)


def _guess(frame: bytes, talk: Talk) -> None:
    """Take the version from a CONNECT, even if the version is unknown."""
    at = frame.find(b"\x00\x04MQTT", 0, 12)
    if at > 0 and len(frame) > at + 6 and frame[0] >> 4 == Connect.TYPE:
        talk.version = V5 if frame[at + 6] >= V5 else V311


def _size(data: bytes) -> int:
    """Return the size of the first packet. 0 if it is not known yet, -1 if it is invalid."""
    length = 0
    for at in range(1, 5):
        if at >= len(data):
            return 0
        length |= (data[at] & 0x7F) << 7 * (at - 1)
        if data[at] < 0x80:
            return 1 + at + length
    return -1

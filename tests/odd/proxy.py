# SPDX-License-Identifier: MIT
"""A proxy before a broker that changes what the broker says, packet by packet, through quirks."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Final

from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.framing import Decoder
from mqtt_ref.wire.packets import Connack, Connect, Packet
from mqtt_ref.wire.primitives import CLIENT, SERVER
from mqtt_ref.wire.violation import Violation

__all__ = ["Link", "Proxy", "Quirk"]

READ: Final = 65_536
PARTIAL: Final = 0.1
"""Seconds that the rest of a packet is waited for where packets of the client are changed."""

LINGER: Final = 0.05
"""Seconds that a client has to read what came before a reset."""


class Quirk:
    """What is odd about one connection; the base class changes nothing.

    `self.link` is the connection. A method that is given a packet returns what goes on in its place, the same object
    where nothing changed; packets that it keeps may be sent later through `link.say`.
    """

    resets = False
    """Whether a connection that the broker closes is reset."""
    rewrites = False
    """Whether packets of the client are changed, which then reach the broker only when they are whole."""

    def __init__(self, link: Link) -> None:
        self.link = link

    def from_client(self, packet: Packet) -> Sequence[Packet]:
        """What the broker gets for a packet of the client."""
        return (packet,)

    def from_server(self, packet: Packet) -> Sequence[Packet]:
        """What the client gets for a packet of the broker."""
        return (packet,)

    def delay(self, packet: Packet | None) -> float:
        """Seconds that a packet waits, and what is behind it; None is the end of the connection."""
        return 0.0

    def spell(self, packet: Packet, data: bytes) -> bytes:
        """The bytes of a packet, where there are several ways to write it."""
        return data

    def pieces(self, data: bytes) -> Sequence[bytes]:
        """The chunks in which bytes are written, each in a segment of its own."""
        return (data,)

    def closing(self) -> Sequence[Packet]:
        """What is said at last, when the broker has closed."""
        return ()

    def ended(self) -> None:
        """The connection is gone."""


class Link:
    """One connection through the proxy."""

    def __init__(self, proxy: Proxy, quirks: Sequence[Callable[[Link], Quirk]]) -> None:
        self.proxy = proxy
        self.version = 0
        """The protocol level of the CONNECT; 0 until it has come."""
        self.connect: Connect | None = None
        self.connack: Connack | None = None
        self.quirks = [quirk(self) for quirk in quirks]
        self.over = False
        self._out: asyncio.Queue[tuple[float, bytes | None]] = asyncio.Queue()
        self._up: asyncio.StreamWriter | None = None

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    @property
    def limit(self) -> int:
        """The largest packet that the client takes, in bytes."""
        if self.connect is None or self.connect.properties is None or self.version != 5:
            return 268_435_460
        return self.connect.properties.maximum_packet_size or 268_435_460

    @property
    def problem_information(self) -> bool:
        """Whether reasons and User Properties may be on any packet."""
        if self.connect is None or self.version != 5:
            return False
        return self.connect.properties is None or self.connect.properties.request_problem_information != 0

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted the client, and the link is still there."""
        return not self.over and self.connack is not None and self.connack.reason_code == 0

    def fits(self, packet: Packet) -> bool:
        """Whether the client takes a packet of this size."""
        return len(encode(self.version, packet)) <= self.limit

    def say(self, packet: Packet) -> None:
        """Send a packet to the client, behind all that waits."""
        self._put(packet, encode(self.version, packet))

    def tell(self, packet: Packet) -> None:
        """Send a packet to the broker."""
        if self._up is not None and not self._up.is_closing():
            self._up.write(encode(self.version, packet))

    def cut(self) -> None:
        """Close the connection to the client behind all that waits."""
        self._put(None, None)

    # ---------------------------------------------------------------- both ways

    async def run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry a connection until both ends are closed."""
        tasks: list[asyncio.Task[None]] = []
        try:
            upstream, self._up = await asyncio.open_connection(self.proxy.host, self.proxy.port)
            tasks = [
                asyncio.create_task(self._client(reader, self._up)),
                asyncio.create_task(self._server(upstream)),
                asyncio.create_task(self._writer(writer)),
            ]
            await tasks[2]
        finally:
            self.over = True
            for quirk in self.quirks:
                quirk.ended()
            for task in tasks:
                task.cancel()
            for task in tasks:
                with suppress(asyncio.CancelledError, ConnectionError, OSError):
                    await task
            for end in (writer, self._up):
                if end is not None:
                    end.close()

    async def _client(self, reader: asyncio.StreamReader, up: asyncio.StreamWriter) -> None:
        decoder = Decoder(0, CLIENT)
        frames = Frames()
        rewrites = any(quirk.rewrites for quirk in self.quirks)
        raw = False
        with suppress(ConnectionError, OSError):
            while True:
                try:
                    # A packet that stays incomplete is one that the broker is to judge.
                    async with asyncio.timeout(PARTIAL if rewrites and frames.held and not raw else None):
                        data = await reader.read(READ)
                except TimeoutError:
                    raw = True
                    up.write(frames.take())
                    continue
                if not data:
                    break
                if raw:
                    up.write(data)
                    continue
                for frame in frames.feed(data):
                    found = [] if raw else decoder.feed(frame)
                    if len(found) == 1 and not isinstance(found[0], Violation):
                        self._from_client(found[0], frame, up if rewrites else None)
                    else:
                        raw = True
                        if rewrites:
                            up.write(frame)
                if not rewrites:
                    up.write(data)
                elif raw or frames.lost:
                    raw = True
                    up.write(frames.take())
                await up.drain()
        with suppress(ConnectionError, OSError):
            if rewrites and frames.held:
                up.write(frames.take())
            up.close()

    def _from_client(self, packet: Packet, data: bytes, up: asyncio.StreamWriter | None) -> None:
        if isinstance(packet, Connect):
            self.connect = packet
            self.version = packet.protocol_version
        packets: list[Packet] = [packet]
        for quirk in self.quirks:
            packets = [out for one in packets for out in quirk.from_client(one)]
        if up is not None:
            for one in packets:
                up.write(data if one is packet else encode(self.version, one))

    async def _server(self, upstream: asyncio.StreamReader) -> None:
        decoder: Decoder | None = None
        frames = Frames()
        with suppress(ConnectionError, OSError):
            while data := await upstream.read(READ):
                if decoder is None and self.version:
                    decoder = Decoder(self.version, SERVER)
                for frame in frames.feed(data):
                    found = decoder.feed(frame) if decoder is not None else []
                    if len(found) == 1 and not isinstance(found[0], Violation):
                        self._from_server(found[0], frame)
                    else:
                        self._put(None, frame)
        for quirk in self.quirks:
            for packet in quirk.closing():
                self.say(packet)
        self.cut()
        await asyncio.Event().wait()

    def _from_server(self, packet: Packet, data: bytes) -> None:
        if isinstance(packet, Connack):
            self.connack = packet
        packets: list[Packet] = [packet]
        for quirk in self.quirks:
            packets = [out for one in packets for out in quirk.from_server(one)]
        for one in packets:
            self._put(one, data if one is packet else encode(self.version, one))

    def _put(self, packet: Packet | None, data: bytes | None) -> None:
        if packet is not None and data is not None:
            for quirk in self.quirks:
                data = quirk.spell(packet, data)
        delay = sum(quirk.delay(packet) for quirk in self.quirks) if packet is not None or data is None else 0.0
        self._out.put_nowait((self.loop.time() + delay, data))

    async def _writer(self, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, OSError):
            while True:
                due, data = await self._out.get()
                if (left := due - self.loop.time()) > 0:
                    await asyncio.sleep(left)
                if data is None:
                    await writer.drain()
                    if any(quirk.resets for quirk in self.quirks):
                        await asyncio.sleep(LINGER)
                        end = writer.get_extra_info("socket")
                        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return
                parts: Sequence[bytes] = (data,)
                for quirk in self.quirks:
                    parts = [piece for part in parts for piece in quirk.pieces(part)]
                for part in parts:
                    if writer.is_closing():
                        return
                    writer.write(part)
                    if len(parts) > 1:
                        await asyncio.sleep(0)
                await writer.drain()


class Frames:
    """Cuts a stream into packets by their Remaining Length and nothing else."""

    def __init__(self) -> None:
        self._held = bytearray()
        self.lost = False

    def feed(self, data: bytes) -> list[bytes]:
        """The packets that `data` completes."""
        self._held += data
        out: list[bytes] = []
        while not self.lost and len(self._held) >= 2:
            length, shift, at = 0, 0, 1
            while at < len(self._held) and at <= 4:
                length |= (self._held[at] & 127) << shift
                shift += 7
                at += 1
                if self._held[at - 1] < 128:
                    break
            else:
                self.lost = at > 4
                break
            if len(self._held) < at + length:
                break
            out.append(bytes(self._held[: at + length]))
            del self._held[: at + length]
        return out

    @property
    def held(self) -> int:
        """Bytes of a packet that is not whole."""
        return len(self._held)

    def take(self) -> bytes:
        """What is held, which is held no longer."""
        data = bytes(self._held)
        self._held.clear()
        return data


class Proxy:
    """Listens on loopback and carries each connection to a broker, through quirks.

    async with Proxy(host, port, [OneByte]) as proxy:
        print(proxy.url)
    """

    def __init__(self, host: str, port: int, quirks: Sequence[Callable[[Link], Quirk]]) -> None:
        self.host = host
        self.port = port
        self.quirks = quirks
        self.shared: dict[str, object] = {}
        """What quirks keep across connections, such as the numbers of a session."""
        self.links: set[Link] = set()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Where it is reached."""
        if self._server is None:
            raise RuntimeError("the proxy does not run")
        return f"mqtt://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Proxy:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, backlog=512)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._carry(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link(self, self.quirks)
        self.links.add(link)
        try:
            await link.run(reader, writer)
        except OSError:
            writer.close()
        finally:
            self.links.discard(link)

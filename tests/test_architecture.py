# SPDX-License-Identifier: MIT
"""The walks of docs/design/architecture.md, followed in a running broker."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import FrameType
from typing import Any, Final

import pytest

import mqtt_ref
from mqtt_ref import AllowAll, Server
from mqtt_ref.engine import connection
from mqtt_ref.oracle.facade import AsyncOracle
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.framing import Decoder
from mqtt_ref.wire.packets import Connack, Connect, Puback, Publish, Suback, Subscribe, Subscription
from mqtt_ref.wire.primitives import SERVER

PAGE: Final = Path(__file__).parent.parent / "docs" / "design" / "architecture.md"
PACKAGE: Final = Path(mqtt_ref.__file__).parent.parent
STEP: Final = re.compile(r"^\d+\. `([\w.]+)` \(`([\w./]+)`\)", re.MULTILINE)

Call = tuple[str, str]
"""The qualified name of a function, and its file below the project's root."""

pytestmark = pytest.mark.skipif(
    not str(connection.__file__).endswith(".py"), reason="calls of compiled functions can't be seen"
)


def walk(number: int) -> list[Call]:
    """The steps of a walk of the page."""
    text = PAGE.read_text(encoding="utf-8")
    (section,) = [part for part in text.split("\n## ") if part.startswith(f"Walk {number}:")]
    return STEP.findall(section)


class Client:
    """A client on a socket of the loop that the broker runs on."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.decoder = Decoder(5, SERVER)
        self.inbox: list[Any] = []

    async def ask(self, packet: Any, kind: type) -> Any:
        """Send, and wait for a packet of a kind; others stay."""
        self.writer.write(encode(5, packet))
        return await self.take(kind)

    async def take(self, kind: type) -> Any:
        while not (found := [packet for packet in self.inbox if isinstance(packet, kind)]):
            self.inbox += self.decoder.feed(await self.reader.read(65_536))
        self.inbox.remove(found[0])
        return found[0]


async def client(server: Server, name: str) -> Client:
    made = Client(*await asyncio.open_connection("127.0.0.1", server.port))
    await made.ask(Connect(name), Connack)
    return made


def calls_of(
    scene: Callable[[Any, Callable[[], None]], Coroutine[Any, Any, None]], broker: Callable[[], Any] | None = None
) -> list[Call]:
    """Every call of our functions from the moment at which the scene begins to watch."""
    calls: list[Call] = []

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event == "call":
            path = Path(frame.f_code.co_filename)
            if path.is_relative_to(PACKAGE / "mqtt_ref"):
                calls.append((frame.f_code.co_qualname, path.relative_to(PACKAGE).as_posix()))

    async def run() -> None:
        made = Server(hooks=[AllowAll()]) if broker is None else broker()
        async with made as server, asyncio.timeout(20):
            try:
                await scene(server, lambda: sys.setprofile(note))
            finally:
                sys.setprofile(None)

    asyncio.run(run())
    return calls


def follow(steps: list[Call], calls: list[Call]) -> None:
    """Each step is called after the one before it."""
    assert steps
    at = 0
    for number, step in enumerate(steps, 1):
        try:
            at = calls.index(step, at) + 1
        except ValueError:
            before = steps[number - 2] if number > 1 else "the beginning"
            pytest.fail(f"step {number} of the walk, {step}, is not called after {before}; mend {PAGE.name}")


def test_a_connect() -> None:
    async def scene(server: Server, watch: Callable[[], None]) -> None:
        watch()
        await client(server, "a")

    follow(walk(1), calls_of(scene))


def test_a_publish_of_qos_1() -> None:
    async def scene(server: Server, watch: Callable[[], None]) -> None:
        sub, pub = await client(server, "sub"), await client(server, "pub")
        await sub.ask(Subscribe(1, [Subscription("t", 1)]), Suback)
        watch()
        await pub.ask(Publish("t", b"x", 1, packet_id=1), Puback)
        message = await sub.take(Publish)
        sub.writer.write(encode(5, Puback(message.packet_id)))
        await pub.ask(Publish("t", b"y", 1, packet_id=2), Puback)

    follow(walk(2), calls_of(scene))


def test_a_subscribe_with_retained_messages() -> None:
    async def scene(server: Server, watch: Callable[[], None]) -> None:
        sub, pub = await client(server, "sub"), await client(server, "pub")
        await pub.ask(Publish("t", b"x", 1, True, packet_id=1), Puback)
        watch()
        await sub.ask(Subscribe(1, [Subscription("t", 1)]), Suback)
        await sub.take(Publish)

    follow(walk(3), calls_of(scene))


def test_a_finding_of_the_oracle() -> None:
    async def scene(oracle: AsyncOracle, watch: Callable[[], None]) -> None:
        bad = Client(*await asyncio.open_connection("127.0.0.1", oracle.port))
        await bad.ask(Connect("a"), Connack)
        watch()
        twice = encode(5, Publish("t", b"", 1, packet_id=1))
        bad.writer.write(twice)  # the same Packet Identifier again, before it is acknowledged
        await bad.ask(Publish("t", b"", 1, packet_id=1), Puback)

    follow(walk(4), calls_of(scene, lambda: AsyncOracle(check=False)))


def test_a_page_that_is_not_true_fails() -> None:
    calls = [("a", "x.py"), ("b", "x.py")]
    follow([("a", "x.py"), ("b", "x.py")], calls)
    with pytest.raises(pytest.fail.Exception, match="step 2"):
        follow([("b", "x.py"), ("a", "x.py")], calls)


def test_every_file_of_the_map_is_there() -> None:
    text = PAGE.read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ") and ".py`" in line]
    assert len(rows) > 15
    for row in rows:
        files = re.findall(r"`([\w/]+\.py)`", row)
        folder = files[0].split("/")[0]
        for file in files:
            assert (PACKAGE / "mqtt_ref" / (file if "/" in file else f"{folder}/{file}")).exists(), file

# SPDX-License-Identifier: MIT
"""How long a client waits for its PINGRESP while others attack `mqtt-ref serve`: part of `python -m bench.attacks`.

The broker, the attackers, the client that pings, and the holder of what an attack needs are processes of their own. A
second broker, which is not attacked, is pinged at the same moments: its delay is that of the machine.

A ping is sent every few milliseconds, whether the ones before it are answered or not. So a broker that stands still
delays all pings of that time.

`raw` is what 99.9 % of the pings waited at most, `idle` the same of the idle broker, and `share` the part of the time
in which the attacked broker had a processor when it wanted one. `wait` is (raw - idle) x share: what a broker with a
processor of its own needs.
"""

from __future__ import annotations

import asyncio
import json
import os
import selectors
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from itertools import count
from typing import Any

from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.framing import Framer
from mqtt_ref.wire.packets import (
    Connect,
    ConnectProperties,
    Disconnect,
    Packet,
    Pingreq,
    Publish,
    PublishProperties,
    Subscribe,
    Subscription,
    Unsubscribe,
)
from mqtt_ref.wire.primitives import V5

__all__ = ["LIVE", "measure", "run_role"]

PINGS = 2000
EVERY = 0.004
"""Seconds from one ping to the next."""
MANY = 100
"""Attacking connections of the second measurement."""
PROCESSES = 4
"""Processes that they are divided among."""
WARM = 1.0
"""Seconds of attack before the first ping."""
HOUR = 3600


class Link:
    """A client's connection. What comes is counted by packet type, and forgotten."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.got: Counter[int] = Counter()
        self.ended = False
        self._framer = Framer()
        self._news = asyncio.Event()
        self._task = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        with suppress(OSError):
            while data := await self.reader.read(1 << 18):
                data, frames = self._framer.feed(data)
                for pos, _, _ in frames:
                    self.got[data[pos] >> 4] += 1
                self._news.set()
        self.ended = True
        self._news.set()

    async def send(self, *packets: Packet) -> None:
        await self.send_raw(b"".join([encode(V5, packet) for packet in packets]))

    async def send_raw(self, data: bytes) -> None:
        """Send, as fast as the broker reads.

        Raises:
            ConnectionError: the broker has closed the connection.
        """
        for at in range(0, len(data), 1 << 18):
            if self.ended:
                raise ConnectionError("the broker closed the connection")
            self.writer.write(data[at : at + (1 << 18)])
            await self.writer.drain()

    async def until(self, packet_type: int, number: int) -> None:
        """Wait until so many packets of a type have come.

        Raises:
            ConnectionError: the broker has closed the connection.
        """
        while self.got[packet_type] < number:
            if self.ended:
                raise ConnectionError("the broker closed the connection")
            self._news.clear()
            await self._news.wait()

    async def end(self) -> None:
        """Wait until the broker has closed."""
        while not self.ended:
            self._news.clear()
            await self._news.wait()
        self.writer.close()

    def close(self) -> None:
        self._task.cancel()
        self.writer.close()


async def opened(port: int) -> Link:
    """Open a connection; send nothing."""
    return Link(*await asyncio.open_connection("127.0.0.1", port))


async def client(port: int, client_id: str, expiry: int = 0) -> Link:
    """Connect a client."""
    link = await opened(port)
    properties = ConnectProperties(session_expiry_interval=expiry) if expiry else None
    await link.send(Connect(client_id, V5, properties=properties))
    await link.until(2, 1)
    return link


async def subscribe(link: Link, names: Iterable[str], at_once: int = 5000, qos: int = 0) -> None:
    """Subscribe to filters, and wait for each SUBACK."""
    batch: list[Subscription] = []
    for name in names:
        batch.append(Subscription(name, qos))
        if len(batch) == at_once:
            await _subscribe(link, batch)
            batch = []
    if batch:
        await _subscribe(link, batch)


async def _subscribe(link: Link, batch: list[Subscription]) -> None:
    before = link.got[9]
    await link.send(Subscribe(1, batch))
    await link.until(9, before + 1)


async def ping(link: Link) -> None:
    """Wait until the broker has handled what was sent before."""
    before = link.got[13]
    await link.send(Pingreq())
    await link.until(13, before + 1)


async def retain(port: int, topics: Iterable[str]) -> None:
    """Publish retained messages."""
    link = await client(port, "retainer")
    batch: list[Packet] = []
    for topic in topics:
        batch.append(Publish(topic, b"x", retain=True))
        if len(batch) == 1000:
            await link.send(*batch)
            await ping(link)
            batch = []
    await link.send(*batch)
    await ping(link)
    link.close()


async def forever(port: int, name: str, *packets: Packet) -> None:
    """Send the same packets again and again, as fast as the broker reads them."""
    link = await client(port, name)
    data = b"".join([encode(V5, packet) for packet in packets])
    data *= max(1, (1 << 16) // len(data))
    while True:
        await link.send_raw(data)


# -------------------------------------------------------------------- what each attack needs, and what it does

Hold = Callable[[int], Awaitable[list[Link]]]
Attack = Callable[[int, str], Awaitable[None]]


async def no_need(port: int) -> list[Link]:
    """Nothing is needed."""
    return []


async def groups(port: int) -> list[Link]:
    """Join 20 x 1,000 groups of one topic."""
    links = [await client(port, f"member{member}") for member in range(20)]
    for member, link in enumerate(links):
        await subscribe(link, (f"$share/{member}-{n}/t" for n in range(1000)))
    return links


async def share_groups(port: int, name: str) -> None:
    await forever(port, name, Publish("t", b"x"))


async def subscribers(port: int) -> list[Link]:
    """Subscribe 20,000 clients to one topic. 2,000 stay connected."""
    links = []
    for number in range(20_000):
        link = await client(port, f"s{number}", HOUR)
        await subscribe(link, ["t"], qos=1)
        if number < 2000:
            links.append(link)
        else:
            link.close()
    return links


async def fanout(port: int, name: str) -> None:
    link = await client(port, name)
    for turn in count(1):
        await link.send(Publish("t", b"x", 1, packet_id=1))
        await link.until(4, turn)


async def retained_deep(port: int) -> list[Link]:
    """Retain 100,000 messages."""
    await retain(port, (f"a/{n % 100}/{n}" for n in range(100_000)))
    return []


async def retained_scans(port: int, name: str) -> None:
    link = await client(port, name)
    while True:
        await subscribe(link, (f"+/+/+/x{n}" for n in range(4000)), 500)


async def retained_wide(port: int) -> list[Link]:
    """Retain 200,000 messages."""
    await retain(port, (f"r/{n % 1000}/{n}" for n in range(200_000)))
    return []


async def retained_first(port: int) -> list[Link]:
    """Retain 200,000 messages that differ in their first level."""
    await retain(port, (f"{n}/x" for n in range(200_000)))
    return []


async def retained_all(port: int, name: str) -> None:
    link = await client(port, name)
    while True:
        before = link.got[3]
        await subscribe(link, ["#"])
        await link.until(3, before + 200_000)


async def many_filters(port: int, name: str) -> None:
    link = await client(port, name)
    names = [f"+/{n}" for n in range(100_000)]
    while True:
        await subscribe(link, names, 9_999)
        for at in range(0, len(names), 9_999):
            before = link.got[11]
            await link.send(Unsubscribe(2, names[at : at + 9_999]))
            await link.until(11, before + 1)


@cache
def _too_many() -> bytes:
    many = [("k", "v")] * 1_000_000
    return encode(V5, Publish("t", properties=PublishProperties(user_property=many)))


async def one_packet(port: int, name: str) -> None:
    packet = _too_many()
    while True:
        link = await client(port, name)
        with suppress(OSError):
            await link.send_raw(packet)
        await link.end()


async def most_parts(port: int, name: str) -> None:
    parts = PublishProperties(user_property=[("k", "v")] * 10_000)
    await forever(port, name, Publish("t", properties=parts))


async def overlaps(port: int, name: str) -> None:
    link = await client(port, name)
    first = f"n{name}"  # so that each attacker has filters of its own
    names = (f"{first}/{'/'.join('+' if n >> bit & 1 else 'a' for bit in range(12))}" for n in range(4000))
    await subscribe(link, names, 1000)
    topic = f"{first}/{'/'.join('a' * 12)}"
    while True:
        # A changed filter drops the answer that is remembered for the topic.
        changes = [Unsubscribe(2, [f"{first}/#"]), Subscribe(1, [Subscription(f"{first}/#")])]
        await link.send(*[Publish(topic, b"x")] * 5, *changes)
        await ping(link)


async def paths(port: int) -> list[Link]:
    """Subscribe 100 clients to 131,072 filters that match one topic, each through a path of its own."""
    links = [await client(port, f"s{number}") for number in range(100)]
    for number, link in enumerate(links):
        numbers = range(number, 1 << 17, 100)
        await subscribe(link, ("/".join("+" if n >> bit & 1 else "a" for bit in range(17)) for n in numbers))
    return links


async def lattice(port: int, name: str) -> None:
    link = await client(port, name)
    topic = "/".join("a" * 17)
    for turn in count():
        # A changed filter drops the answer that is remembered for the topic.
        await link.send(Subscribe(1, [Subscription("#", turn % 3)]), Publish(topic, b"x"))
        await ping(link)


async def deep(port: int, name: str) -> None:
    link = await client(port, name)
    await subscribe(link, (f"{'+/' * 190}{n}" for n in range(5000)), 500)
    for turn in count():
        await link.send(*[Publish("a/" * 190 + str(turn * 50 + n)) for n in range(50)])


async def session_ends(port: int, name: str) -> None:
    while True:
        link = await client(port, name, HOUR)
        await subscribe(link, (f"s/{n}" for n in range(50_000)))
        await subscribe(link, (f"$share/{n}/q" for n in range(1000)))
        link.close()
        link = await opened(port)
        await link.send(Connect(name, V5, True))
        await link.until(2, 1)
        await link.send(Disconnect())
        await link.end()


async def pings(port: int, name: str) -> None:
    await forever(port, name, Pingreq())


async def publishes(port: int, name: str) -> None:
    link = await client(port, name)
    await subscribe(link, ["#"])
    for turn in count():
        await link.send(*[Publish(f"{(turn * 1000 + n) % 1_000_000:x}") for n in range(1000)])


async def expiry(port: int, name: str) -> None:
    """Make sessions and retained messages that expire within two seconds."""
    soon = PublishProperties(message_expiry_interval=2)
    properties = ConnectProperties(session_expiry_interval=2)
    for turn in count():
        link = await opened(port)
        await link.send(
            Connect(f"{name}-{turn}", V5, properties=properties),
            Subscribe(1, [Subscription(f"x/{turn}")]),
            *[Publish(f"e/{name}/{turn}/{n}", b"x", retain=True, properties=soon) for n in range(20)],
            Disconnect(),
        )
        await link.end()


LIVE: dict[str, tuple[Hold, Attack]] = {
    "share_groups": (groups, share_groups),
    "fanout": (subscribers, fanout),
    "retained_scans": (retained_deep, retained_scans),
    "retained_all": (retained_wide, retained_all),
    "retained_flat": (retained_first, retained_all),
    "many_filters": (no_need, many_filters),
    "one_packet": (no_need, one_packet),
    "most_parts": (no_need, most_parts),
    "overlaps": (no_need, overlaps),
    "lattice": (paths, lattice),
    "deep": (no_need, deep),
    "session_ends": (no_need, session_ends),
    "pings": (no_need, pings),
    "publishes": (no_need, publishes),
    "expiry": (no_need, expiry),
}


# -------------------------------------------------------------------- the processes


def run_role(role: str, attack: str, ports: list[int], number: int, first: int) -> int:
    """Be one of the processes until standard input ends."""
    if role == "pings":
        print(json.dumps(_pings(ports)), flush=True)
        return 0
    if hasattr(os, "nice"):
        os.nice(10)  # in real life, attackers do not use the processors of the broker
    hold, attacker = LIVE[attack]
    asyncio.run(_hold(hold(ports[0])) if role == "hold" else _attack(attacker, ports[0], number, first))
    return 0


async def _hold(held: Awaitable[list[Link]]) -> None:
    links = await held
    print("ready", flush=True)
    await _stdin_ends()
    for link in links:
        link.close()


async def _attack(attack: Attack, port: int, number: int, first: int) -> None:
    failures: list[BaseException] = []

    async def run(name: str) -> None:
        try:
            await attack(port, name)
        except Exception as error:
            failures.append(error)

    tasks = [asyncio.ensure_future(run(f"evil{at}")) for at in range(first, first + number)]
    await asyncio.sleep(WARM)
    print("ready", flush=True)
    await _stdin_ends()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    print(json.dumps([repr(failure) for failure in failures[:3]]), flush=True)


async def _stdin_ends() -> None:
    await asyncio.to_thread(sys.stdin.read)


@dataclass
class Pinged:
    """One pinged broker."""

    link: socket.socket
    sent: list[float]
    waits: list[float]


def _pings(ports: list[int]) -> list[list[float]]:
    """Ping each of the brokers. Return the delays in milliseconds."""
    chooser = selectors.DefaultSelector()
    pinged = []
    for port in ports:
        link = socket.create_connection(("127.0.0.1", port), 60)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link.sendall(encode(V5, Connect("bystander", V5, keep_alive=0)))
        if link.recv(256)[:1] != b"\x20":
            raise SystemExit("the broker did not accept the bystander")
        link.setblocking(False)
        one = Pinged(link, [], [])
        chooser.register(link, selectors.EVENT_READ, one)
        pinged.append(one)
    due = time.perf_counter()
    sent = 0
    end = due + 300
    while any(len(one.waits) < PINGS for one in pinged):
        now = time.perf_counter()
        if now > end:
            raise SystemExit("the pings were not answered within five minutes")
        if sent < PINGS and now >= due:
            for one in pinged:
                one.sent.append(time.perf_counter())
                one.link.send(b"\xc0\x00")
            sent += 1
            due += EVERY
            continue
        for key, _ in chooser.select(max(0.0, due - now) if sent < PINGS else 1.0):
            one = key.data
            answers = len(one.link.recv(1 << 16)) // 2
            now = time.perf_counter()
            for at in range(len(one.waits), len(one.waits) + answers):
                one.waits.append((now - one.sent[at]) * 1000)
    return [one.waits for one in pinged]


@contextmanager
def _broker(environment: dict[str, str]) -> Iterator[tuple[int, int]]:
    """Start a broker. Yield its port and its process identifier."""
    command = [sys.executable, "-P", "-m", "mqtt_ref", "serve", "--port", "0", "--no-ws", "--no-http"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline().rsplit(":", 1)[1]), process.pid
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


@contextmanager
def _process(environment: dict[str, str], role: str, attack: str, ports: list[int], *numbers: int) -> Iterator[Any]:
    command = [sys.executable, "-P", "-m", "bench.attacks", "--role", role, "--only", attack]
    command += ["--numbers", *map(str, (*numbers, *ports))]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _ready(process: Any) -> None:
    if process.stdout.readline() != "ready\n":
        raise SystemExit("an attacker did not start")


def _scheduled(pid: int) -> tuple[int, int]:
    """Return the nanoseconds that a process has run, and those that it waited for a processor. Zeros if not Linux."""
    try:
        with open(f"/proc/{pid}/schedstat") as file:
            ran, waited, _ = map(int, file.read().split())
    except OSError:
        return 0, 0
    return ran, waited


def _of(waits: list[float], share: float) -> float:
    return sorted(waits)[min(len(waits) - 1, int(len(waits) * share))]


def measure(attack: str, environment: dict[str, str], own: dict[str, str]) -> dict[str, float]:
    """Attack a broker with one connection, then with many. Return the delays of a bystander, in milliseconds."""
    found: dict[str, float] = {}
    with ExitStack() as stack:
        port, pid = stack.enter_context(_broker(environment))
        control, _ = stack.enter_context(_broker(environment))
        _ready(stack.enter_context(_process(own, "hold", attack, [port], 0, 0)))
        for number in (1, MANY):
            with ExitStack() as attackers:
                processes = min(PROCESSES, number)
                each = number // processes
                evil = [
                    attackers.enter_context(_process(own, "attack", attack, [port], each, at * each))
                    for at in range(processes)
                ]
                for process in evil:
                    _ready(process)
                before = _scheduled(pid)
                with _process(own, "pings", attack, [port, control], 0, 0) as pinging:
                    line = pinging.stdout.readline()
                after = _scheduled(pid)
                if not line:
                    raise SystemExit(f"{attack}: the bystander was not served")
                waits, idle = json.loads(line)
                for process in evil:
                    failures = json.loads(process.communicate("", timeout=60)[0].splitlines()[-1])
                    if failures:
                        raise SystemExit(f"{attack}: attackers failed: {failures}")
            delay, machine = _of(waits, 0.999), _of(idle, 0.999)
            ran, waited = after[0] - before[0], after[1] - before[1]
            share = ran / (ran + waited) if ran else 1.0
            found[f"raw_{number}_ms"] = round(delay, 1)
            found[f"idle_{number}_ms"] = round(machine, 1)
            found[f"share_{number}"] = round(share, 2)
            found[f"wait_{number}_ms"] = round(max(0.0, delay - machine) * share, 1)
    return found

# SPDX-License-Identifier: MIT
"""Measures the memory that messages for absent clients need: with all of them in memory, and in the store alone.

    python -m bench.absent                     # a million messages; takes some minutes
    python -m bench.absent --messages 100000   # fewer
    python -m bench.absent --record

Each line is two processes with the same SQLite store, without sockets. The first makes the sessions, then queues
messages of 100 bytes, each for one session. The second loads the store, then lets some clients take their messages:
they have to be complete and in order.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from mqtt_ref.broker.broker import Broker
from mqtt_ref.engine.connection import Connection
from mqtt_ref.engine.effects import Commit, Read
from mqtt_ref.engine.options import Bounds, Options
from mqtt_ref.storage.store import Store
from mqtt_ref.storage.url import store_at
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.framing import Decoder
from mqtt_ref.wire.packets import Connect, ConnectProperties, Disconnect, Puback, Publish, Subscribe, Subscription
from mqtt_ref.wire.primitives import SERVER, V5

__all__ = ["main"]

RESULTS = Path(__file__).parent / "results" / "absent.json"
SCENARIOS: Final = {"many": 100_000, "few": 4}
"""Sessions among which the messages are divided."""
LIMITS: Final = {"all in memory": 0, "none in memory": 1}
"""By name: `maximum_queued_memory`."""
PAYLOAD: Final = 100
BURST: Final = 500
"""Messages of one read."""
TAKERS: Final = 500
"""Clients that come back."""
NEVER: Final = 4_294_967_295


def resident() -> int:
    """Bytes of memory of this process."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


class Driver:
    """Runs a broker with a store, without sockets."""

    def __init__(self, place: str, limit: int) -> None:
        bounds = Bounds(queued_messages=1 << 40, queued_bytes=1 << 60, queued_memory=limit)
        self.store: Store = store_at(place, "off")
        self.store.open()
        self.broker = Broker(Options(bounds=bounds), storage=self.store)
        self.now = 1_000_000_000

    def turn(self) -> None:
        """Do what the broker asks for, until there is nothing more."""
        broker = self.broker
        while effects := broker.tick(self.now):
            for effect in effects:
                if isinstance(effect, Commit):
                    self.store.commit(effect.batch, effect.records)  # type: ignore[arg-type]
                    broker.on_committed(effect.batch, self.now)
                elif isinstance(effect, Read):
                    found = self.store.load_queue(effect.client_id, effect.after, effect.messages, effect.size)
                    broker.on_read(effect.number, found, self.now)

    def client(self, name: str, *packets: Subscribe) -> tuple[Connection, bytes]:
        """Connect a client, which keeps its session. Return also what the broker writes to it."""
        connection = self.broker.connect(self.now)
        properties = ConnectProperties(session_expiry_interval=0 if name == "pub" else NEVER, receive_maximum=1000)
        connect = Connect(name, clean_start=False, properties=properties)
        return connection, self.send(connection, connect, *packets)

    def send(self, connection: Connection, *packets: Any) -> bytes:
        """Let the broker read packets, and return what it writes to this connection."""
        connection.receive(b"".join(encode(V5, packet) for packet in packets), self.now)
        return self.written(connection)

    def written(self, connection: Connection) -> bytes:
        """Return what the broker writes to this connection."""
        self.turn()
        out = b""
        while self.broker.dirty:
            dirty, self.broker.dirty = self.broker.dirty, []
            for one in dirty:
                data = b"".join(one.take())
                if one is connection:
                    out += data
            self.turn()
        return out


def fill(place: str, sessions: int, messages: int, limit: int) -> dict[str, Any]:
    """Make the sessions and queue the messages."""
    driver = Driver(place, limit)
    for number in range(sessions):
        connection, _ = driver.client(f"c{number}", Subscribe(1, [Subscription(f"device/{number}", 1)]))
        driver.send(connection, Disconnect())
        connection.lost(driver.now)
    driver.turn()
    before = resident()
    publisher, _ = driver.client("pub")
    begun = time.monotonic()
    for start in range(0, messages, BURST):
        burst = range(start, min(start + BURST, messages))
        driver.send(publisher, *[_message(number, sessions, number - start + 1) for number in burst])
    seconds = time.monotonic() - begun
    after = resident()
    counters = driver.broker.counters
    assert counters.messages_queued == messages
    driver.store.close()
    return {
        "sessions_bytes": before,
        "queued_bytes": after,
        "bytes_per_message": round((after - before) / messages),
        "in_store": counters.queued_in_store,
        "queued_per_second": round(messages / seconds),
    }


def _message(number: int, sessions: int, packet_id: int) -> Publish:
    payload = b"%d" % (number // sessions)
    return Publish(f"device/{number % sessions}", payload.rjust(PAYLOAD, b"0"), 1, packet_id=packet_id)


def take(place: str, sessions: int, messages: int, limit: int) -> dict[str, Any]:
    """Load the store, and let clients take their messages."""
    begun = time.monotonic()
    driver = Driver(place, limit)
    driver.broker.restore(driver.now)
    loaded = time.monotonic() - begun
    after = resident()
    begun = time.monotonic()
    taken = 0
    for number in range(min(sessions, TAKERS)):
        each = len(range(number, messages, sessions))
        expected = 0
        connection, data = driver.client(f"c{number}")
        decoder = Decoder(V5, SERVER)
        while expected < each:
            acks = []
            for packet in decoder.feed(data):
                if isinstance(packet, Publish):
                    assert int(packet.payload) == expected, f"{packet.payload!r} instead of {expected}"
                    expected += 1
                    acks.append(Puback(packet.packet_id))
            assert acks or data, f"client {number} got {expected} of {each} messages"
            data = driver.send(connection, *acks)
        taken += expected
        driver.send(connection, Disconnect())
        connection.lost(driver.now)
    seconds = time.monotonic() - begun
    driver.turn()
    driver.store.close()
    return {"loaded_bytes": after, "load_seconds": round(loaded, 1), "taken_per_second": round(taken / seconds)}


def measure(sessions: int, messages: int, limit: int) -> dict[str, Any]:
    """Run both processes."""
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="mqtt_ref-bench-") as folder:
        for step in ("fill", "take"):
            given = [step, f"sqlite:{folder}/store.db", str(sessions), str(messages), str(limit)]
            command = [sys.executable, "-m", "bench.absent", "--step", *given]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            result |= json.loads(done.stdout)
    return result


def _mib(size: int) -> str:
    return f"{size / (1 << 20):.0f}"


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m bench.absent", description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--record", action="store_true", help="write the result to bench/results/")
    parser.add_argument("--step", nargs=5, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        step, place, *numbers = arguments.step
        print(json.dumps((fill if step == "fill" else take)(place, *map(int, numbers))))
        return 0
    print(
        f"{'':34} | MiB: sessions | and queues | loaded again | bytes/message | load s | queued/s | taken/s", flush=True
    )
    results = []
    for scenario, most in SCENARIOS.items():
        sessions = min(most, arguments.messages // 10)
        for name, limit in LIMITS.items():
            found = measure(sessions, arguments.messages, limit)
            results.append({"scenario": scenario, "sessions": sessions, "limit": name, **found})
            print(
                f"{scenario + f' ({sessions} sessions), ' + name:34} | {_mib(found['sessions_bytes']):>13} "
                f"| {_mib(found['queued_bytes']):>10} | {_mib(found['loaded_bytes']):>12} "
                f"| {found['bytes_per_message']:>13} | {found['load_seconds']:>6} | {found['queued_per_second']:>8} "
                f"| {found['taken_per_second']:>7}",
                flush=True,
            )
    if arguments.record:
        python = f"{platform.python_implementation()} {platform.python_version()}"
        report = {"messages": arguments.messages, "python": python, "results": results}
        RESULTS.write_text(json.dumps(report, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: MIT
"""How long Python's garbage collector stops `mqtt-ref serve`, in CPU time, while 100,000 sessions are made and used.

    python -m bench.pauses                  # plain Python
    python -m bench.pauses --compiled
    python -m bench.pauses --record         # writes bench/results/pauses.json

The broker runs twice: as `mqtt-ref serve` sets the collector up, and with the collector as Python sets it up.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import socket
import subprocess
import sys
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from bench.compiled import ROOT, compiled_site
from mqtt_ref.cli import serve
from mqtt_ref.cli.main import main as command
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import Connect, ConnectProperties, Publish, Subscribe, Subscription
from mqtt_ref.wire.primitives import V5

__all__ = ["main"]

RESULTS = Path(__file__).parent / "results" / "pauses.json"
BAR = 20.0
"""Milliseconds of CPU time of the longest pause, at most."""
SESSIONS = 100_000
CONNECTED = 8_000
"""Sessions whose clients stay connected."""
TOGETHER = 100
WAYS = ("serve", "default")


def broker(way: str) -> int:
    """Serve, and print the pauses at the end."""
    pauses: list[tuple[int, float]] = []
    begun = 0

    def clock(phase: str, info: dict[str, int]) -> None:
        nonlocal begun
        if phase == "start":
            begun = time.thread_time_ns()
        else:
            pauses.append((info["generation"], (time.thread_time_ns() - begun) / 1e6))

    def plain(*_: object) -> AbstractContextManager[None]:
        return nullcontext()

    gc.callbacks.append(clock)
    if way == "default":
        serve.Collecting = plain  # type: ignore[assignment, misc]
    code = command(["serve", "--port", "0", "--no-ws", "--no-http"])
    print(json.dumps(pauses), flush=True)
    return code


def _until(link: socket.socket, last: bytes) -> None:
    """Read until the answer that ends with these bytes."""
    got = b""
    while not got.endswith(last):
        data = link.recv(4096)
        if not data:
            raise SystemExit("the broker closed a connection")
        got = (got + data)[-16:]


def load(port: int, sessions: int) -> None:
    """Make sessions, and send each a message of QoS 1, which waits if its client is away."""
    suback = bytes.fromhex("900400010001")
    links: list[socket.socket] = []
    for begun in range(0, sessions, TOGETHER):
        some = []
        for number in range(begun, min(begun + TOGETHER, sessions)):
            link = socket.create_connection(("127.0.0.1", port), 60)
            properties = ConnectProperties(session_expiry_interval=3600)
            connect = encode(V5, Connect(f"client-{number}", V5, properties=properties))
            link.sendall(connect + encode(V5, Subscribe(1, [Subscription(f"site/{number % 100}/client/{number}", 1)])))
            some.append(link)
        for link in some:
            _until(link, suback)
            if len(links) < CONNECTED:
                links.append(link)
            else:
                link.close()
    with socket.create_connection(("127.0.0.1", port), 60) as link:
        link.sendall(encode(V5, Connect("publisher", V5)))
        for begun in range(0, sessions, TOGETHER):
            numbers = range(begun, min(begun + TOGETHER, sessions))
            link.sendall(
                b"".join(
                    encode(V5, Publish(f"site/{n % 100}/client/{n}", b"x" * 50, 1, packet_id=n - begun + 1))
                    for n in numbers
                )
            )
            _until(link, len(numbers).to_bytes(2, "big"))
    for link in links:
        link.close()


def measure(way: str, environment: dict[str, str], sessions: int) -> dict[str, Any]:
    """Run a broker under the load. Return its pauses, summed up."""
    command = [sys.executable, "-P", "-m", "bench.pauses", "--broker", way]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            began = time.monotonic()
            load(int(process.stdout.readline().rsplit(":", 1)[1]), sessions)
            took = time.monotonic() - began
        finally:
            process.terminate()
        pauses = json.loads(process.stdout.read().splitlines()[-1])
    times = sorted(ms for _, ms in pauses)
    return {
        "longest_ms": round(times[-1], 1),
        "over_10_ms": sum(ms > 10 for ms in times),
        "pauses": len(times),
        "cpu_ms": round(sum(times)),
        "load_s": round(took, 1),
    }


def main(argv: list[str] | None = None) -> int:
    """Run the command. Return its exit code: 0 if no pause of `mqtt-ref serve` is longer than the bar, else 1."""
    parser = argparse.ArgumentParser(prog="python -m bench.pauses", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--compiled", action="store_true", help="what mypyc makes of the source as it stands")
    parser.add_argument("--sessions", type=int, default=SESSIONS)
    parser.add_argument("--record", action="store_true", help="write bench/results/pauses.json")
    parser.add_argument("--broker", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.broker:
        return broker(options.broker)
    form = "compiled" if options.compiled else "plain"
    place = compiled_site() if options.compiled else ROOT
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(place), str(ROOT), str(ROOT / "conformance")))}
    found = {}
    for way in WAYS:
        found[way] = measure(way, environment, options.sessions)
        print(f"{form:10}{way:10}{json.dumps(found[way])}", flush=True)
    if options.record:
        data = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        data[form] = {
            "python": platform.python_version(),
            "sessions": options.sessions,
            "bar_ms": BAR,
            "results": found,
        }
        RESULTS.write_text(json.dumps(data, indent=1) + "\n")
    return int(found["serve"]["longest_ms"] > BAR)


if __name__ == "__main__":
    raise SystemExit(main())

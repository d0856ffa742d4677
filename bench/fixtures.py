# SPDX-License-Identifier: MIT
"""Measures the start and stop of a fixture's broker: `python -m bench.fixtures [RUNS] [--record]`.

The start ends when a first client gets its CONNACK. The stop is measured with ten idle clients connected.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.startup import measure

__all__ = ["main"]

RESULTS = Path(__file__).parent / "results" / "fixtures.json"
CONNECT = bytes.fromhex("100d00044d51545405020000000000")
BARS = {"broker ready": 50, "oracle ready": 50, "as a process": 300, "broker stopped": 200, "oracle stopped": 200}
"""In milliseconds."""
CLIENTS = 10
IMPORTS = {"import of the broker": "mqtt_ref.threaded", "import of the oracle": "mqtt_ref.testing.oracle"}
TIMED = "import time; begin = time.perf_counter(); import {}; print((time.perf_counter() - begin) * 1000)"


def connected(port: int) -> socket.socket:
    """Connect a client and wait for its CONNACK."""
    client = socket.create_connection(("127.0.0.1", port), timeout=10)
    client.sendall(CONNECT)
    if client.recv(4096)[:1] != b"\x20":
        raise SystemExit("the broker did not accept the client")
    return client


def life(server: Any, stop: Callable[[], None]) -> tuple[float, float]:
    """Return the milliseconds of the start, until a client can connect, and of the stop."""
    begin = time.perf_counter()
    server.start()
    ready = time.perf_counter()
    clients = [connected(server.port) for _ in range(CLIENTS)]
    leave = time.perf_counter()
    stop()
    stopped = time.perf_counter()
    for client in clients:
        client.close()
    return (ready - begin) * 1000, (stopped - leave) * 1000


def main(argv: list[str] | None = None) -> int:
    """Print the medians, and record them if asked. Return 0 if every bar is met."""
    parser = argparse.ArgumentParser(prog="python -m bench.fixtures", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("runs", nargs="?", type=int, default=15, metavar="RUNS")
    parser.add_argument("--record", action="store_true", help="write bench/results/fixtures.json")
    args = parser.parse_args(argv)
    times: dict[str, list[float]] = {name: [] for name in [*IMPORTS, *BARS]}
    env = dict(os.environ)
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as cache:
        env["PYTHONPYCACHEPREFIX"] = cache  # an installed package is compiled to bytecode, a checkout may not be
        for run in range(args.runs + 1):
            for name, module in IMPORTS.items():
                command = [sys.executable, "-c", TIMED.format(module)]
                done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
                if run:  # the first run wrote the bytecode
                    times[name].append(float(done.stdout))
            if run:
                times["as a process"].append(measure(env, [sys.executable, "-m", "mqtt_ref"])[0])

    from mqtt_ref.hooks import AllowAll
    from mqtt_ref.testing.oracle import GRACE, Oracle
    from mqtt_ref.threaded import ThreadedServer

    for _ in range(args.runs):
        server = ThreadedServer(hooks=[AllowAll()])
        for name, took in zip(("ready", "stopped"), life(server, lambda: server.stop(GRACE)), strict=True):  # noqa: B023
            times[f"broker {name}"].append(took)
        oracle = Oracle()
        for name, took in zip(("ready", "stopped"), life(oracle, oracle.stop), strict=True):
            times[f"oracle {name}"].append(took)

    print(f"{args.runs} runs, ms".ljust(26) + "fastest  median  slowest     bar")
    rows: dict[str, dict[str, Any]] = {}
    for name, found in times.items():
        row = {"fastest": min(found), "median": statistics.median(found), "slowest": max(found)}
        rows[name] = {key: round(value, 1) for key, value in row.items()} | {"bar": BARS.get(name)}
        bar = f"{BARS[name]:8}" if name in BARS else "       -"
        print(f"{name:<24}{row['fastest']:9.1f}{row['median']:8.1f}{row['slowest']:9.1f}{bar}")
    if args.record:
        result = {"python": platform.python_version(), "runs": args.runs, "clients": CLIENTS, "milliseconds": rows}
        RESULTS.write_text(json.dumps(result, indent=2) + "\n")
    return int(any(rows[name]["median"] > bar for name, bar in BARS.items()))


if __name__ == "__main__":
    sys.exit(main())

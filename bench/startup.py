# SPDX-License-Identifier: MIT
"""Measures the time of `mqtt-ref serve` from the command to a client's CONNACK: `python -m bench.startup [RUNS]`."""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time

__all__ = ["main", "measure"]

BAR = 300
"""In milliseconds."""
CONNECT = bytes.fromhex("100c00044d515454040200000000")


def measure(env: dict[str, str], program: list[str]) -> tuple[float, float]:
    """Return the milliseconds to the line that tells the address, and to the CONNACK of a first client."""
    start = time.perf_counter()
    with subprocess.Popen([*program, "serve", "--port", "0"], stdout=subprocess.PIPE, text=True, env=env) as broker:
        try:
            assert broker.stdout is not None
            line = broker.stdout.readline()
            ready = time.perf_counter()
            port = int(line.rsplit(":", 1)[1])
            with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
                client.sendall(CONNECT)
                if client.recv(4) != b"\x20\x02\x00\x00":
                    raise SystemExit("the broker did not accept the client")
                answered = time.perf_counter()
                client.sendall(b"\xe0\x00")
        finally:
            broker.terminate()
    return (ready - start) * 1000, (answered - start) * 1000


def main() -> int:
    """Print the fastest, median and slowest of some runs, beside an interpreter that does nothing."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    env = dict(os.environ)
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as cache:
        env["PYTHONPYCACHEPREFIX"] = cache  # an installed package is compiled to bytecode, a checkout may not be
        program = [sys.executable, "-m", "mqtt_ref"]
        measure(env, program)
        bare, ready, answered = [], [], []
        for _ in range(runs):
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", "pass"], env=env, check=True)
            bare.append((time.perf_counter() - start) * 1000)
            first, second = measure(env, program)
            ready.append(first)
            answered.append(second)
    print(f"{runs} runs, ms".ljust(30) + "fastest  median  slowest")
    for what, times in (("python -c pass", bare), ("listening", ready), ("first client answered", answered)):
        print(f"{what:<28}{min(times):9.0f}{statistics.median(times):8.0f}{max(times):9.0f}")
    return int(statistics.median(ready) > BAR)


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: MIT
"""Measures how long `mqtt-ref serve` takes to load a large store.

python -m bench.store_startup                     # SQLite, LMDB and RocksDB
python -m bench.store_startup --only sqlite --sessions 10000 --retained 100000
python -m bench.store_startup --record            # writes bench/results/store_startup.json

Each session has one subscription, and every fourth two messages that wait. A start ends with the line that says where
the broker listens; then a client resumes a session, and another reads a retained message.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mqtt_ref.ports import QueuePut, SessionPut, StoredMessage, SubscriptionPut
from mqtt_ref.storage import records as form
from mqtt_ref.storage.port import KeyValue
from mqtt_ref.storage.url import store_at
from mqtt_ref.testing.rawclient import RawClient
from mqtt_ref.wire.packets import ConnectProperties

__all__ = ["fill", "main", "measure"]

RESULTS = Path(__file__).parent / "results" / "store_startup.json"
KINDS = ("sqlite", "lmdb", "rocksdb")
SESSIONS = 100_000
RETAINED = 1_000_000
BAR = 30.0
"""Seconds to a broker that listens, with so many sessions and retained messages in SQLite."""
CPU_BAR = 25.0
"""Seconds of CPU time of the same start. They count if other programs had the cores."""
BUSY = 0.7
"""CPU seconds per second of a start below which they had."""
BATCH = 20_000
PAYLOAD = b'{"value": 21.5, "unit": "C", "battery": 0.87, "time": 17000000}'
NEVER = 0xFFFFFFFF
TICKS = os.sysconf("SC_CLK_TCK")


def _pairs(sessions: int, retained: int) -> Iterator[tuple[bytes, bytes]]:
    """The content of a store whose sessions never end."""
    now = time.time_ns()
    ident = retained
    for number in range(sessions):
        client_id = f"device-{number:08}"
        part = form.client_part(client_id)
        yield part + b"\0", form.of_session(SessionPut(client_id, 5, "", NEVER, 0, None, 0, False))
        topic = f"site/{number % 1000}/device/{number}/command"
        subscription = SubscriptionPut(client_id, topic, 1, 0)
        yield part + b"\1" + form.name_part(topic), form.of_subscription(subscription)
        for order in (1, 2) if not number % 4 else ():
            ident += 1
            message = StoredMessage(ident, topic, PAYLOAD, 1, False, b"", "publisher", now, 0)
            queued = QueuePut(client_id, order, message, 1, False, (), "")
            yield part + b"\3" + order.to_bytes(8, "big"), form.of_queue(queued, False)
    for number in range(retained):
        topic = f"site/{number % 1000}/device/{number // 10}/sensor/{number % 10}"
        message = StoredMessage(number + 1, topic, PAYLOAD, 1, True, b"", f"device-{number // 10:08}", now, 0)
        yield form.RETAINED + form.name_part(topic), form.of_message(message)


def fill(back_end: KeyValue, sessions: int, retained: int) -> None:
    """Write a store that has so many sessions and retained messages, in the order of its keys: that is fastest."""
    back_end.open(write=True, create=True)
    back_end.write({form.FORMAT_KEY: form.header()})
    pairs = iter(sorted(_pairs(sessions, retained)))
    while some := dict(itertools.islice(pairs, BATCH)):
        back_end.write(some)
    back_end.close()


def _process(pid: int) -> tuple[float, int, int]:
    """The seconds of CPU time of a process, and its resident memory and the most that it had, in bytes."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    resident, peak = (int(status[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM"))
    return (int(fields[11]) + int(fields[12])) / TICKS, resident, peak


def measure(address: str, sessions: int, retained: int, python: str = sys.executable) -> dict[str, float]:
    """Start a broker on a store, and look whether it has everything."""
    begin = time.perf_counter()
    command = [python, "-m", "mqtt_ref", "serve", "--port", "0", "--no-ws", "--no-http", "--store", address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as broker:
        try:
            assert broker.stdout is not None
            line = broker.stdout.readline()
            ready = time.perf_counter() - begin
            cpu, resident, peak = _process(broker.pid)
            port = int(line.rsplit(":", 1)[1])
            _look(port, sessions, retained)
        finally:
            broker.terminate()
    return {"seconds": ready, "CPU seconds": cpu, "resident MB": resident / 1e6, "peak MB": peak / 1e6}


def _look(port: int, sessions: int, retained: int) -> None:
    """Ask for the last session, with a message that waits for it, and for the last retained message."""
    number = (sessions - 1) // 4 * 4
    with RawClient(port, timeout=120) as client:
        properties = ConnectProperties(session_expiry_interval=NEVER)
        reply = client.connect(f"device-{number:08}", clean_start=False, properties=properties)
        if not reply.session_present or client.message().payload != PAYLOAD:
            raise SystemExit("the last session is not there as it was stored")
    number = retained - 1
    with RawClient(port, timeout=120) as client:
        client.connect("reader")
        client.subscribe(f"site/{number % 1000}/device/{number // 10}/sensor/{number % 10}")
        if client.message().payload != PAYLOAD:
            raise SystemExit("the last retained message is not there")


def main(argv: list[str] | None = None) -> int:
    """Print the medians, and record them if asked. Return 0 if the bar is met."""
    parser = argparse.ArgumentParser(prog="python -m bench.store_startup", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--only", nargs="*", default=list(KINDS), choices=KINDS, metavar="KIND")
    parser.add_argument("--sessions", type=int, default=SESSIONS)
    parser.add_argument("--retained", type=int, default=RETAINED)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--record", action="store_true", help="write bench/results/store_startup.json")
    args = parser.parse_args(argv)
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        places = {kind: f"{kind}:{Path(folder, kind)}" for kind in args.only}
        for address in places.values():
            fill(store_at(address, "off").back_end, args.sessions, args.retained)
        runs: dict[str, list[dict[str, float]]] = {kind: [] for kind in places}
        for _ in range(args.rounds):
            for kind, address in places.items():
                runs[kind].append(measure(address, args.sessions, args.retained))
    print(f"{args.sessions:,} sessions, {args.retained:,} retained messages; medians of {args.rounds} starts")
    for kind, all_of_it in runs.items():
        found[kind] = {name: round(statistics.median(run[name] for run in all_of_it), 1) for name in all_of_it[0]}
        print(f"{kind:<10}" + "".join(f"{name}: {value:8.1f}   " for name, value in found[kind].items()))
    met = True
    if (args.sessions, args.retained) == (SESSIONS, RETAINED) and "sqlite" in found:
        seconds, cpu = found["sqlite"]["seconds"], found["sqlite"]["CPU seconds"]
        busy = cpu / seconds < BUSY
        met = cpu < CPU_BAR if busy else seconds < BAR
        what = f"{CPU_BAR:.0f} s of CPU time (the machine was busy)" if busy else f"{BAR:.0f} s"
        print(f"SQLite within {what}: {'yes' if met else 'NO'}")
    if args.record:
        record: dict[str, Any] = {"python": platform.python_version(), "sessions": args.sessions}
        record |= {"retained": args.retained, "rounds": args.rounds, "bar in seconds": BAR, "found": found}
        RESULTS.write_text(json.dumps(record, indent=2) + "\n")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())

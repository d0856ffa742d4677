# SPDX-License-Identifier: MIT
"""What a store costs: each back end beside no store, mosquitto, and a thread that does nothing but write.

    python -m bench.store                              # plain Python
    python -m bench.store --compiled --rounds 15
    python -m bench.store --only same --record         # writes bench/results/store.json

One publisher, 64 bytes, QoS 1, a window of 1,000, a subscriber with a persistent session that acknowledges. `writer`
is a thread without a broker that gets the records which the SQLite store of this round's broker got, in the same
batches. `rows` gets what became of them, keys and values, so that it has nothing to do but to call SQLite. `same`
compares the CPU time of what no store keeps, with and without one. Files are in the system's temporary folder: `TMPDIR`
names another disk.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import os
import pickle
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.brokers import (
    BASE,
    OWN_CORE,
    Broker,
    Result,
    Runs,
    Settings,
    figure,
    measure,
    mosquitto,
    ours,
    pinned,
    summary,
)
from bench.compiled import CACHE, ROOT, compiled_site
from bench.paired import compare, interval, settings
from mqtt_ref.ports import InflightDelete, Record, StoredMessage
from mqtt_ref.storage import records as form
from mqtt_ref.storage.sqlite import Sqlite
from mqtt_ref.storage.store import Store

__all__ = ["main"]

RESULTS = Path(__file__).parent / "results" / "store.json"
PAGE = ROOT / "docs" / "persistence.md"
BEGIN, END = "<!-- from bench/results/store.json: begin -->\n", "<!-- end -->\n"
"""What is between them on the page is written by `--record`."""
BUILDS = ("plain", "compiled")
SYNCS_SOURCE = Path(__file__).parent / "syncs.c"
THROUGHPUT, ALONE = "persistent-q1", "persistent-one"
SAME = ("p2p-q0", "p2p-q1", "p2p-q2", "fanout-q0")
"""Scenarios in which nothing is persistent."""
PARTS = ("rates", "one", "same")
BUSY = "Rates say how busy, CPU times what the brokers cost."
SHARE = 0.6
"""The least share of the writer's rate that SQLite with `full` has to reach."""
RATES = {"plain": 25_000, "compiled": 45_000}
"""The least rates of SQLite with `full`, on a quiet machine."""
SAME_BAR = 1.05
"""The most CPU time per message with a store, to that without."""
REDIS = (
    'redis-server --port {other} --bind 127.0.0.1 --dir {dir} --save "" --appendonly yes --appendfsync always & '
    'until redis-cli -p {other} ping; do sleep 0.05; done; exec "$@"'
)
"""Starts a server of its own beside the command that follows."""
CHANGES, SYNCS = "changes.pickle", "syncs.json"
"""What a noted run leaves behind."""
WRITERS = ("writer", "rows")

Written = list[dict[bytes, bytes | None]]
"""The changes of each transaction."""


def with_store(plain: Broker, address: str, durability: str = "full", name: str = "") -> Broker:
    """Return the same broker with a store."""
    command = [*plain.command, "--store", address, "--durability", durability]
    return replace(plain, name=name or f"{address.partition(':')[0]} {durability}", command=command)


def compared(plain: Broker) -> list[Broker]:
    """Return the brokers of one round."""
    redis = with_store(plain, "redis://127.0.0.1:{other}/0", name="redis full")
    redis = replace(redis, command=["sh", "-c", REDIS, "sh", *redis.command])
    persistence = {
        "persistence": "true",
        "persistence_location": "{dir}/",
        "autosave_interval": "1",
        "max_inflight_messages": "0",
    }
    return [
        mosquitto(more=persistence),
        plain,
        with_store(plain, "sqlite:{dir}/store"),
        with_store(plain, "sqlite:{dir}/store", "normal"),
        with_store(plain, "lmdb:{dir}/store"),
        with_store(plain, "rocksdb:{dir}/store"),
        redis,
    ]


# -------------------------------------------------------------------- the writer alone


def shim() -> Path:
    """Return the library that counts waits. It is built if it is missing."""
    digest = hashlib.sha256(SYNCS_SOURCE.read_bytes()).hexdigest()[:16]
    library = CACHE / f"syncs-{digest}.so"
    if not library.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        command = [os.environ.get("CC", "cc"), "-O2", "-shared", "-fPIC", "-o", str(library), str(SYNCS_SOURCE)]
        subprocess.run(command, check=True, timeout=120)
    return library


def noted(stored: Broker, folder: Path) -> Broker:
    """Return the same broker with a note of what its store writes, and of what its threads wait for."""
    at = stored.command.index("mqtt_ref")
    command = [*stored.command[: at - 1], "-P", "-m", "bench.store", "--note", str(folder / CHANGES)]
    path = os.pathsep.join((stored.environment["PYTHONPATH"], str(ROOT)))
    preload = {"LD_PRELOAD": str(shim()), "SYNCS": str(folder / SYNCS)}
    environment = {**stored.environment, "PYTHONPATH": path, **preload}
    return replace(stored, command=[*command, *stored.command[at + 1 :]], environment=environment)


def serve_noted(file: Path, arguments: list[str]) -> int:
    """Run a broker, and write to a file what its store wrote."""
    from mqtt_ref.cli.main import main as command

    written: Written = []
    write = Sqlite.write

    def note(self: Sqlite, changes: Any) -> None:
        written.append(changes)
        write(self, changes)

    Sqlite.write = note  # type: ignore[method-assign]
    code = command(arguments)
    file.write_bytes(pickle.dumps(written, pickle.HIGHEST_PROTOCOL))
    return code


def messages(written: Written) -> list[int]:
    """Return the number of messages in each transaction that has any."""
    counts = [
        sum(
            value is not None and key[:1] == b"s" and key[2 + key[1]] == form.INFLIGHT for key, value in changes.items()
        )
        for changes in written
    ]
    return [count for count in counts if count]


def records_of(changes: dict[bytes, bytes | None]) -> list[Record]:
    """Return the records of one client's sessions and flights from which changes were made."""
    records: list[Record] = []
    for key, value in changes.items():
        if key[:1] != form.SESSIONS:
            continue
        size = 2 + key[1]
        client_id, kind = key[2:size].decode(), key[size]
        if kind == form.SESSION and value is not None:
            records.append(form.read_session(key, value, key[2:size]))
        elif kind == form.SUBSCRIPTION and value is not None:
            records.append(form.read_subscription(key, value, client_id, key[size + 1 :]))
        elif kind == form.INFLIGHT and value is None:
            records.append(InflightDelete(client_id, int.from_bytes(key[-2:], "big")))
        elif kind == form.INFLIGHT and value is not None:
            records.append(form.read_inflight(key, value, client_id, apart))
        else:
            raise SystemExit(f"the store wrote what the scenario should not cause: {key!r}")
    return records


def apart(ident: int) -> StoredMessage:
    """Return a message that is kept apart. There is none: each has one subscriber."""
    raise SystemExit(f"message {ident} has more than one subscriber")


def replay(file: Path, kind: str) -> Result:
    """Write again what a broker's store wrote, in a thread that does nothing else. Return the rate."""
    written: Written = pickle.loads(file.read_bytes())
    batches = [records_of(changes) for changes in written] if kind == "writer" else []
    with tempfile.TemporaryDirectory(prefix="mqtt_ref-bench-") as folder:
        back_end = Sqlite(Path(folder) / "store", "full")
        store = Store(back_end)
        store.open()

        def run() -> None:
            if kind == "writer":
                for number, records in enumerate(batches):
                    store.commit(number, records)
            else:
                for changes in written:
                    back_end.write(changes)

        thread = threading.Thread(target=run)
        begun, used = time.perf_counter(), time.process_time()
        thread.start()
        thread.join()
        spent, used = time.perf_counter() - begun, time.process_time() - used
        store.close()
    count = sum(messages(written))
    return {"ok": count > 0, "rate": count / spent, "cpu_us_msg": used / count * 1e6, "cpu_frac": used / spent}


def alone(broker: Broker, setting: Settings) -> tuple[Result, dict[str, Result]]:
    """Return what a noted run says about its waits, and the runs of writers that get the same."""
    with tempfile.TemporaryDirectory(prefix="mqtt_ref-bench-") as name:
        folder = Path(name)
        result = measure(noted(broker, folder), THROUGHPUT, setting)
        if not result.get("ok"):
            return result, {kind: {"error": "the noted run is not good"} for kind in WRITERS}
        waits: Result = json.loads((folder / SYNCS).read_text())
        counts = messages(pickle.loads((folder / CHANGES).read_bytes()))
        environment = {**os.environ, "PYTHONPATH": noted(broker, folder).environment["PYTHONPATH"]}
        replayed: dict[str, Result] = {}
        for kind in WRITERS:
            command = [sys.executable, "-P", "-m", "bench.store", "--replay", str(folder / CHANGES), "--as", kind]
            with pinned(setting.cores[0] if setting.cores else None):
                done = subprocess.run(
                    command, env=environment, stdout=subprocess.PIPE, timeout=setting.limit, check=True
                )
            replayed[kind] = json.loads(done.stdout)
    total = sum(counts)
    report = {
        "ok": True,
        "rate": result["rate"],
        "sync_us": waits["sync_us"],
        "sync_us_msg": waits["sync_s"] / total * 1e6,
        "batch": {"p50": statistics.median(counts), "mean": total / len(counts), "max": max(counts)},
        "gil_us_msg": {
            "main": waits["gil_main_s"] / total * 1e6,
            "writer": waits["gil_writer_s"] / total * 1e6,
        },
    }
    return report, replayed


# -------------------------------------------------------------------- the parts


def rates(plain: Broker, build: str, rounds: int, setting: Settings) -> dict[str, Any]:
    """Measure how many messages a second each broker passes on."""
    brokers = compared(plain)
    full = next(broker for broker in brokers if broker.name == "sqlite full")
    runs: Runs = {THROUGHPUT: {broker.name: [] for broker in brokers}}
    of = runs[THROUGHPUT]
    of.update({kind: [] for kind in WRITERS})
    waits: list[Result] = []
    for number in range(rounds):
        turn = number % len(brokers)
        for broker in brokers[turn:] + brokers[:turn]:
            of[broker.name].append(measure(broker, THROUGHPUT, setting))
            if broker is full:
                wait, replayed = alone(full, setting)
                waits.append(wait)
                for kind in WRITERS:
                    of[kind].append(replayed[kind])
    rows = table(runs, THROUGHPUT)
    verdicts = [
        share(of["sqlite full"], of["writer"], "sqlite full: rate to that of the writer", SHARE),
        least(of["sqlite full"], "sqlite full: messages/s", RATES[build]),
        share(of["sqlite normal"], of["sqlite full"], "sqlite normal: rate to that of full", 1),
    ]
    quiet = rows[BASE].get("cpu_frac", 0) >= OWN_CORE
    to_rows = share(of["sqlite full"], of["rows"], "sqlite full: rate to that of rows", 0)
    said = {**explained(waits), "to rows": to_rows.get("value")}
    found = {"results": rows, "full": said, "bars": verdicts, "quiet": quiet}
    print(f"\nsqlite full, in the noted runs: {json.dumps(said)}\n")
    if not quiet:
        print(f"The machine was busy: mosquitto had {rows[BASE].get('cpu_frac', 0):.2f} of its core. {BUSY}\n")
    return found


def explained(waits: list[Result]) -> dict[str, float]:
    """Return the medians of what the noted runs say."""
    waiting = ["sync_us.p50", "sync_us.p99", "sync_us_msg", "gil_us_msg.main", "gil_us_msg.writer"]
    paths = [*waiting, "batch.p50", "batch.mean", "batch.max", "rate"]
    found = {path: [value for wait in waits if (value := figure(wait, path)) is not None] for path in paths}
    return {path: round(statistics.median(values), 2) for path, values in found.items() if values}


def table(runs: Runs, scenario: str) -> dict[str, dict[str, Any]]:
    """Print what was measured, and return it."""
    rows = summary(runs)[scenario]
    print(f"\n| {scenario} | rate/s | CPU us/msg | CPU | p50 us | p99 us | good |\n|---|---|---|---|---|---|---|")
    for name, row in rows.items():
        digits = {"rate": 0, "cpu_us_msg": 2, "cpu_frac": 2, "lat_us.p50": 0, "lat_us.p99": 0}
        cells = [f"{row[path]:,.{some}f}" if path in row else "" for path, some in digits.items()]
        print(" | ".join([f"| {name}", *cells, f"{row['good']}/{row['rounds']} {row.get('failings', '')} |"]))
    return rows


def share(above: list[Result], below: list[Result], what: str, bar: float) -> dict[str, Any]:
    """Judge a ratio of rates within the rounds: it is missed if its whole interval is below the bar."""
    both = zip(above, below, strict=True)
    ratios = [one["rate"] / other["rate"] for one, other in both if one.get("ok") and other.get("ok")]
    if not ratios:
        return {"bar": f"{what} >= {bar:g}", "met": False}
    middle, low, high = interval(ratios)
    met = middle >= bar or (bar == 1 and high >= bar)
    return {"bar": f"{what} >= {bar:g}", "value": [round(value, 3) for value in (middle, low, high)], "met": met}


def least(results: list[Result], what: str, bar: float) -> dict[str, Any]:
    """Judge a rate."""
    values = [result["rate"] for result in results if result.get("ok")]
    if not values:
        return {"bar": f"{what} >= {bar:g}", "met": False}
    middle, low, high = interval(values)
    return {"bar": f"{what} >= {bar:g}", "value": [round(middle), round(low), round(high)], "met": middle >= bar}


def one(plain: Broker, rounds: int, setting: Settings) -> dict[str, Any]:
    """Measure the time of a message if only one is under way."""
    brokers = compared(plain)
    runs: Runs = {ALONE: {broker.name: [] for broker in brokers}}
    for number in range(rounds):
        turn = number % len(brokers)
        for broker in brokers[turn:] + brokers[:turn]:
            runs[ALONE][broker.name].append(measure(broker, ALONE, setting))
    return table(runs, ALONE)


def same(plain: Broker, rounds: int, setting: Settings) -> dict[str, Any]:
    """Measure what a store costs messages that it does not keep."""
    stored = with_store(plain, "sqlite:{dir}/store")
    before, again = replace(plain, name="without"), replace(plain, name="again")
    print(f"\nCPU time per message with a store to that without, {rounds} rounds, bar {SAME_BAR:g}")
    return {scenario: compare(before, again, stored, scenario, rounds, SAME_BAR, setting) for scenario in SAME}


# -------------------------------------------------------------------- the page


def shown(data: dict[str, Any]) -> str:
    """Return the part of the page that shows the recorded results."""
    builds = [build for build in BUILDS if build in data]
    lines = _figures(data, builds) + _same(data, builds) + _waits(data, builds) + _bars(data, builds)
    return "\n".join(lines) + "\n"


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _rows(head: list[str], rows: list[list[str]]) -> list[str]:
    return [_row(head), "|" + "---|" * len(head), *map(_row, rows), ""]


def _figures(data: dict[str, Any], builds: list[str]) -> list[str]:
    columns = (
        ("messages/s", "rates", "rate", 0),
        ("CPU us", "rates", "cpu_us_msg", 1),
        ("p50 us", "one", "lat_us.p50", 0),
        ("p99 us", "one", "lat_us.p99", 0),
    )
    head = ["", *(f"{title}, {build}" for build in builds for title, *_ in columns)]
    names = dict.fromkeys(name for build in builds for name in data[build]["rates"]["results"])
    rows = []
    for name in names:
        row = [name]
        for build in builds:
            for _, part, path, digits in columns:
                found = data[build][part] if part == "one" else data[build][part]["results"]
                value = found.get(name, {}).get(path)
                row.append("" if value is None else f"{value:,.{digits}f}")
        rows.append(row)
    lines = _rows(head, rows)
    busy = [build for build in builds if not data[build]["rates"]["quiet"]]
    if busy:
        lines += [f"While this was measured ({', '.join(busy)}), other programs used the same cores. {BUSY}", ""]
    return lines


def _same(data: dict[str, Any], builds: list[str]) -> list[str]:
    def cell(row: dict[str, Any]) -> str:
        if "now" not in row:
            return "not measured"
        middle, low, high = row["now"]
        return f"{middle:.3f} ({low:.3f} to {high:.3f}), {row['verdict']}"

    scenarios = dict.fromkeys(scenario for build in builds for scenario in data[build]["same"])
    rows = [[scenario, *(cell(data[build]["same"].get(scenario, {})) for build in builds)] for scenario in scenarios]
    return _rows(["CPU time with a store to that without", *builds], rows)


def _waits(data: dict[str, Any], builds: list[str]) -> list[str]:
    words = {
        "batch.p50": "messages of one transaction, median",
        "sync_us.p50": "one `fdatasync`, us, median",
        "sync_us.p99": "one `fdatasync`, us, p99",
        "sync_us_msg": "`fdatasync`, us for each message",
        "gil_us_msg.main": "the event loop's thread waits for the GIL, us for each message",
        "gil_us_msg.writer": "the store's thread waits for the GIL, us for each message",
    }
    rows = [
        [text, *(f"{data[build]['rates']['full'].get(path, 0):,.2f}".rstrip("0").rstrip(".") for build in builds)]
        for path, text in words.items()
    ]
    return _rows(["SQLite, `full`", *builds], rows)


def _bars(data: dict[str, Any], builds: list[str]) -> list[str]:
    rows = []
    for build in builds:
        for bar in data[build]["rates"]["bars"]:
            middle, low, high = bar.get("value", (0, 0, 0))
            rows.append([f"{build}, {bar['bar']}", f"{middle:,} ({low:,} to {high:,})", "yes" if bar["met"] else "no"])
    return _rows(["bar", "measured", "met"], rows)


def main(argv: list[str] | None = None) -> int:
    """Run the command. Return 0 if no bar is missed, 1 otherwise."""
    parser = argparse.ArgumentParser(prog="python -m bench.store", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--compiled", action="store_true", help="measure the current source, compiled by mypyc")
    parser.add_argument("--only", default=",".join(PARTS), help=f"of {', '.join(PARTS)}")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--time", type=float, default=2.0, help="measured seconds of each run")
    parser.add_argument("--no-pin", action="store_true", help="let the brokers and the load share all cores")
    parser.add_argument("--record", action="store_true", help="write bench/results/store.json and docs/persistence.md")
    parser.add_argument("--note", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--replay", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--as", dest="kind", choices=WRITERS, help=argparse.SUPPRESS)
    options, rest = parser.parse_known_args(argv)
    if options.note:
        return serve_noted(options.note, rest)
    if options.replay:
        gc.disable()  # it would look at all records, again and again
        print(json.dumps(replay(options.replay, options.kind)))
        return 0
    if rest:
        parser.error(f"unknown: {' '.join(rest)}")
    build = "compiled" if options.compiled else "plain"
    plain = replace(ours("no store", compiled_site() if options.compiled else ROOT), name="no store")
    setting = settings(options.time)
    if options.no_pin:
        setting = replace(setting, cores=None)
    print(f"{build} Python {platform.python_version()}, {options.rounds} rounds of {options.time:g} s")
    found: dict[str, Any] = {"python": platform.python_version(), "rounds": options.rounds, "seconds": options.time}
    found["pinned"] = setting.cores is not None
    met = True
    for part in options.only.split(","):
        if part == "rates":
            found[part] = rates(plain, build, options.rounds, setting)
            for bar in found[part]["bars"]:
                print(f"{bar['bar']}: {bar.get('value', 'not measured')}, {'met' if bar['met'] else 'MISSED'}")
                met = met and bar["met"]
        elif part == "one":
            found[part] = one(plain, options.rounds, setting)
        elif part == "same":
            found[part] = same(plain, options.rounds, setting)
            met = met and all(row["verdict"] != "SLOWER" for row in found[part].values())
        else:
            parser.error(f"no such part: {part}")
    if options.record:
        data = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        data[build] = {**data.get(build, {}), **found}
        RESULTS.write_text(json.dumps(data, indent=1) + "\n")
        if all(part in row for row in data.values() for part in PARTS):
            page, _, after = PAGE.read_text().partition(BEGIN)
            PAGE.write_text(page + BEGIN + shown(data) + END + after.partition(END)[2])
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())

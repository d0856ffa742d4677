# SPDX-License-Identifier: MIT
"""Compares the broker with others under load: each runs alone on one core, `mqttload` on another, round by round.

    python -m bench.brokers                                   # mosquitto, mqtt_ref plain and compiled: those with bars
    python -m bench.brokers --only 'p2p*,wild*' --rounds 5 --mqtt 5
    python -m bench.brokers --brokers mosquitto,plain --add 'other=some-broker --port {port}'
    python -m bench.brokers --record                          # writes bench/results/brokers.json
    python -m bench.brokers --list

Rounds are interleaved (A B C A B C ...) and ratios are taken within a round. So a change in the machine's speed favours
no broker. All traffic stays on loopback.
"""

from __future__ import annotations

import argparse
import contextlib
import fnmatch
import hashlib
import json
import os
import platform
import resource
import shlex
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from bench.compiled import CACHE, ROOT, compiled_site

__all__ = ["main"]

RESULTS = Path(__file__).parent / "results" / "brokers.json"
LOAD_SOURCE = Path(__file__).parent / "mqttload.c"
BASE = "mosquitto"

SCENARIOS = {  # name: the arguments of mqttload; {t} is the measured time in seconds
    "p2p-q0": "p2p -c 10 -s 64 -q 0 -w 100 -t {t}",
    "p2p-q1": "p2p -c 10 -s 64 -q 1 -w 100 -t {t}",
    "p2p-q2": "p2p -c 10 -s 64 -q 2 -w 20 -t {t}",
    "p2p-q0-1k": "p2p -c 10 -s 1024 -q 0 -w 100 -t {t}",
    "p2p-q0-16k": "p2p -c 10 -s 16384 -q 0 -w 20 -t {t}",
    "p2p-q0-sparse": "p2p -c 200 -s 64 -q 0 -w 1 -t {t}",
    "p2p-q1-sparse": "p2p -c 200 -s 64 -q 1 -w 1 -t {t}",
    "p2p-q0-properties": "p2p -c 10 -s 64 -q 0 -w 100 --mqtt 5 --uprop 3 -t {t}",
    "p2p-q1-properties": "p2p -c 10 -s 64 -q 1 -w 100 --mqtt 5 --uprop 3 -t {t}",
    "fanout-q0-properties": "fanout -c 100 -s 64 -q 0 -w 20 --mqtt 5 --uprop 3 -t {t}",
    "fanout-q0": "fanout -c 100 -s 64 -q 0 -w 20 -t {t}",
    "fanout-q1": "fanout -c 100 -s 64 -q 1 -w 20 -t {t}",
    "fanout-q0-1k": "fanout -c 1000 -s 64 -q 0 -w 4 -t {t}",
    "fanin-q0": "fanin -c 50 -s 64 -q 0 -w 20 -t {t}",
    "fanin-q1": "fanin -c 50 -s 64 -q 1 -w 20 -t {t}",
    "ballast-1k": "p2p -c 10 -s 64 -q 0 -w 100 --spread 20000 --ballast 1000 -t {t}",
    "ballast-100k": "p2p -c 10 -s 64 -q 0 -w 100 --spread 20000 --ballast 100000 -t {t}",
    "wild-1k": "wild --subs 1000 --conns 40 --pubs 4 -w 50 -t {t}",
    "wild-10k": "wild --subs 10000 --conns 40 --pubs 4 -w 50 -t {t}",
    "wild-100k": "wild --subs 100000 --conns 40 --pubs 4 -w 50 -t {t} --setup 60",
    "retained-5k": "retained --subs 5000 --repeat 5 -q 0 --rqos 1",
    "retained-50k": "retained --subs 50000 --repeat 3 -q 0 --rqos 1",
    "stress-2": "stress -c 2 -m 10000 -s 20 -q 0",
    "stress-10": "stress -c 10 -m 10000 -s 20 -q 0",
    "stress-100": "stress -c 100 -m 10000 -s 20 -q 0 --stall 20",
    "persistent-q1": "p2p -c 1 -s 64 -q 1 -w 1000 --persistent -t {t}",
    "persistent-one": "p2p -c 1 -s 64 -q 1 -w 1 --persistent -t {t}",
    "conn": "conn -c 50 -t {t}",
    "latency-q0": "latency -c 10 -s 64 -q 0 --rate 1000 -t {t}",
    "latency-q1": "latency -c 10 -s 64 -q 1 --rate 1000 -t {t}",
    "latency-10k": "latency -c 10 -s 64 -q 0 --rate 10000 -t {t}",
    "idle-1k": "idle -c 1000 --hold 1.5",
    "idle-10k": "idle -c 10000 --hold 2 --cc 128",
}
SETS = {
    "bars": ["p2p-q0", "p2p-q1", "fanout-q0", "idle-10k", "ballast-1k", "ballast-100k"],
    "all": list(SCENARIOS),
}
COLUMNS = (  # the printed columns: title, key in a result, decimals
    ("rate/s", "rate", 0),
    ("CPU us/msg", "cpu_us_msg", 2),
    ("CPU", "cpu_frac", 2),
    ("load CPU", "lg_cpu", 2),
    ("p50 us", "lat_us.p50", 0),
    ("p99 us", "lat_us.p99", 0),
    ("subs/s", "sub_rate", 0),
    ("B/sub", "sub_bytes", 0),
    ("B/conn", "bytes_per_conn", 0),
    ("store/s", "store_rate", 0),
    ("peak KiB", "hwm_kb", 0),
)
OWN_CORE = 0.85
"""The least share of a core that a broker under full load gets if it has the core for itself."""
FAILINGS = ("lost", "dup", "reorder", "bad", "badqos", "badack", "rejected", "closed", "stalled")

Result = dict[str, Any]


@dataclass(frozen=True)
class Bar:
    """The value that a figure of a mqtt_ref build has to reach. With `below` it has to stay under it."""

    broker: str
    scenario: str
    figure: str
    value: float
    below: bool = False

    def met(self, value: float) -> bool:
        return value < self.value if self.below else value >= self.value


BARS = (
    Bar("plain", "p2p-q0", "ratio", 1.2),
    Bar("plain", "p2p-q1", "ratio", 1.2),
    Bar("plain", "fanout-q0", "ratio", 8),
    Bar("compiled", "p2p-q0", "ratio", 4),
    Bar("compiled", "p2p-q1", "ratio", 4),
    Bar("compiled", "fanout-q0", "ratio", 10),
    *(Bar(mode, "idle-10k", "bytes_per_conn", 5000, below=True) for mode in ("plain", "compiled")),
    *(Bar(mode, "ballast-100k", "growth", 2, below=True) for mode in ("plain", "compiled")),
)
GROWTH = {"ballast-100k": "ballast-1k", "wild-100k": "wild-1k"}
"""Scenarios whose CPU time per message is compared with that of another one: `growth`."""


@dataclass
class Broker:
    """How to start a broker.

    `{port}`, `{dir}` (its own folder) and `{other}` (another free port) are replaced in the command and the files.
    """

    name: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)

    @contextlib.contextmanager
    def running(self, port: int, core: int | None, log: IO[bytes], limit: float = 20) -> Iterator[int]:
        """Start the broker, listening on `port`, in its own session, so that all of it ends. Yield its process id."""
        with tempfile.TemporaryDirectory(prefix="mqtt_ref-bench-") as folder:
            other = str(free_port())

            def filled(text: str) -> str:
                return text.replace("{port}", str(port)).replace("{dir}", folder).replace("{other}", other)

            for name, text in self.files.items():
                (Path(folder) / name).write_text(filled(text))
            command = [filled(word) for word in self.command]
            with pinned(core):
                process = subprocess.Popen(
                    command,
                    env={**os.environ, **self.environment},
                    cwd=folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            try:
                await_port(process, port, limit)
                time.sleep(0.3)
                yield process.pid
            finally:
                end(process)


@contextlib.contextmanager
def pinned(core: int | None) -> Iterator[None]:
    """Run the processes started in this block on one core."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def await_port(process: subprocess.Popen[bytes], port: int, limit: float) -> None:
    """Wait until the port accepts connections."""
    until = time.monotonic() + limit
    while True:
        if process.poll() is not None:
            raise RuntimeError(f"the broker exited with {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), 0.5).close()
            return
        except OSError:
            if time.monotonic() > until:
                raise RuntimeError("the broker does not accept connections") from None
            time.sleep(0.05)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all processes that it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
            break
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as link:
        link.bind(("127.0.0.1", 0))
        port: int = link.getsockname()[1]
        return port


def mosquitto(name: str = BASE, more: Mapping[str, str] | None = None) -> Broker:
    """Return Debian's mosquitto. It sends at once, as mqtt_ref does, and queues without limit for slow subscribers.

    `mosquitto-stock` uses Nagle's algorithm, its default: cheaper for it, at a latency of tens of milliseconds. `more`
    has further settings.
    """
    path = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if path is None:
        raise SystemExit("mosquitto is not installed (Debian package mosquitto); try --brokers plain,compiled")
    settings = {
        "listener": "{port} 127.0.0.1",
        "allow_anonymous": "true",
        "set_tcp_nodelay": "false" if name == f"{BASE}-stock" else "true",
        "max_queued_messages": "0",
        **(more or {}),
    }
    text = "".join(f"{key} {value}\n" for key, value in settings.items())
    return Broker(name, [path, "-c", "{dir}/mosquitto.conf"], files={"mosquitto.conf": text})


def ours(name: str, place: Path) -> Broker:
    """Return mqtt_ref's broker, from the source or from a compiled wheel."""
    command = [sys.executable, "-m", "mqtt_ref", "serve", "--port", "{port}"]
    environment = {"PYTHONPATH": str(place), "PYTHONDONTWRITEBYTECODE": "1"}
    asked = subprocess.run(
        [*command[:4], "--help"],
        env={**os.environ, **environment},
        cwd=tempfile.gettempdir(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    command += [switch for switch in ("--no-ws", "--no-http") if switch in asked.stdout]
    return Broker(name, command, environment)


def load_generator() -> Path:
    """Return `mqttload`. It is built if it is missing."""
    digest = hashlib.sha256(LOAD_SOURCE.read_bytes()).hexdigest()[:16]
    binary = CACHE / f"mqttload-{digest}"
    if not binary.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        command = [os.environ.get("CC", "cc"), "-O2", "-o", str(binary), str(LOAD_SOURCE)]
        subprocess.run(command, check=True, timeout=120)
    return binary


def processes(leader: int) -> list[int]:
    """Return a process and all its descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    out = [leader]
    for one in out:
        out += children.get(one, [])
    return out


@dataclass(frozen=True)
class Settings:
    """Settings of all runs."""

    load: Path
    seconds: float
    mqtt: int
    limit: float
    cores: tuple[int, int] | None


def measure(broker: Broker, scenario: str, settings: Settings) -> Result:
    """Make one run against a fresh broker."""
    port = free_port()
    core, load_core = settings.cores or (None, None)
    arguments = SCENARIOS[scenario].format(t=settings.seconds).split()
    with tempfile.TemporaryFile() as log:
        try:
            with broker.running(port, core, log) as leader:
                watched = ",".join(map(str, processes(leader)))
                command = [str(settings.load), *arguments, "--port", str(port), "--pid", watched]
                if "--mqtt" not in arguments:
                    command += ["--mqtt", str(settings.mqtt)]
                with pinned(load_core):
                    process = subprocess.Popen(command, stdout=subprocess.PIPE)
                try:
                    out, _ = process.communicate(timeout=settings.limit)
                finally:
                    process.kill()
            result: Result = json.loads(out.splitlines()[-1])
            return result
        except (subprocess.TimeoutExpired, RuntimeError, OSError, ValueError, IndexError) as error:
            log.seek(0)
            return {"error": f"{error}; {log.read()[-300:].decode('utf-8', 'replace')}"}


def figure(result: Result, path: str) -> float | None:
    """Return one number of a result, by its dotted name."""
    value: Any = result
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return float(value) if isinstance(value, int | float) else None


def median(results: list[Result], path: str) -> float | None:
    """Return the median of one number over the rounds that have it."""
    values = [v for r in results if (v := figure(r, path)) is not None]
    return statistics.median(values) if values else None


def median_ratio(above: list[Result], below: list[Result], path: str) -> float | None:
    """Return the median over the rounds of the ratio of one number."""
    ratios = []
    for one, other in zip(above, below, strict=False):
        a, b = figure(one, path), figure(other, path)
        if a is not None and b:
            ratios.append(a / b)
    return statistics.median(ratios) if ratios else None


Runs = dict[str, dict[str, list[Result]]]
"""By scenario and broker: one result per round."""


def summary(runs: Runs) -> dict[str, dict[str, dict[str, Any]]]:
    """Return what is printed and recorded: medians, ratios to the base, growth, and the number of good rounds."""
    out: dict[str, dict[str, dict[str, Any]]] = {}
    for scenario, brokers in runs.items():
        out[scenario] = {}
        for name, results in brokers.items():
            row: dict[str, Any] = {}
            if name != BASE:
                row["ratio"] = median_ratio(results, brokers.get(BASE, []), "rate")
                row["CPU ratio"] = median_ratio(brokers.get(BASE, []), results, "cpu_us_msg")
            if scenario in GROWTH:
                row["growth"] = median_ratio(results, runs.get(GROWTH[scenario], {}).get(name, []), "cpu_us_msg")
            for _, path, _ in COLUMNS:
                row[path] = median(results, path)
            row["good"] = sum(bool(r.get("ok")) for r in results)
            row["rounds"] = len(results)
            row["failings"] = sorted(
                {k for r in results for k in FAILINGS if r.get(k)} | {r["error"][:120] for r in results if "error" in r}
            )
            out[scenario][name] = {
                k: round(v, 3) if isinstance(v, float) else v for k, v in row.items() if v not in (None, [])
            }
    return out


def judged(bar: Bar, rows: dict[str, dict[str, Any]]) -> dict[str, Any] | None:
    """Return a bar's name, its value, and if it is met. None if it was not measured.

    If other processes kept mosquitto from using its whole core, rates measure the load of the machine. Then CPU time
    per message is compared instead: it gives the rates that each would reach on its own core.
    """
    row = rows.get(bar.broker, {})
    figure = bar.figure
    if figure == "ratio" and rows.get(BASE, {}).get("cpu_frac", 1) < OWN_CORE:
        figure = "CPU ratio"
    value = row.get(figure)
    if value is None:
        return None
    name = f"{bar.broker} {bar.scenario} {figure} {'<' if bar.below else '>='} {bar.value:g}"
    return {"bar": name, "value": value, "met": bar.met(value) and row["good"] == row["rounds"]}


def report(found: dict[str, dict[str, dict[str, Any]]], settings: Settings) -> list[dict[str, Any]]:
    """Print the tables and the bars. Return the verdicts on the bars."""
    for scenario, rows in found.items():
        columns = [c for c in COLUMNS if any(c[1] in row for row in rows.values())]
        extra = [e for e in ("ratio", "CPU ratio", "growth") if any(e in row for row in rows.values())]
        print(f"\n### {scenario}, MQTT {'5.0' if settings.mqtt == 5 else '3.1.1'}: `{SCENARIOS[scenario]}`\n")
        head = ["broker", *extra, *(c[0] for c in columns), "good"]
        print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
        for name, row in rows.items():
            cells = [name, *(f"{row[e]:.2f}" if e in row else "" for e in extra)]
            cells += [f"{row[path]:,.{digits}f}" if path in row else "" for _, path, digits in columns]
            cells.append(f"{row['good']}/{row['rounds']} {'; '.join(row.get('failings', []))}".strip())
            print("| " + " | ".join(cells) + " |")
    verdicts = [verdict for bar in BARS if (verdict := judged(bar, found.get(bar.scenario, {}))) is not None]
    if verdicts:
        print("\n| bar | measured | |\n|---|---|---|")
    for verdict in verdicts:
        print(f"| {verdict['bar']} | {verdict['value']:,.2f} | {'met' if verdict['met'] else '**missed**'} |")
    return verdicts


def record(found: dict[str, Any], verdicts: list[dict[str, Any]], settings: Settings, rounds: int) -> None:
    """Write the result as data, without anything that names this machine."""
    version = subprocess.run([mosquitto().command[0], "-h"], capture_output=True, text=True, timeout=10).stdout
    data = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "mosquitto": version.split("\n", 1)[0].rpartition(" ")[2],
        "mqtt": "5.0" if settings.mqtt == 5 else "3.1.1",
        "rounds": rounds,
        "seconds": settings.seconds,
        "pinned": settings.cores is not None,
        "bars": verdicts,
        "results": found,
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(data, indent=1) + "\n")


def chosen(names: str) -> list[str]:
    """Return scenarios by name, wildcard or set."""
    out: list[str] = []
    for word in names.split(","):
        found = SETS.get(word) or fnmatch.filter(SCENARIOS, word)
        if not found:
            raise SystemExit(f"no such scenario: {word} (--list shows them)")
        out += found
    return list(dict.fromkeys(out))


def brokers(names: str, added: list[str]) -> list[Broker]:
    """Return the brokers to compare, in the order of the names. Compiles one if needed."""
    out = []
    for name in names.split(","):
        if name in (BASE, f"{BASE}-stock"):
            out.append(mosquitto(name))
        elif name == "plain":
            out.append(ours(name, ROOT))
        elif name == "compiled":
            out.append(ours(name, compiled_site()))
        else:
            raise SystemExit(f"no such broker: {name} (mosquitto, mosquitto-stock, plain, compiled; others with --add)")
    for text in added:
        name, _, command = text.partition("=")
        out.append(Broker(name, shlex.split(command)))
    return out


def main(argv: list[str] | None = None) -> int:
    """Run the command. Return 0 if every measured bar is met, 1 if not."""
    parser = argparse.ArgumentParser(prog="python -m bench.brokers", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument(
        "--brokers", default="mosquitto,plain,compiled", help="of mosquitto, mosquitto-stock, plain, compiled"
    )
    parser.add_argument(
        "--add", action="append", default=[], metavar="NAME=COMMAND", help="another broker; {port} is replaced"
    )
    parser.add_argument("--only", default="bars", help="scenarios: names, wildcards, or the sets bars and all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--time", type=float, default=2.0, help="measured seconds of each run")
    parser.add_argument("--mqtt", type=int, default=4, choices=(4, 5), help="protocol level of the load")
    parser.add_argument("--limit", type=float, default=120, help="seconds after which a run is stopped")
    parser.add_argument("--no-pin", action="store_true", help="let the brokers and the load share all cores")
    parser.add_argument("--record", action="store_true", help="write bench/results/brokers.json")
    parser.add_argument("--list", action="store_true", help="show the scenarios")
    options = parser.parse_args(argv)
    if options.list:
        for name, arguments in SCENARIOS.items():
            print(f"{name:16}{arguments}")
        return 0
    scenarios = chosen(options.only)
    compared = brokers(options.brokers, options.add)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    available = sorted(os.sched_getaffinity(0))
    cores = None if options.no_pin or len(available) < 2 else (available[0], available[1])
    settings = Settings(load_generator(), options.time, options.mqtt, options.limit, cores)
    runs: Runs = {}
    for scenario in scenarios:
        runs[scenario] = {broker.name: [] for broker in compared}
        for number in range(options.rounds):
            for broker in compared:
                result = measure(broker, scenario, settings)
                runs[scenario][broker.name].append(result)
                rate = result.get("error") or f"{result.get('rate', 0):,.0f}"
                good = "" if result.get("ok") or "error" in result else " NOT GOOD"
                print(f"{scenario} {number + 1}/{options.rounds} {broker.name}: {rate}{good}", file=sys.stderr)
    found = summary(runs)
    verdicts = report(found, settings)
    if options.record:
        record(found, verdicts, settings, options.rounds)
    return 0 if all(v["met"] for v in verdicts) else 1


if __name__ == "__main__":
    raise SystemExit(main())

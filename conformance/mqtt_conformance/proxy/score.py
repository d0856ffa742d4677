# SPDX-License-Identifier: MIT
"""Runs the suite against every fault of the proxy and says which faults it detects, and under which name.

`python -m mqtt_conformance.proxy.score --jobs 4 --record conformance/results/proxy.json`
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fnmatch
import json
import os
import signal
import sys
import tempfile
import time
import zlib
from asyncio.subprocess import Process
from collections import Counter
from pathlib import Path
from typing import Any

from mqtt_conformance.proxy.fault import PATHS, Fault
from mqtt_conformance.proxy.sets import ALL, SETS

__all__ = ["VERDICTS", "judge", "main"]

VERDICTS = ("named", "other name", "no report", "missed", "never fired", "not scored")
"""What became of a fault: a failing case cites its statement, another case fails, the suite says that it cannot use
this broker and writes no report, no case fails, no case made the broken rule show, or the run did not end."""

LIMIT = 240.0
"""Seconds for one run of the suite."""


def judge(fault: Fault, fired: int, results: list[dict[str, Any]]) -> tuple[str, list[str]]:
    """Return the verdict, and the rules under which the failing cases are booked with the ids of the first ones."""
    failing = [one for one in results if one["verdict"] == "fail"]
    names = {fault.statement, *fault.also}
    named = [one for one in failing if one.get("rule") in names or names & set(one["statements"])]
    seen = [str(one["id"]) for one in (named or failing)[:3]]
    if not fired:
        return "never fired", seen
    if named:
        return "named", seen
    return ("other name" if failing else "missed"), seen


class Run:
    """One fault: broker, proxy and suite."""

    def __init__(self, fault: Fault | None, protocol: str, directory: Path) -> None:
        self.fault = fault
        self.protocol = protocol
        self.directory = directory
        self.processes: list[Process] = []
        self.url = ""
        self.said = ""
        """Last line of what the suite wrote to stderr."""

    async def _start(self, log: Path, *arguments: str, env: dict[str, str] | None = None) -> tuple[Process, int]:
        """Start a program that says where it listens. What it logs goes to a file: a full pipe would stop it."""
        with log.open("wb") as stderr:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                *arguments,
                stdout=asyncio.subprocess.PIPE,
                stderr=stderr,
                env={**os.environ, **(env or {})},
            )
        self.processes.append(process)
        assert process.stdout is not None
        line = (await asyncio.wait_for(process.stdout.readline(), 60)).decode()
        if "127.0.0.1:" not in line:
            raise RuntimeError(f"{arguments} did not start: {line!r}")
        return process, int(line.rsplit(":", 1)[1])

    async def once(self, select: list[str]) -> tuple[int, list[dict[str, Any]] | None, str]:
        """Run the suite once. Returns how often the fault fired, the results, and what the proxy wrote to stderr."""
        options = self.fault.options if self.fault is not None else ()
        env = {f"MQTT_REF__OPTIONS__CAPABILITIES__{name.upper()}": value for name, value in options}
        name = self.fault.id if self.fault is not None else "none"
        report = self.directory / f"{name}-{len(select)}.json"
        try:
            log = self.directory / f"{name}.log"
            _, port = await self._start(
                Path(os.devnull), "mqtt_ref", "serve", "--port", "0", "--no-ws", "--no-http", env=env
            )
            proxy, front = await self._start(
                log, "mqtt_conformance.proxy", "--upstream", f"mqtt://127.0.0.1:{port}", "--fault", name
            )
            self.url = f"mqtt://127.0.0.1:{front}"
            suite = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "mqtt_ref", "conformance", self.url,
                "--protocol", self.protocol, "--json", str(report), *(["--select", *select] if select else []),
                stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
            self.processes.append(suite)
            with contextlib.suppress(TimeoutError):
                _, said = await asyncio.wait_for(suite.communicate(), LIMIT)
                self.said = said.decode().strip().rsplit("\n", 1)[-1]
            proxy.send_signal(signal.SIGTERM)
            out, _ = await asyncio.wait_for(proxy.communicate(), 30)
            fired = int(out.decode().rsplit("fired", 1)[1]) if b"fired" in out else 0
            results = json.loads(report.read_text())["results"] if report.exists() else None
            return fired, results, log.read_text(errors="replace")
        finally:
            await self._stop()

    async def _stop(self) -> None:
        for process in self.processes:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        self.processes.clear()
        for _ in range(3):
            await asyncio.sleep(0)


async def _score(fault: Fault, directory: Path) -> dict[str, Any]:
    """Run the cases that cite the statement of a fault, and then, if none of them fails, all cases."""
    started = time.monotonic()
    verdict, seen, fired, errors, whole = "not scored", [""], 0, "", False
    try:
        for select in ([fault.statement, *fault.also], []):
            run = Run(fault, fault.protocol, directory)
            fired, results, errors = await run.once(select)
            whole = not select
            if results is None:
                if whole and run.said:
                    verdict, seen = "no report", [run.said.replace(run.url, "URL")]
                continue
            verdict, seen = judge(fault, fired, results)
            if verdict == "named":
                break
    except (RuntimeError, OSError, TimeoutError) as error:
        errors = str(error)
    row: dict[str, Any] = {
        "statement": fault.statement,
        "path": fault.path,
        "protocol": fault.protocol,
        "qos": fault.qos,
        "breaks": fault.breaks,
        "verdict": verdict,
        "fired": fired,
        "cases": seen,
        "seconds": round(time.monotonic() - started, 1),
    }
    if whole:
        row["whole"] = True
    if "Traceback" in errors:
        row["error"] = errors.strip().splitlines()[-1]
    return row


def totals(rows: dict[str, dict[str, Any]]) -> dict[str, dict[str, int]]:
    """Count the verdicts of each path, and of all."""
    found: dict[str, dict[str, int]] = {}
    for path in (*PATHS, "all"):
        count = Counter(row["verdict"] for row in rows.values() if path in ("all", row["path"]))
        if count:
            found[path] = {verdict: count[verdict] for verdict in VERDICTS}
    return found


async def _all(
    chosen: list[Fault], jobs: int, record: Path | None, until: float, rows: dict[str, dict[str, Any]]
) -> None:
    """Score the chosen faults and add them to `rows`."""
    # All paths are mixed, so that a run that ends early is a sample of all.
    waiting = sorted(chosen, key=lambda fault: zlib.crc32(fault.id.encode()))

    async def worker(directory: Path) -> None:
        while waiting and time.monotonic() < until:
            fault = waiting.pop()
            rows[fault.id] = await _score(fault, directory)
            row = rows[fault.id]
            print(f"{len(rows):4}/{len(chosen)} {row['verdict']:11} {fault.id} {row['cases']}", flush=True)
            if record is not None and len(rows) % 20 == 0:
                _write(record, rows)

    with tempfile.TemporaryDirectory() as name:
        await asyncio.gather(*(worker(Path(name)) for _ in range(jobs)))


def _write(record: Path, rows: dict[str, dict[str, Any]]) -> None:
    ordered = {name: rows[name] for name in ALL if name in rows}
    record.write_text(json.dumps({"totals": totals(ordered), "faults": ordered}, indent=1) + "\n")


def main(arguments: list[str] | None = None) -> int:
    """Score the faults. 0: none was missed."""
    parser = argparse.ArgumentParser(
        prog="python -m mqtt_conformance.proxy.score", description="which faults of the proxy does the suite detect?"
    )
    parser.add_argument("--set", choices=SETS, default="first", help="the author's set (default: first)")
    parser.add_argument("--select", nargs="+", default=["*"], metavar="ID", help="patterns of ids, or paths")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--record", type=Path, help="write the result there")
    parser.add_argument("--minutes", type=float, default=600, help="start no further fault after this time")
    parser.add_argument("--every", type=int, default=1, help="only every Nth fault")
    parser.add_argument("--without", type=Path, help="leave out what this record has, and add to it")
    options = parser.parse_args(arguments)
    chosen = [
        fault
        for fault in SETS[options.set].values()
        if any(fnmatch.fnmatchcase(fault.id, one) or fault.path == one for one in options.select)
    ][:: options.every]
    before: dict[str, dict[str, Any]] = {}
    if options.without is not None and options.without.exists():
        before = json.loads(options.without.read_text())["faults"]
        chosen = [fault for fault in chosen if fault.id not in before]
    until = time.monotonic() + options.minutes * 60
    rows = dict(before)
    asyncio.run(_all(chosen, options.jobs, options.record, until, rows))
    if options.record is not None:
        _write(options.record, rows)
    table = totals(rows)
    print(f"{'path':20}" + "".join(f"{verdict:>13}" for verdict in VERDICTS))
    for path, counts in table.items():
        print(f"{path:20}" + "".join(f"{counts[verdict]:13}" for verdict in VERDICTS))
    return 1 if any(row["verdict"] in ("missed", "not scored") for row in rows.values()) else 0


if __name__ == "__main__":
    sys.exit(main())

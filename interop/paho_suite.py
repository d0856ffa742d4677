# SPDX-License-Identifier: MIT
"""Runs the Eclipse Paho interoperability suite: `python -m interop.paho_suite [URL]`.

Each test runs in its own process with a time limit. Without a URL, mqtt_ref's broker is started as the suite needs it
(`paho.yaml`), one for each test that runs at the same time. Exit code 0: all passed, 1: some did not, 2: wrong usage,
no suite, or no broker.
"""

import argparse
import ast
import contextlib
import datetime
import functools
import hashlib
import json
import os
import platform
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interop.broker import VARIABLE, Broker, BrokerUnavailable, broker_under_test, parse_address, reachable

HERE = Path(__file__).resolve().parent
NOTES = HERE / "paho_notes.toml"
CONFIG = HERE / "paho.yaml"
RECORD = HERE / "results" / "paho.json"

#: A checkout of eclipse/paho.mqtt.testing. Without it the suite is cloned into the cache folder.
SUITE_VARIABLE = "MQTT_REF_PAHO_SUITE"

#: The longest tests take half a minute. A test that takes longer than this hangs.
LIMIT = 90.0
JOBS = 6


class SuiteUnavailable(Exception):
    """There is no checkout of the suite, and it could not be cloned."""


@dataclass(frozen=True, slots=True)
class Test:
    """A test of the suite."""

    module: str
    name: str

    @property
    def id(self) -> str:
        """For example `client_test5.test_basic`."""
        return f"{self.module}.{self.name}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a test: `pass`, `fail` or `timeout`."""

    test: Test
    outcome: str
    seconds: float
    output: str


@functools.cache
def notes() -> dict[str, Any]:
    """Return the content of `paho_notes.toml`."""
    with NOTES.open("rb") as file:
        return tomllib.load(file)


def find_suite() -> Path:
    """Return the checkout that the environment names, or the one in the cache folder. It is cloned if it is missing."""
    named = os.environ.get(SUITE_VARIABLE)
    if named:
        return _checked(Path(named).expanduser(), f"{SUITE_VARIABLE}={named}")
    suite = notes()["suite"]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "mqtt_ref", "paho.mqtt.testing")
    folder = cache / suite["commit"]
    if not folder.exists():
        _clone(suite["home"], suite["commit"], folder)
    return _checked(folder, str(folder))


def is_pinned(folder: Path) -> bool:
    """True if the two files are exactly those of the commit in the notes."""
    files = notes()["suite"]["files"].values()
    return all(hashlib.sha256(Path(folder, row["path"]).read_bytes()).hexdigest() == row["sha256"] for row in files)


def discover(folder: Path) -> list[Test]:
    """Return what unittest would run, in the order of the files. The files are parsed, not imported."""
    found = []
    for module, row in notes()["suite"]["files"].items():
        tree = ast.parse(Path(folder, row["path"]).read_text(encoding="utf-8"))
        for item in tree.body:
            if isinstance(item, ast.ClassDef) and item.name == "Test":
                for part in item.body:
                    if isinstance(part, ast.FunctionDef) and part.name.startswith("test"):
                        found.append(Test(module, part.name))
    return found


@contextlib.contextmanager
def suited_broker() -> Iterator[Broker]:
    """Start a broker as the suite needs it. It does not preempt its client in the middle of a `send`.

    The client's `disconnect` stops the reading thread, and then waits for acknowledgements that this thread has not
    read yet. `test_client_topic_alias` triggers this, as it looks for its own message directly after sending it. If the
    kernel runs the broker before `send` returns, the message is there, but the PUBACK sent with it is not read yet.
    """
    with broker_under_test(CONFIG) as broker:
        if broker.process is not None and hasattr(os, "SCHED_BATCH"):
            os.sched_setscheduler(broker.process.pid, os.SCHED_BATCH, os.sched_param(0))
        yield broker


def run_test(folder: Path, test: Test, host: str, port: int, limit: float = LIMIT) -> Verdict:
    """Run one test in its own process."""
    row = notes()["suite"]["files"][test.module]
    home = Path(folder, row["path"]).parent
    command = [sys.executable, "-B", str(HERE / "paho_child.py"), str(home), test.module, test.name, host, str(port)]
    begin = time.monotonic()
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=limit,
            check=False,
            cwd=home,
        )
        outcome = "pass" if done.returncode == 0 else "fail"
        output = done.stdout
    except subprocess.TimeoutExpired as expired:
        outcome, output = "timeout", expired.stdout or b""
    return Verdict(test, outcome, round(time.monotonic() - begin, 1), output.decode(errors="replace"))


def run_tests(
    folder: Path,
    tests: Sequence[Test],
    brokers: Callable[[], AbstractContextManager[Broker]],
    jobs: int = JOBS,
    told: Callable[[Verdict], None] = lambda verdict: None,
) -> list[Verdict]:
    """Run tests, `jobs` at a time, each against a broker that no other test uses.

    The tests share Client Identifiers and clear every retained message, so two of them cannot share a broker.
    """
    with contextlib.ExitStack() as stack:
        idle: queue.SimpleQueue[Broker] = queue.SimpleQueue()
        for _ in range(min(jobs, len(tests))):
            idle.put(stack.enter_context(brokers()))

        def one(test: Test) -> Verdict:
            broker = idle.get()
            try:
                verdict = run_test(folder, test, broker.host, broker.port)
            finally:
                idle.put(broker)
            told(verdict)
            return verdict

        with ThreadPoolExecutor(max_workers=jobs) as pool:
            return list(pool.map(one, tests))


def table(verdicts: Sequence[Verdict]) -> str:
    """Return the verdicts as lines. A failed test is followed by the end of its output."""
    width = max(len(verdict.test.id) for verdict in verdicts)
    lines = [f"{verdict.test.id:<{width}}  {verdict.outcome:<7} {verdict.seconds:5.1f} s" for verdict in verdicts]
    passed = sum(verdict.outcome == "pass" for verdict in verdicts)
    lines.append(f"{passed} of {len(verdicts)} pass")
    for verdict in verdicts:
        if verdict.outcome != "pass":
            lines += ["", f"--- {verdict.test.id}: {verdict.outcome}", *note_lines(verdict.test)]
            lines += verdict.output.rstrip().splitlines()[-25:]
    return "\n".join(lines)


def note_lines(test: Test) -> list[str]:
    """Return the notes about a test that asks for more than the standard."""
    return [f"    asks: {row['asks']}\n    rule: {row['rule']}" for row in notes()["note"] if row["test"] == test.id]


def record(rounds: Sequence[Sequence[Verdict]], folder: Path, broker: str) -> dict[str, Any]:
    """Return the result in the form that is committed."""
    return {
        "made_by": "python -m interop.paho_suite --rounds 3 --record",
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        "suite": {"home": notes()["suite"]["home"], "commit": notes()["suite"]["commit"], "pinned": is_pinned(folder)},
        "broker": broker,
        "python": platform.python_version(),
        "rounds": [
            {verdict.test.id: [verdict.outcome, verdict.seconds] for verdict in verdicts} for verdicts in rounds
        ],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m interop.paho_suite",
        description="Run the Eclipse Paho interoperability suite (10 tests of 3.1.1, 27 of 5.0) against a broker.",
        epilog="example: MQTT_REF_PAHO_SUITE=~/paho.mqtt.testing python -m interop.paho_suite --rounds 3",
    )
    parser.add_argument(
        "url", nargs="?", help="mqtt://host:port of a running broker (default: start the broker of mqtt_ref)"
    )
    parser.add_argument("--suite", metavar="DIR", help=f"checkout of the suite (default: {SUITE_VARIABLE}, or a clone)")
    parser.add_argument("--select", metavar="WORD", action="append", help="run only tests with this text in their name")
    parser.add_argument(
        "--jobs",
        type=int,
        default=JOBS,
        help="number of tests that run at once; always 1 with a URL (default: %(default)s)",
    )
    parser.add_argument("--rounds", type=int, default=1, help="how many times in a row (default: %(default)s)")
    parser.add_argument("--record", action="store_true", help=f"write the result to {RECORD.relative_to(HERE.parent)}")
    parser.add_argument("--list", action="store_true", help="list the tests and stop")
    chosen = parser.parse_args(arguments)
    if chosen.rounds < 1 or chosen.jobs < 1:
        parser.error("--rounds and --jobs must be at least 1")
    if chosen.suite:
        os.environ[SUITE_VARIABLE] = chosen.suite
    if chosen.url:
        os.environ[VARIABLE] = chosen.url
    try:
        folder = find_suite()
        tests = [test for test in discover(folder) if not chosen.select or any(w in test.id for w in chosen.select)]
        if not tests:
            raise SuiteUnavailable(f"no test of the suite has one of {chosen.select} in its name")
        if chosen.list:
            print("\n".join(test.id for test in tests))
            return 0
        return _run(chosen, folder, tests)
    except (SuiteUnavailable, BrokerUnavailable, ValueError) as reason:
        print(f"paho_suite: {reason}", file=sys.stderr)
        return 2


def _run(chosen: argparse.Namespace, folder: Path, tests: list[Test]) -> int:
    external = os.environ.get(VARIABLE, "") not in ("", "mosquitto")
    if external:
        host, port = parse_address(os.environ[VARIABLE])
        if not reachable(host, port):
            raise BrokerUnavailable(f"no broker listens at {host}:{port}")
    print(f"Eclipse Paho suite, {folder}{'' if is_pinned(folder) else ' (not the pinned version)'}: {len(tests)} tests")
    rounds = []
    for number in range(1, chosen.rounds + 1):
        if chosen.rounds > 1:
            print(f"\nround {number} of {chosen.rounds}")
        told = functools.partial(_show, total=len(tests))
        verdicts = run_tests(folder, tests, suited_broker, 1 if external else chosen.jobs, told)
        print(table(verdicts), flush=True)
        rounds.append(verdicts)
    if chosen.record:
        broker = os.environ.get(VARIABLE) or "mqtt_ref"
        RECORD.parent.mkdir(exist_ok=True)
        text = json.dumps(record(rounds, folder, broker), indent=1)
        text = re.sub(r'\[\s+("\w+"),\s+([\d.]+)\s+\]', r"[\1, \2]", text)  # a line per test
        RECORD.write_text(text + "\n", encoding="utf-8")
    return 0 if all(verdict.outcome == "pass" for verdicts in rounds for verdict in verdicts) else 1


def _show(verdict: Verdict, total: int) -> None:
    if sys.stderr.isatty():
        print(f"  {verdict.outcome} {verdict.test.id} ({total} in all)", file=sys.stderr, flush=True)


def _checked(folder: Path, where: str) -> Path:
    for row in notes()["suite"]["files"].values():
        if not Path(folder, row["path"]).is_file():
            raise SuiteUnavailable(f"{where} is not a checkout of the suite: {row['path']} is missing")
    return folder.resolve()


def _clone(home: str, commit: str, folder: Path) -> None:
    """Clone next to the target and rename, so that the target is complete even if two processes clone at once."""
    if shutil.which("git") is None:
        raise SuiteUnavailable(f"{SUITE_VARIABLE} is not set, and git is not installed")
    if not reachable(urllib.parse.urlsplit(home).hostname or "", 443):
        raise SuiteUnavailable(f"{SUITE_VARIABLE} is not set, and {home} cannot be reached to clone it")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        for command in (
            ["git", "clone", "--quiet", home, "suite"],
            ["git", "-C", "suite", "checkout", "--quiet", "--detach", commit],
        ):
            try:
                done = subprocess.run(
                    command,
                    cwd=scratch,
                    capture_output=True,
                    timeout=60,
                    check=False,
                    stdin=subprocess.DEVNULL,
                    env={**os.environ, "GIT_TERMINAL_PROMPT": "0"},
                )
            except subprocess.TimeoutExpired:
                raise SuiteUnavailable(f"{SUITE_VARIABLE} is not set, and cloning {home} takes too long") from None
            if done.returncode != 0:
                why = (done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"])[-1]
                raise SuiteUnavailable(f"{SUITE_VARIABLE} is not set, and {home} cannot be cloned: {why}")
        with contextlib.suppress(OSError):  # another process was faster
            Path(scratch, "suite").rename(folder)


def recorded() -> dict[str, Any]:
    """Return the committed result."""
    with RECORD.open(encoding="utf-8") as file:
        result: dict[str, Any] = json.load(file)
    return result


if __name__ == "__main__":
    sys.exit(main())

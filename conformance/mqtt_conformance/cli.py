# SPDX-License-Identifier: MIT
"""`mqtt-ref conformance URL`: runs the suite against a broker and reports the result."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from mqtt_conformance.baseline import Baseline, BaselineError, compare, read_baseline, write_baseline
from mqtt_conformance.case import VERSION_NAMES, Case, load_cases
from mqtt_conformance.profile import Profile, ProfileError, read_profile
from mqtt_conformance.quotes import read_quotes
from mqtt_conformance.reports import html, jsonform, junit, markdown, reproducer, terminal
from mqtt_conformance.reports.summary import failures
from mqtt_conformance.runner import Result, last_alive, probe, run_cases
from mqtt_conformance.target import Target, TargetError
from mqtt_conformance.verdict import Verdict
from mqtt_ref.wire.printable import printable
from mqtt_ref.wire.statements import STATEMENTS

__all__ = ["configure", "run", "select"]

FINE, FINDINGS, USAGE = 0, 1, 2
LEVELS = {name: level for level, name in VERSION_NAMES.items()}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = "example: mqtt-ref conformance mqtt://localhost:1883 --protocol 5,3.1.1 --junit report.xml"
    parser.add_argument("url", nargs="?", help="the broker: mqtt://, mqtts://, ws://, wss:// or unix:")
    parser.add_argument("--protocol", default="5,3.1.1,3.1", help="versions to run, of 5, 3.1.1, 3.1 (default: all)")
    parser.add_argument("--select", nargs="+", default=[], metavar="ID", help="run only these statements or cases")
    parser.add_argument("--skip", nargs="+", default=[], metavar="ID", help="leave out these statements or cases")
    parser.add_argument(
        "--section", nargs="+", default=[], metavar="N", help="run only rules of these sections: 3.1 4.7.2"
    )
    parser.add_argument("--jobs", type=int, default=16, help="number of cases that run at once (default: 16)")
    parser.add_argument("--strict", action="store_true", help="report a SHOULD that is not followed as a finding")
    parser.add_argument("--timeout-factor", type=float, default=1.0, metavar="X", help="stretch every wait")
    parser.add_argument("--list", action="store_true", help="list the cases and stop")
    parser.add_argument(
        "--profile", type=Path, metavar="FILE", help="TOML file: credentials, capabilities, restart commands"
    )
    parser.add_argument("--username")
    parser.add_argument("--password")
    parser.add_argument("--cafile", help="PEM file with the certificate authority (CA) of the broker")
    parser.add_argument("--cert", help="PEM file with the client certificate")
    parser.add_argument("--key", help="PEM file with the key of the client certificate")
    parser.add_argument("--insecure", action="store_true", help="do not verify the broker's certificate")
    parser.add_argument(
        "--standard", type=Path, nargs="+", default=[], metavar="FILE", help="quote the standard from these files"
    )
    parser.add_argument("--expect", type=Path, metavar="FILE", help="file of known failures: only changes are findings")
    parser.add_argument(
        "--write-expect", type=Path, metavar="FILE", help="write today's failures to a file of known failures"
    )
    parser.add_argument("--junit", type=Path, metavar="FILE")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--html", type=Path, metavar="FILE")
    parser.add_argument("--markdown", type=Path, metavar="FILE")
    parser.add_argument("--badge", type=Path, metavar="FILE")
    parser.add_argument("--reproducers", type=Path, metavar="DIR", help="write a script for each failure")
    parser.add_argument("-v", "--verbose", action="store_true", help="show every case with a verdict other than pass")


def select(
    cases: Sequence[Case],
    versions: Sequence[int],
    names: Sequence[str],
    sections: Sequence[str],
    skipped: Sequence[str] = (),
) -> list[Case]:
    """Select the cases of these versions by statement, case id or section, without those to skip.

    Raises:
        ValueError: no case has such a name or section.
    """
    chosen = [c for c in cases if c.version in versions]
    unknown = [n for n in (*names, *skipped) if not any(_is(c, n) for c in cases)]
    if unknown:
        raise ValueError(f"no case has {', '.join(unknown)}; --list shows them")
    if skipped:
        chosen = [c for c in chosen if not any(_is(c, n) for n in skipped)]
    if names:
        chosen = [c for c in chosen if any(_is(c, n) for n in names)]
    if sections:
        unknown = [n for n in sections if not any(_in(c, n) for c in cases)]
        if unknown:
            raise ValueError(f"no case belongs to section {', '.join(unknown)}")
        chosen = [c for c in chosen if any(_in(c, n) for n in sections)]
    return chosen


def _is(case: Case, name: str) -> bool:
    label = name.upper().removeprefix("MQTT-")
    return case.id == name or any(s == name or s.partition("-")[2] == label for s in case.statements)


def _in(case: Case, section: str) -> bool:
    return any((STATEMENTS[s].section + ".").startswith(section + ".") for s in case.statements)


def run(args: argparse.Namespace) -> int:
    """Run the command. Return 0 if there is no finding, 1 for findings, 2 for wrong usage or an unreachable broker."""
    try:
        versions = [LEVELS[v.strip()] for v in args.protocol.split(",")]
    except KeyError as error:
        return _usage(f"--protocol: {error.args[0]!r} is not one of {', '.join(LEVELS)}")
    cases = list(load_cases().values())
    try:
        chosen = select(cases, versions, args.select, args.section, args.skip)
        profile = read_profile(args.profile) if args.profile else Profile()
        baseline = read_baseline(args.expect) if args.expect else None
        quotes = {k: v for path in args.standard for k, v in read_quotes(path).items()}
    except (ValueError, BaselineError, ProfileError, OSError) as error:
        return _usage(str(error))
    if args.list:
        for case in chosen:
            needs = [*sorted(case.needs - {"setting"}), *(f"{name}={value}" for name, value in case.settings)]
            print(f"{case.id:50} {', '.join(needs):20} {case.intent}")
        print(f"{len(chosen)} cases")
        return FINE
    if not args.url:
        return _usage("name the broker, for example mqtt://localhost:1883")
    if args.jobs < 1:
        return _usage("--jobs must be at least 1")
    if args.timeout_factor <= 0:
        return _usage("--timeout-factor must be greater than 0")
    if not chosen:
        return _usage("no case is left to run: --only, --skip, --section and --protocol select none")
    try:
        target = Target(
            args.url,
            username=args.username or profile.username,
            password=(args.password or profile.password or "").encode() or None,
            cafile=args.cafile or profile.cafile,
            certfile=args.cert or profile.certfile,
            keyfile=args.key or profile.keyfile,
            insecure=args.insecure,
            factor=args.timeout_factor,
        )
        results, alive = asyncio.run(_judge(chosen, target, profile, args.jobs, versions))
    except (TargetError, ProfileError) as error:
        return _usage(str(error))
    _write(args, results, target, quotes)
    print(terminal.render(results, quotes, verbose=args.verbose))
    if not alive:
        print("the broker no longer accepts a CONNECT: the verdicts after it stopped mean nothing")
        print("cases that ran when it stopped (use --jobs 1 to see which one): " + ", ".join(last_alive(results)))
        return FINDINGS
    return _findings(results, baseline, strict=args.strict)


async def _judge(
    cases: Sequence[Case], target: Target, profile: Profile, jobs: int, versions: Sequence[int]
) -> tuple[list[Result], bool]:
    """Start the broker if the profile has a command for it, probe, run, and check that it still serves clients."""
    if "start" in profile.commands:
        await profile.command("start")
    try:
        if "start" in profile.commands:
            await target.ready()
        return await _judge_running(cases, target, profile, jobs, versions)
    finally:
        if "stop" in profile.commands:
            await profile.command("stop")


async def _judge_running(
    cases: Sequence[Case], target: Target, profile: Profile, jobs: int, versions: Sequence[int]
) -> tuple[list[Result], bool]:
    await probe(target, versions)
    profile.override(target.capabilities)
    progress = _Progress(len(cases))
    results = await run_cases(cases, target, profile, jobs=jobs, progress=progress.step)
    progress.end()
    try:
        await probe(Target(target.url, target.username, target.password, target.cafile, target.certfile,
                           target.keyfile, target.insecure, target.factor), versions)  # fmt: skip
    except TargetError:
        return results, False
    return results, True


class _Progress:
    """A progress line for a terminal. It prints nothing if the output is not a terminal."""

    def __init__(self, total: int) -> None:
        self.total, self.done, self.failed, self.begun = total, 0, 0, time.monotonic()
        self.watched = sys.stderr.isatty()

    def step(self, result: Result) -> None:
        self.done += 1
        self.failed += result.verdict is Verdict.FAIL
        if self.watched:
            took = time.monotonic() - self.begun
            print(f"\r{self.done}/{self.total} cases, {self.failed} failed, {took:.0f} s", end="", file=sys.stderr)
        elif self.done % 250 == 0:
            print(f"{self.done}/{self.total} cases, {self.failed} failed", file=sys.stderr)

    def end(self) -> None:
        if self.watched:
            print(file=sys.stderr)


def _write(args: argparse.Namespace, results: Sequence[Result], target: Target, quotes: dict[str, str]) -> None:
    texts: list[tuple[Path | None, str]] = [
        (args.junit, junit.render(results)),
        (args.json, jsonform.render(results, target)),
        (args.html, html.render(results, quotes, target.url.rpartition("@")[2])),
        (args.markdown, markdown.render(results)),
        (args.badge, markdown.badge(results)),
        (args.write_expect, write_baseline(results)),
    ]
    for path, text in texts:
        if path is not None:
            path.write_text(text, encoding="utf-8")
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(markdown.render(results))
    if args.reproducers is not None:
        args.reproducers.mkdir(parents=True, exist_ok=True)
        for result in failures(results):
            name = result.case.id.replace("/", "-") + ".py"
            (args.reproducers / name).write_text(reproducer.render(result, target))


def _findings(results: Sequence[Result], baseline: Baseline | None, *, strict: bool) -> int:
    new, repaired = compare(results, baseline or Baseline({}))
    if baseline is not None:
        for result in new:
            print(f"new failure: {result.case.id}")
        for result in repaired:
            print(f"repaired, remove it from the list: {result.case.id}")
    advised = [r for r in results if r.verdict is Verdict.NON_STRICT] if strict else []
    return FINDINGS if new or repaired or advised else FINE


def _usage(message: str) -> int:
    print(printable(f"mqtt-ref conformance: {message}", "\n"), file=sys.stderr)
    return USAGE

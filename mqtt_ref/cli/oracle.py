# SPDX-License-Identifier: MIT
"""`mqtt-ref oracle`: judges clients, live on a broker of its own or from recorded traffic of any broker."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

from mqtt_ref.cli import oracle_control, planning
from mqtt_ref.cli.failure import plainly
from mqtt_ref.wire.printable import json_text, printable

if TYPE_CHECKING:
    from mqtt_ref.cli.planning import Plan
    from mqtt_ref.oracle.finding import Finding
    from mqtt_ref.oracle.hole import Hole
    from mqtt_ref.oracle.judge import Judge
    from mqtt_ref.server import Server

__all__ = ["configure", "run"]

FINE, FINDINGS, USAGE = 0, 1, 2
APART: Final = (
    "session state from one connection of a client to the next, because the capture may lack a connection in "
    "between; use --complete if it lacks none"
)
SHOWN: Final = 20
"""Maximum number of holes in a recording that are printed, one per line."""
VERSIONS: Final = {"5": 5, "3.1.1": 4, "3.1": 3}
EXAMPLE: Final = """\
examples:
  mqtt-ref oracle serve --port 0 --record findings.jsonl     a broker that judges its clients
  mqtt-ref oracle serve --config broker.yaml                 the same with users, TLS, limits
  mqtt-ref oracle report findings.jsonl                      what it found, in full
  mqtt-ref oracle check traffic.pcap                         any client with any broker
  mqtt-ref oracle check trace.jsonl --json
  mqtt-ref oracle coverage                                   which rules it decides
  mqtt-ref oracle serve --port 0 --script disturb.yaml       a broker with faults from a script
  mqtt-ref oracle control --port 8090                        the same over HTTP, for tests in any language
  mqtt-ref oracle illegal PUBACK                             packets that no server may send, for scripts

`check` reads a pcap or pcapng, or a JSONL trace (`mqtt-ref serve --trace=jsonl`). Exit codes: 0 no mandatory
rule was broken, 1 some were, 2 wrong usage or nothing to judge."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommands and their arguments."""
    parser.epilog = EXAMPLE
    commands = parser.add_subparsers(
        dest="action", required=True, metavar="serve|check|report|coverage|control|illegal"
    )

    serve = commands.add_parser("serve", help="run a broker that judges its clients")
    planning.configure(serve)
    serve.add_argument(
        "--on-violation",
        choices=("record", "close"),
        help="continue after a packet that breaks a rule, or close as the standard asks (default: record)",
    )
    serve.add_argument(
        "--far",
        action="store_true",
        help="clients come through a proxy or a tunnel: all may be delayed, even with a local address",
    )
    serve.add_argument("--script", type=Path, metavar="FILE", help="YAML or JSON: fault rules, limits, a clock")
    serve.add_argument("--record", metavar="FILE", help="write each finding to FILE, one JSON object per line")
    serve.add_argument("--trace", nargs="?", const="text", choices=("text", "jsonl"), help="print each packet too")
    serve.add_argument("-v", "--verbose", action="store_true", help="show each finding in full when it is made")

    check = commands.add_parser("check", help="judge recorded traffic")
    check.add_argument("file", metavar="FILE|PCAP", help="a JSONL trace or a capture; `-` reads standard input")
    check.add_argument(
        "--complete",
        action="store_true",
        help="no connection is missing in the capture: follow sessions from one to the next",
    )
    report = commands.add_parser("report", help="show the findings that `serve --record` wrote")
    report.add_argument("file", metavar="FILE", help="the JSONL record; `-` reads standard input")
    for one in (check, report):
        one.add_argument("--json", action="store_true", help="one JSON document")
        one.add_argument("--brief", action="store_true", help="one line per finding")

    coverage = commands.add_parser("coverage", help="which statements that bind the client are decided, and how")
    coverage.add_argument("--protocol", choices=sorted(VERSIONS), help="of this version only")
    coverage.add_argument("--minted", action="store_true", help="also rules without a number in the standard")
    coverage.add_argument("--brief", action="store_true", help="only the numbers")

    oracle_control.configure(commands)


def run(args: argparse.Namespace) -> int:
    """Run the subcommand."""
    actions: dict[str, Callable[[argparse.Namespace], int]] = {
        "serve": _serve,
        "check": _check,
        "report": _report,
        "coverage": _coverage,
        "control": oracle_control.control,
        "illegal": oracle_control.illegal,
    }
    return actions[args.action](args)


def _read(name: str) -> bytes:
    return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()


def _check(args: argparse.Namespace) -> int:
    from mqtt_ref.oracle.judge import Judge
    from mqtt_ref.oracle.recorded import judge_recording
    from mqtt_ref.wire.pcap import CaptureError
    from mqtt_ref.wire.recording import RecordingError

    try:
        judge = judge_recording(_read(args.file), Judge(complete=args.complete))
    except (OSError, RecordingError, CaptureError) as error:
        print(f"mqtt-ref oracle check: {plainly(error)}", file=sys.stderr)
        return USAGE
    if not judge.connections:
        print("mqtt-ref oracle check: the recording has no connection", file=sys.stderr)
        return USAGE
    code = _show(args, judge.findings, judge.connections, judge.unjudged, list(judge.holes.values()))
    if judge.apart and not args.json:
        print(f"not judged: {APART}")
    return USAGE if code == FINE and judge.unjudged == judge.connections else code


def _report(args: argparse.Namespace) -> int:
    from mqtt_ref.oracle.report import read_record

    try:
        found = list(read_record(_read(args.file).decode()))
    except (OSError, ValueError) as error:
        print(f"mqtt-ref oracle report: {plainly(error)}", file=sys.stderr)
        return USAGE
    return _show(args, found, len({finding.connection for finding in found}), 0)


def _show(
    args: argparse.Namespace,
    findings: Iterable[Finding],
    connections: int,
    unjudged: int,
    holes: Sequence[Hole] = (),
) -> int:
    from mqtt_ref.oracle.hole import ALL
    from mqtt_ref.oracle.report import as_json, as_text, one_line, summary

    found = list(findings)
    if args.json:
        print(json_text(as_json(found, connections, unjudged, holes), indent=2))
    else:
        for number, finding in enumerate(found, 1):
            print(one_line(finding) if args.brief else as_text(finding, number) + "\n")
        for hole in holes[:SHOWN]:
            print(printable(f"not judged: {hole}"))
        if len(holes) > SHOWN:
            print(f"not judged: {len(holes) - SHOWN} more; --json lists them")
        partly = len({one.connection for one in holes if one.unjudged != ALL})
        print(summary(found, connections, unjudged, partly))
    return _code(found)


def _code(findings: Iterable[Finding]) -> int:
    return FINDINGS if any(finding.level == "must" for finding in findings) else FINE


def _coverage(args: argparse.Namespace) -> int:
    from mqtt_ref.oracle.coverage import REASONS, coverage, scenarios

    for name, version in VERSIONS.items():
        if args.protocol not in (None, name):
            continue
        covers = coverage(version, args.minted or version == 3)
        detected = sum(1 for one in covers if one.detectors)
        acting = sum(1 for one in covers if not one.detectors and one.scenario)
        if not args.brief:
            for one in covers:
                how = ", ".join(one.detectors) if one.detectors else ""
                if one.scenario:
                    how += f"{'; ' if how else ''}server acts: {one.scenario}"
                if one.reason:
                    how = f"not decided: {one.reason}" + (f" ({one.note})" if one.note else "")
                print(f"{one.statement.id:32} {one.statement.level:6} {how}")
        kind = "" if args.minted or version == 3 else " that the standard numbers"
        print(
            f"MQTT {name}: {len(covers)} statements{kind} bind the client: {detected} have a detector, "
            f"{acting} more need the server to act, {len(covers) - detected - acting} are not decided\n"
        )
    if not args.brief:
        print("What the server does:")
        for name, does in scenarios().items():
            print(f"  {name:22} {does}")
        print("Reasons:")
        for name, text in REASONS.items():
            print(f"  {name:22} {text}")
    return FINE


def _serve(args: argparse.Namespace) -> int:
    from mqtt_ref.cli.serve import run_loop, serve, set_up, teller
    from mqtt_ref.net.listener import ListenerError
    from mqtt_ref.oracle.finding import finding_to_json
    from mqtt_ref.oracle.report import as_text, one_line, summary

    try:
        made = planning.plan(args, os.environ)
    except (planning.Refused, ValueError) as error:
        print(f"mqtt-ref oracle serve: {plainly(error)}", file=sys.stderr)
        return USAGE
    record: TextIO | None = None
    if args.record:
        try:
            record = Path(args.record).open("w", encoding="utf-8")  # noqa: SIM115
        except OSError as error:
            print(f"mqtt-ref oracle serve: {plainly(error)}", file=sys.stderr)
            return USAGE

    def found(finding: Finding) -> None:
        if record is not None:
            record.write(json.dumps(finding_to_json(finding)) + "\n")
            record.flush()
        text = as_text(finding) + "\n" if args.verbose else one_line(finding)
        print(text, file=sys.stderr, flush=True)

    try:
        server, judge = _composed(args, made, found)
    except ValueError as error:
        print(f"mqtt-ref oracle serve: {plainly(error)}", file=sys.stderr)
        return USAGE
    set_up(made)
    say = sys.stderr if args.trace == "jsonl" else sys.stdout
    reload = None if made.reloader is None else made.reloader(server)
    try:
        run_loop(serve(server, teller(say), reload))
    except ListenerError as error:
        print(f"mqtt-ref oracle serve: {plainly(error)}", file=sys.stderr)
        return USAGE
    finally:
        if record is not None:
            record.close()
    print(summary(judge.findings, judge.connections, judge.unjudged), file=sys.stderr)
    return _code(judge.findings)


def _composed(args: argparse.Namespace, made: Plan, found: Callable[[Finding], None]) -> tuple[Server, Judge]:
    """Build the broker, with the script if there is one, and its judge.

    Raises:
        ValueError: the script is invalid; the text has line and key path.
    """
    from mqtt_ref.net.trace import Trace
    from mqtt_ref.oracle.judge import Judge
    from mqtt_ref.oracle.live import Live, policy
    from mqtt_ref.server import Server

    trace = Trace(sys.stdout, args.trace) if args.trace else None
    if args.script is not None:
        from msgspec.structs import replace

        from mqtt_ref.oracle.plan import read_plan

        script = read_plan(args.script)
        if args.on_violation is not None:
            script = replace(script, policy=args.on_violation)
        oracle = script.oracle(made.options, listeners=made.listeners, hooks=made.hooks, trace=trace, on_finding=found)
        oracle.judge.far = args.far
        return oracle.server, oracle.judge
    judge = Judge(found, far=args.far)
    server = Server(
        made.options,
        made.listeners,
        hooks=made.hooks,
        tables=policy(args.on_violation or "record"),
        layers=Live(judge, trace).layers,
    )
    return server, judge

# SPDX-License-Identifier: MIT
"""Measures the cost of hooks: CPU time per message without hooks, and with access rules and a hook on each PUBLISH.

    python -m bench.hooks                          # plain Python
    python -m bench.hooks --compiled
    python -m bench.hooks --before ../older        # beside another checkout (or compiled site) of mqtt_ref

`null` is the broker without any hook machinery. `none` is a server whose only hook is `AllowAll`. `rules` has a ledger
of 1,000 rules, checked for every topic published and delivered, and an `on_publish` hook that reads each message. Each
runs alone on one core, `mqttload` on another, round by round. Ratios are taken within a round.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
from pathlib import Path

from bench.brokers import SCENARIOS, Broker, Result, Settings, load_generator, measure, median, median_ratio, ours
from bench.compiled import ROOT, compiled_site
from mqtt_ref.auth.ledger import AclRule, AuthRule, Ledger
from mqtt_ref.auth.ledger_hook import LedgerHook
from mqtt_ref.broker.views import Client
from mqtt_ref.hooks import AllowAll, Hook
from mqtt_ref.wire.packets import Publish

__all__ = ["main"]

RESULTS = Path(__file__).parent / "results" / "hooks.json"
KINDS = ("null", "none", "rules")
RULES = 1000
ONLY = ("p2p-q0", "p2p-q1", "fanout-q0")
BARS = {("none", "null"): 1.05, ("rules", "none"): 2.0}
"""The largest allowed ratio of the CPU time per message of one kind to that of another."""


def ledger() -> LedgerHook:
    """Every client may connect. Of many access rules the last one applies to the measured clients."""
    rules = [AclRule(client=f"client-{n}-*", filters={f"site/{n}/#": "readwrite"}) for n in range(RULES - 1)]
    rules.append(AclRule(filters={"#": "readwrite"}))
    return LedgerHook(Ledger(auth=(AuthRule(allow=True),), acl=tuple(rules)))


class Looks(Hook):
    """Reads each message and changes none."""

    def __init__(self) -> None:
        self.bytes = 0

    def on_publish(self, client: Client, packet: Publish) -> None:
        self.bytes += len(packet.payload)


async def serve(kind: str, port: int) -> None:
    """Run a server of one kind until the process is ended."""
    from mqtt_ref.net.tcp import TcpListener
    from mqtt_ref.server import Server

    hooks: list[Hook] = [ledger(), Looks()] if kind == "rules" else [AllowAll()]
    server = Server(listeners=[TcpListener("127.0.0.1", port)], hooks=hooks)
    if kind == "null":
        server.broker.set_hooks(None, None, None)
    async with server:
        await asyncio.Event().wait()


def compared(place: Path, before: str) -> list[Broker]:
    """Return the brokers, each as a command."""
    path = os.pathsep.join((str(place), str(ROOT)))
    environment = {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    out = [
        Broker(kind, [sys.executable, "-P", "-m", "bench.hooks", "--serve", kind, "--port", "{port}"], environment)
        for kind in KINDS
    ]
    if before:
        out.append(ours("before", Path(before).resolve()))
    return out


def main(argv: list[str] | None = None) -> int:
    """Run the command. Return 0 if every bar is met, 1 if not."""
    parser = argparse.ArgumentParser(prog="python -m bench.hooks", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--compiled", action="store_true", help="measure the current source, compiled by mypyc")
    parser.add_argument("--before", default="", metavar="PLACE", help="another checkout, to compare `none` with")
    parser.add_argument("--only", nargs="*", default=ONLY, choices=list(SCENARIOS), metavar="SCENARIO")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--time", type=float, default=2.0, help="measured seconds of each run")
    parser.add_argument("--record", action="store_true", help="write bench/results/hooks.json")
    parser.add_argument("--serve", choices=KINDS, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.serve:
        from mqtt_ref.cli.serve import run_loop

        return run_loop(serve(options.serve, options.port)) or 0
    form = "compiled" if options.compiled else "plain"
    place = compiled_site() if options.compiled else ROOT
    brokers = compared(place, options.before)
    available = sorted(os.sched_getaffinity(0))
    cores = (available[0], available[1]) if len(available) > 1 else None
    settings = Settings(load_generator(), options.time, 4, 60, cores)
    bars = dict(BARS)
    if options.before:
        bars["none", "before"] = 1.05
    found: dict[str, dict[str, float | None]] = {}
    met = True
    print(f"{form} Python {platform.python_version()}; CPU time of the broker")
    for scenario in options.only:
        runs: dict[str, list[Result]] = {broker.name: [] for broker in brokers}
        for _ in range(options.rounds):
            for broker in brokers:
                result = measure(broker, scenario, settings)
                if not result.get("ok"):
                    print(f"{scenario} {broker.name}: {result}", file=sys.stderr)
                    met = False
                runs[broker.name].append(result)
        row: dict[str, float | None] = {f"{name} us/msg": median(rows, "cpu_us_msg") for name, rows in runs.items()}
        for (one, other), bar in bars.items():
            ratio = median_ratio(runs[one], runs[other], "cpu_us_msg")
            row[f"{one}/{other}"] = ratio
            met = met and ratio is not None and ratio <= bar
        found[scenario] = {name: None if value is None else round(value, 3) for name, value in row.items()}
        print(f"{scenario}: " + ", ".join(f"{name} {value}" for name, value in found[scenario].items()), flush=True)
    print("bars: " + ", ".join(f"{one}/{other} at most {bar}" for (one, other), bar in bars.items()))
    print("met" if met else "MISSED")
    if options.record:
        data = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        data[form] = {"python": platform.python_version(), "rounds": options.rounds, "results": found}
        RESULTS.write_text(json.dumps(data, indent=1) + "\n")
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())

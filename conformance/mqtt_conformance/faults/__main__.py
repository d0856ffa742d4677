# SPDX-License-Identifier: MIT
"""`python -m mqtt_conformance.faults`: which share of the broken brokers the suite accuses, by rule."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from mqtt_conformance.faults.catalogue import Fault, catalogue
from mqtt_conformance.faults.judge import Outcome, judge

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 if at least 95 % of the faults that can be seen are found."""
    parser = argparse.ArgumentParser(
        prog="python -m mqtt_conformance.faults",
        description="Run the suite against brokers that are broken on purpose.",
        epilog="example: python -m mqtt_conformance.faults --only qos_send --record faults.json",
    )
    parser.add_argument("--only", default="", help="only faults whose id holds this text")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only each Nth fault")
    parser.add_argument("--record", type=Path, metavar="FILE", help="write the result as JSON")
    parser.add_argument("-v", "--verbose", action="store_true", help="a line for each fault")
    args = parser.parse_args(argv)
    faults = [f for f in catalogue() if args.only in f.id][:: args.every]
    outcomes = asyncio.run(_judge_all(faults, verbose=args.verbose))
    visible = [o for o in outcomes if not o.fault.invisible]
    found = [o for o in visible if o.accused]
    by_rule: dict[str, list[bool]] = {}
    for outcome in visible:
        for statement in outcome.fault.statements:
            by_rule.setdefault(statement, []).append(outcome.accused)
    for statement, some in sorted(by_rule.items()):
        print(f"{statement:45} {sum(some)}/{len(some)}")
    for outcome in visible:
        if not outcome.accused:
            print(f"not found: {outcome.fault.id} ({', '.join(outcome.fault.statements)}; {outcome.played} cases)")
    hidden = [o for o in outcomes if o.fault.invisible]
    share = len(found) / max(1, len(visible))
    print(f"{len(found)} of {len(visible)} faults found ({share:.1%}); {len(hidden)} cannot be seen by a client")
    if args.record:
        args.record.write_text(json.dumps(_document(outcomes), indent=1) + "\n")
    return 0 if share >= 0.95 else 1


async def _judge_all(faults: Sequence[Fault], *, verbose: bool) -> list[Outcome]:
    outcomes = []
    for number, fault in enumerate(faults, 1):
        outcome = Outcome(fault, False, 0, ()) if fault.invisible else await judge(fault)
        outcomes.append(outcome)
        if verbose:
            word = "cannot be seen" if fault.invisible else "found" if outcome.accused else "NOT FOUND"
            print(f"{number}/{len(faults)} {word}: {fault.id} {' '.join(outcome.failed[:3])}", flush=True)
    return outcomes


def _document(outcomes: Sequence[Outcome]) -> dict[str, object]:
    return {
        "format": 1,
        "found": sum(o.accused for o in outcomes),
        "visible": sum(not o.fault.invisible for o in outcomes),
        "faults": [
            {
                "id": o.fault.id,
                "statements": list(o.fault.statements),
                "found": o.accused,
                "cases": list(o.failed[:5]),
                "invisible": o.fault.invisible,
            }
            for o in outcomes
        ],
    }


if __name__ == "__main__":
    sys.exit(main())

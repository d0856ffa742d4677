# SPDX-License-Identifier: MIT
"""`python -m mqtt_conformance.faults`: measures the share of broken brokers that the suite accuses, by rule."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from mqtt_conformance.faults import invisible
from mqtt_conformance.faults.score import ENOUGH, all_faults, document, report, run, share

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command. Return 0 if at least 95 % of the visible faults are found."""
    parser = argparse.ArgumentParser(
        prog="python -m mqtt_conformance.faults",
        description="Run the suite against brokers that are broken on purpose.",
        epilog="example: python -m mqtt_conformance.faults --only qos_send/ --record faults.json",
    )
    parser.add_argument("--only", default="", help="only faults whose id contains this text")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only each Nth fault")
    parser.add_argument("--record", type=Path, metavar="FILE", help="write the result as JSON")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="processes (default 2)")
    parser.add_argument("--hidden", action="store_true", help="also judge the invisible faults: none may be found")
    parser.add_argument("-v", "--verbose", action="store_true", help="print a line for each fault")
    args = parser.parse_args(argv)
    every = all_faults()
    for pattern in invisible.check(every):
        print(f"invisible.toml: {pattern} matches no fault id")
    found = run(
        [f for f in every if args.only in f.id][:: args.every], jobs=args.jobs, hidden=args.hidden, verbose=args.verbose
    )
    for line in report(found):
        print(line)
    if args.record:
        args.record.write_text(document(found))
    wrong = [f for f in found if f.invisible and f.by]
    return 0 if share(found) >= ENOUGH and not wrong and not invisible.check(every) else 1


if __name__ == "__main__":
    sys.exit(main())

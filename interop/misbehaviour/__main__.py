# SPDX-License-Identifier: MIT
"""`python -m interop.misbehaviour [--record] [CASE ...]`: runs the misbehaviours against the installed clients."""

import argparse
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from interop.misbehaviour.cases import CASES
from interop.misbehaviour.page import page
from interop.misbehaviour.player import SUBJECTS, did, play

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "interop" / "results" / "misbehaviour.json"
PAGE = ROOT / "docs" / "misbehaviour.md"


def main() -> int:
    """Run the cases, print the results, and record them with `--record`."""
    parser = argparse.ArgumentParser(prog="python -m interop.misbehaviour")
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(case.name for case in CASES))
    parser.add_argument("--record", action="store_true", help="write the results and the page in docs/")
    args = parser.parse_args()
    absent = {subject.name: subject.missing() for subject in SUBJECTS}
    for why in filter(None, absent.values()):
        print(why, file=sys.stderr)
    if args.record and (any(absent.values()) or args.cases):
        print("--record needs all cases and every client", file=sys.stderr)
        return 2
    there = [subject for subject in SUBJECTS if absent[subject.name] is None]
    outcomes = []
    with ThreadPoolExecutor(len(there)) as pool:
        for case in CASES:
            if args.cases and case.name not in args.cases:
                continue
            print(case.name)
            for outcome in pool.map(lambda subject, case=case: play(case, subject), there):
                print(f"  {outcome['client']:10} {did(outcome)}", flush=True)
                outcomes.append(outcome)
    results = {"versions": {subject.name: subject.version() for subject in there}, "outcomes": outcomes}
    if args.record:
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        PAGE.write_text(page(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())

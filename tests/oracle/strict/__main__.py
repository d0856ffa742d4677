# SPDX-License-Identifier: MIT
"""Play sessions of the strict client: `python -m tests.oracle.strict --help`."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from random import Random

from tests.oracle.strict.capture import DAMAGES, damage, records, write
from tests.oracle.strict.habits import FAULTS, KINDS
from tests.oracle.strict.link import SECOND, Session
from tests.oracle.strict.score import accusations, check, damage_of, run, score


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.oracle.strict", description=__doc__)
    parser.add_argument("seeds", nargs="?", default="0-100", help="a seed, or the first and the last with - between")
    parser.add_argument("--kind", choices=KINDS, help="of this kind only")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long a session is")
    parser.add_argument("--capture", nargs="?", const="", choices=("", *DAMAGES), help="judge a capture instead")
    parser.add_argument("--fault", action="append", default=[], choices=FAULTS, help="what the client does wrong")
    parser.add_argument("--save", type=Path, help="where the capture is written")
    parser.add_argument("--record", type=Path, help="play the seeds with captures, and write the score as JSON")
    parser.add_argument("--log", action="store_true", help="show what the client did")
    args = parser.parse_args()
    first, _, last = args.seeds.partition("-")
    if args.record is not None:
        result = score(range(int(first), int(last or first) + 1))
        args.record.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        return 1 if result["findings"] else 0
    found: Counter[tuple[str, str]] = Counter()
    seeds: dict[tuple[str, str], list[int]] = {}
    for seed in range(int(first), int(last or first) + 1):
        tap = args.capture is not None
        session = run(Session(seed, args.kind or "", args.seconds, frozenset(args.fault), tap))
        findings = accusations(session.findings)
        if tap:
            how = args.capture or damage_of(seed)
            data = write(damage(records(session), how, Random(seed)), how, Random(seed))
            if args.save is not None:
                args.save.write_bytes(data)
            findings = check(data, complete=how != "one-link")
        if args.log:
            print(session.habits)
            for time, way, text in session.client.log:
                print(f"{(time - session.start) / SECOND:10.4f} {way} {text}")
        for rule, seen in findings:
            found[rule, seen] += 1
            seeds.setdefault((rule, seen), []).append(seed)
    for (rule, seen), count in found.most_common():
        print(f"{count:5} {rule:20} {seen}  seeds {sorted(set(seeds[rule, seen]))[:8]}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

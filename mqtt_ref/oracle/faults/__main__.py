# SPDX-License-Identifier: MIT
"""`python -m mqtt_ref.oracle.faults`: plays every faulty client, and says by rule which are caught."""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict

from mqtt_ref.oracle.coverage import decided
from mqtt_ref.oracle.faults import connecting, receiving, sending
from mqtt_ref.oracle.faults.catalogue import FAULTS, from_vectors, play_vector
from mqtt_ref.oracle.faults.stage import Stage
from mqtt_ref.wire.statements import STATEMENTS

__all__ = ["main", "score"]

MODULES = (connecting, sending, receiving)
"""Imported for the faults that they register."""
BAR = 0.95


def score() -> tuple[dict[str, list[bool]], list[str]]:
    """By statement: for each fault that breaks it, whether that was said; and the names of those that were missed."""
    found: dict[str, list[bool]] = defaultdict(list)
    missed: list[str] = []
    for fault in FAULTS:
        for version in fault.versions:
            stage = Stage(version, fault.switches)
            fault.play(stage)
            rules = stage.rules()
            for one in fault.expected(version):
                found[one].append(one in rules)
                if one not in rules:
                    missed.append(f"{fault.id} (version {version}): {one}, but {', '.join(sorted(rules)) or 'nothing'}")
    for vector, broken in from_vectors():
        rules = play_vector(vector)
        for one in broken:
            found[one].append(one in rules)
        if broken[0] not in rules:
            missed.append(f"{vector.id}: {broken[0]}, but {', '.join(sorted(rules)) or 'nothing'}")
    return found, missed


def main(argv: list[str] | None = None) -> int:
    """Print the score; 1 if it is below the bar."""
    parser = argparse.ArgumentParser(prog="python -m mqtt_ref.oracle.faults", description=__doc__)
    parser.add_argument("-q", "--brief", action="store_true", help="only what was missed, and the score")
    args = parser.parse_args(argv)
    found, missed = score()
    rules = sorted(found)
    caught = [one for one in rules if all(found[one])]
    if not args.brief:
        for one in rules:
            played, named = len(found[one]), sum(found[one])
            print(f"{'caught' if played == named else 'MISSED'}  {one:48} {named} of {played}")
    for line in missed:
        print(f"missed: {line}")
    unplayed = sorted(one for one in decided() if one not in found)
    for one in unplayed:
        print(f"no faulty client: {one} ({STATEMENTS[one].meaning})")
    played, named = sum(map(len, found.values())), sum(map(sum, found.values()))
    share = len(caught) / (len(rules) + len(unplayed))
    print(f"{named} of {played} accusations made; {len(caught)} of {len(rules) + len(unplayed)} rules, {share:.1%}")
    return 0 if share >= BAR and not unplayed else 1


if __name__ == "__main__":
    sys.exit(main())

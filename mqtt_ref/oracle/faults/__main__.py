# SPDX-License-Identifier: MIT
"""`python -m mqtt_ref.oracle.faults`: play every faulty client, and report by rule which are caught."""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from mqtt_ref.oracle.coverage import decided
from mqtt_ref.oracle.faults import connecting, receiving, sending
from mqtt_ref.oracle.faults.catalogue import FAULTS, from_vectors, play_vector
from mqtt_ref.oracle.faults.stage import Stage
from mqtt_ref.wire.statements import STATEMENTS

__all__ = ["as_json", "main", "score"]

MODULES = (connecting, sending, receiving)
"""Imported to register their faults."""
BAR = 95.0
"""The percentage of rules that must be caught."""


def score() -> tuple[dict[str, list[bool]], list[str]]:
    """Return by statement, for each fault that breaks it, if it was caught; and descriptions of the missed faults."""
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


def as_json(found: dict[str, list[bool]], missed: list[str]) -> dict[str, Any]:
    """Return the score as JSON: by rule how often its faulty clients were played, and how often it was named.

    `share` is the percentage of rules whose faulty clients were all caught, among the rules with a detector.
    """
    unplayed = sorted(one for one in decided() if one not in found)
    caught = sum(all(named) for named in found.values())
    return {
        "format": 1,
        "bar": BAR,
        "share": round(100 * caught / (len(found) + len(unplayed)), 1),
        "missed": missed,
        "no_faulty_client": unplayed,
        "rules": {one: {"played": len(found[one]), "named": sum(found[one])} for one in sorted(found)},
    }


def main(argv: list[str] | None = None) -> int:
    """Print the score. Return 1 if it is below the bar, otherwise 0."""
    parser = argparse.ArgumentParser(prog="python -m mqtt_ref.oracle.faults", description=__doc__)
    parser.add_argument("-q", "--brief", action="store_true", help="print only missed faults and the score")
    parser.add_argument("--record", type=Path, metavar="FILE", help="write the score by rule to FILE, as JSON")
    args = parser.parse_args(argv)
    form = as_json(*score())
    rules = form["rules"]
    if not args.brief:
        for one, row in rules.items():
            whole = row["played"] == row["named"]
            print(f"{'caught' if whole else 'MISSED'}  {one:48} {row['named']} of {row['played']}")
    for line in form["missed"]:
        print(f"missed: {line}")
    for one in form["no_faulty_client"]:
        print(f"no faulty client: {one} ({STATEMENTS[one].meaning})")
    named, played = (sum(row[key] for row in rules.values()) for key in ("named", "played"))
    caught = sum(row["named"] == row["played"] for row in rules.values())
    total = len(rules) + len(form["no_faulty_client"])
    print(f"{named} of {played} accusations made; {caught} of {total} rules, {form['share']}%")
    if args.record is not None:
        args.record.write_text(_text(form), encoding="utf-8")
    return 0 if form["share"] >= BAR and not form["no_faulty_client"] else 1


def _text(form: dict[str, Any]) -> str:
    """Return the JSON text, with one rule per line."""
    rules = ",\n".join(f"  {json.dumps(one)}: {json.dumps(row)}" for one, row in form["rules"].items())
    head = json.dumps({**form, "rules": {}}, indent=1)
    return head.replace('"rules": {}', f'"rules": {{\n{rules}\n }}') + "\n"


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: MIT
"""`python -m interop.findings [--trace]`: writes the page. With `--trace` it first records the traces again."""

import argparse
import json
import sys
from typing import Any

from interop.findings import FOLDER, PAGE, clients, page
from interop.misbehaviour.cases import CASES
from interop.misbehaviour.player import SUBJECTS, play


def main() -> int:
    """Write the page. With `--trace`, first run the first case of each finding."""
    parser = argparse.ArgumentParser(prog="python -m interop.findings")
    parser.add_argument(
        "--trace", action="store_true", help="run the cases again with the installed clients, and keep the traces"
    )
    args = parser.parse_args()
    missed = 0
    if args.trace:
        cases = {case.name: case for case in CASES}
        found = clients()
        for subject in SUBJECTS:
            if subject.name not in found or (why := subject.missing()):
                print(f"{subject.name}: {why if subject.name in found else 'no finding is listed'}", file=sys.stderr)
                continue
            for row in found[subject.name]["finding"]:
                records: list[dict[str, Any]] = []
                outcome = play(cases[row["cases"][0]], subject, records)
                if row["rule"] not in outcome["broke"]:
                    print(f"{subject.name} did not break {row['rule']} in {row['cases'][0]}", file=sys.stderr)
                    missed += 1
                    continue
                path = FOLDER / row["trace"]
                path.parent.mkdir(exist_ok=True)
                path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    PAGE.write_text(page(), encoding="utf-8")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

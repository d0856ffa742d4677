# SPDX-License-Identifier: MIT
"""The list of known failures. A new failure is a finding, and so is a repaired one that is still listed."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mqtt_conformance.breaches import finding, is_finding
from mqtt_conformance.case import REGISTRY
from mqtt_conformance.runner import Result
from mqtt_conformance.verdict import Verdict

__all__ = ["Baseline", "BaselineError", "compare", "read_baseline", "write_baseline"]

FINE = (Verdict.PASS, Verdict.INFORMATIONAL, Verdict.NON_STRICT)


class BaselineError(Exception):
    """The file of known failures is invalid."""


@dataclass(frozen=True)
class Baseline:
    """Known failures by case, each with its reason."""

    reasons: dict[str, str]


def read_baseline(path: Path) -> Baseline:
    """Read `[[failure]]` rows of `case` and `reason`.

    Raises:
        BaselineError: the file does not exist or is not TOML, a case does not exist, or a reason is missing.
    """
    try:
        data = tomllib.loads(path.read_text())
    except OSError as error:
        raise BaselineError(f"{path}: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise BaselineError(f"{path}: {error}") from error
    reasons: dict[str, str] = {}
    for number, row in enumerate(data.get("failure", []), 1):
        name = row.get("case")
        if name not in REGISTRY and not is_finding(str(name)):
            raise BaselineError(f"{path}: failure {number}: there is no case {name!r}; `--list` shows them")
        if not row.get("reason"):
            raise BaselineError(f"{path}: failure {number}: {name} needs a reason")
        reasons[name] = row["reason"]
    return Baseline(reasons)


def compare(results: Iterable[Result], baseline: Baseline) -> tuple[list[Result], list[Result]]:
    """Return the failures that are not listed, and the listed cases that no longer fail.

    A rule that other cases saw broken counts as repaired when no case sees it broken and one case about it passes.
    """
    results = list(results)
    new, repaired = [], []
    for result in results:
        listed = result.case.id in baseline.reasons
        if result.verdict is Verdict.FAIL and not listed:
            new.append(result)
        elif listed and result.verdict in FINE:
            repaired.append(result)
    seen = {r.case.id for r in results}
    kept = {s for r in results if r.verdict in FINE for s in r.case.statements}
    for name in baseline.reasons:
        statement = name.partition("/")[0]
        if is_finding(name) and name not in seen and statement in kept:
            repaired.append(Result(finding(statement), Verdict.PASS))
    return new, repaired


def write_baseline(results: Sequence[Result]) -> str:
    """Return the text of a baseline that lists today's failures. The user edits the reasons."""
    out = ["# Known failures: `mqtt-ref conformance --expect` fails on new ones and on repaired ones.", ""]
    for result in results:
        if result.verdict is Verdict.FAIL:
            reason = result.message.replace("\\", "\\\\").replace('"', '\\"')
            out += ["[[failure]]", f'case   = "{result.case.id}"', f'reason = "{reason}"', ""]
    return "\n".join(out)

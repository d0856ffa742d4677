# SPDX-License-Identifier: MIT
"""Many sessions, and what the judge said of them: nothing, if it is right."""

from __future__ import annotations

import contextlib
import io
import json
import re
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import Any

from mqtt_ref.cli.main import main
from mqtt_ref.oracle.finding import Finding
from tests.oracle.strict.capture import DAMAGES, damage, records, write
from tests.oracle.strict.habits import KINDS
from tests.oracle.strict.link import Session

__all__ = ["accusations", "check", "damage_of", "run", "score"]


def run(session: Session) -> Session:
    """Run a session; a server that breaks a rule, or a client without an end, is an error of the harness."""
    try:
        return session.run()
    except AssertionError as error:
        raise AssertionError(f"seed {session.seed}, {session.kind}: {error}") from error


def accusations(findings: Iterable[Finding]) -> list[tuple[str, str]]:
    """The findings as kinds: rule, and what was seen without its names and numbers."""
    return [_kind(finding.rule, finding.seen) for finding in findings]


def _kind(rule: str, seen: str) -> tuple[str, str]:
    return rule, re.sub(r"\d+", "N", re.sub(r"'[^']*'", "'T'", seen))


def check(data: bytes, complete: bool = False) -> list[tuple[str, str]]:
    """What `mqtt-ref oracle check` says of a capture, as kinds; nothing where there is nothing to judge.

    `complete` says to it that no connection is missing.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "traffic.pcap"
        path.write_bytes(data)
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
            code = main(["oracle", "check", str(path), "--json", *(["--complete"] if complete else [])])
    if code == 2:
        return []
    return [_kind(found["rule"], found["seen"]) for found in json.loads(out.getvalue())["findings"]]


def damage_of(seed: int) -> str:
    """What is done to the capture of a session."""
    return DAMAGES[(seed // len(KINDS) + seed) % len(DAMAGES)]


def score(seeds: Iterable[int], captures: int = 2) -> dict[str, Any]:
    """Play the sessions of the seeds; of every `captures`-th round of kinds the captures are judged too.

    `findings` has one entry for each kind of accusation, with the seeds to play it again.
    """
    kinds: Counter[str] = Counter()
    damages: Counter[str] = Counter()
    versions: Counter[str] = Counter()
    totals: Counter[str] = Counter()
    findings: dict[tuple[str, str, str], list[int]] = {}
    for seed in seeds:
        tap = seed // len(KINDS) % captures == 0
        session = run(Session(seed, tap=tap))
        kinds[session.kind] += 1
        versions[{3: "3.1", 4: "3.1.1", 5: "5.0"}[session.habits.version]] += 1
        totals["sessions"] += 1
        totals["connections"] += session.score.connections
        totals["packets"] += session.score.packets
        totals["publishes again"] += session.score.again
        totals["cuts"] += session.score.cuts
        totals["stalls"] += session.score.stalls
        totals["bytes lost"] += session.score.lost
        for rule, seen in accusations(session.findings):
            findings.setdefault((rule, seen, "live"), []).append(seed)
        if tap:
            how = damage_of(seed)
            damages[how] += 1
            data = write(damage(records(session), how, Random(seed)), how, Random(seed))
            for rule, seen in check(data, complete=how != "one-link"):
                findings.setdefault((rule, seen, how), []).append(seed)
    return {
        **dict(totals),
        "by kind": dict(sorted(kinds.items())),
        "by version": dict(sorted(versions.items())),
        "captures": dict(sorted(damages.items())),
        "findings": [
            {"rule": rule, "seen": seen, "where": where, "count": len(found), "seeds": sorted(set(found))[:5]}
            for (rule, seen, where), found in sorted(findings.items())
        ],
    }

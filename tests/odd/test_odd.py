# SPDX-License-Identifier: MIT
"""The conformance suite accuses no odd broker of anything; `MQTT_REF_ODD=all` asks all of them."""

from __future__ import annotations

import asyncio
import fnmatch
import json
import os
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

import pytest

from tests.odd.brokers import BROKERS
from tests.odd.run import by_name, judge

__all__: list[str] = []

ROOT: Final = Path(__file__).resolve().parents[2]
RESULTS: Final = ROOT / "conformance" / "results" / "odd.json"
KNOWN: Final = tomllib.loads((Path(__file__).parent / "known.toml").read_text()).get("accused", [])
"""Accusations that are wrong and not repaired: broker, cases (both may have `*`), and why they are wrong."""

ALL: Final = os.environ.get("MQTT_REF_ODD") == "all"
QUICK: Final = ("odd-answers", "odd-offer", "odd-manners")
NAMES: Final = [odd.name for odd in BROKERS] if ALL else list(QUICK)


def known(name: str, case: str) -> bool:
    """Whether it is known that a case accuses a broker wrongly."""
    return any(fnmatchcase(name, row["broker"]) and fnmatchcase(case, one) for row in KNOWN for one in row["cases"])


def test_known_accusations_have_a_reason() -> None:
    for row in KNOWN:
        assert row["why"]
        assert fnmatch.filter([odd.name for odd in BROKERS], row["broker"])


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", NAMES)
def test_no_odd_broker_is_accused(name: str) -> None:
    _, report, out = asyncio.run(judge(by_name(name), limit=1000 if ALL else 200))
    assert report, out
    failed = [result["id"] for result in report["results"] if result["verdict"] == "fail"]
    assert not [case for case in failed if not known(name, case)], out
    rows = [row for row in KNOWN if row["broker"] == name and not row.get("chance")]
    stale = [row for row in rows if not any(fnmatchcase(case, one) for case in failed for one in row["cases"])]
    assert not stale, f"{name} is accused of this no more: take it out of known.toml"


def test_the_record_has_every_broker_and_nothing_new() -> None:
    record = json.loads(RESULTS.read_text())
    assert set(record) == {odd.name for odd in BROKERS}
    for name, result in record.items():
        assert result["versions"], name
        failed = {case for one in result["versions"].values() for case in one.get("fail", [])}
        assert not [case for case in failed if not known(name, case)], name

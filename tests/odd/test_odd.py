# SPDX-License-Identifier: MIT
"""The conformance suite accuses no odd broker of anything; `MQTT_REF_ODD=all` asks all of them."""

from __future__ import annotations

import asyncio
import json
import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.odd.brokers import BROKERS
from tests.odd.run import by_name, judge

__all__: list[str] = []

ROOT: Final = Path(__file__).resolve().parents[2]
RESULTS: Final = ROOT / "conformance" / "results" / "odd.json"
KNOWN: Final[dict[str, list[str]]] = tomllib.loads((Path(__file__).parent / "known.toml").read_text())["accused"]
"""By broker: the cases that accuse it wrongly, and have not been repaired."""

ALL: Final = os.environ.get("MQTT_REF_ODD") == "all"
QUICK: Final = ("odd-answers", "odd-offer", "odd-manners")
NAMES: Final = [odd.name for odd in BROKERS] if ALL else list(QUICK)


def accused(report: dict[str, Any]) -> Iterator[str]:
    """The cases that failed."""
    return (result["id"] for result in report["results"] if result["verdict"] == "fail")


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", NAMES)
def test_no_odd_broker_is_accused(name: str) -> None:
    _, report, out = asyncio.run(judge(by_name(name), limit=1000 if ALL else 200))
    assert report, out
    failed = set(accused(report))
    known = set(KNOWN.get(name, ()))
    assert not failed - known, out
    # What runs by chance is not asked to fail; what never fails any more does not belong into the list.
    assert failed or not known, f"{name} is accused of nothing any more: take it out of known.toml"


def test_known_accusations_are_of_brokers_that_there_are() -> None:
    assert set(KNOWN) <= {odd.name for odd in BROKERS}


def test_the_record_has_every_broker_and_nothing_new() -> None:
    record = json.loads(RESULTS.read_text())
    assert set(record) == {odd.name for odd in BROKERS}
    for name, result in record.items():
        failed = {case for one in result["versions"].values() for case in one.get("fail", {})}
        assert failed <= set(KNOWN.get(name, ())), name

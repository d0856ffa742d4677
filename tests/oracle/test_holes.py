# SPDX-License-Identifier: MIT
"""Captures in which something is missing, doubled or out of order accuse nobody of what it hides."""

from __future__ import annotations

import random
from typing import Any

import pytest

from mqtt_ref.engine.options import Capabilities, Options
from mqtt_ref.oracle.faults.client import Client
from mqtt_ref.oracle.recorded import judge_recording
from mqtt_ref.oracle.report import as_text
from mqtt_ref.wire.packets import ConnectProperties
from mqtt_ref.wire.primitives import V5, V31, V311
from mqtt_ref.wire.recording import RecordingError
from tests.oracle.rig import End, Rig
from tests.oracle.tap import KINDS, TappedRig, damaged, written

TOPICS = ("a", "a/b", "c")
SEEDS = 12
"""Sessions for each version and kind of damage."""


def session(version: int, seed: int, reuse: bool = False) -> TappedRig:
    """What two strict clients say on a link that is lost now and then."""
    draw = random.Random(seed)
    capabilities = Capabilities(receive_maximum=draw.choice((1, 3, 1024)) if version == V5 else 1024)
    if version == V5:
        capabilities.topic_alias_maximum = draw.choice((0, 10))
    rig = TappedRig(Options(capabilities), [Client("one", version), Client("two", version)], reuse)
    for end in rig.ends:
        connect(end, version, draw, False)
        end.settle()
        end.act("subscribe", "#", 2)
        end.settle()
    for _ in range(60):
        rig.now += 3_000_000
        act(rig, draw.choice(rig.ends), version, draw)
    for end in rig.ends:
        end.settle()
    assert not rig.judge.findings
    return rig


def connect(end: End, version: int, draw: random.Random, clean: bool) -> None:
    more: dict[str, Any] = {"properties": ConnectProperties(3600)} if version == V5 else {}
    end.connect(clean_start=clean, keep_alive=draw.choice((0, 5)), **more)


def act(rig: Rig, end: End, version: int, draw: random.Random) -> None:
    name = draw.choice(
        ("publish",) * 8 + ("short", "settle", "settle", "up", "down", "drop", "connect", "time", "ping", "disconnect")
    )
    if name == "publish":
        end.act("publish", draw.choice(TOPICS), draw.randbytes(draw.choice((0, 3, 50))), draw.randrange(3))
    elif name == "short":
        if version == V5:
            end.act("publish_short", draw.choice(TOPICS), b"x")
    elif name == "connect":
        connect(end, version, draw, draw.random() < 0.2)
    elif name == "time":
        rig.pass_time(draw.choice((0.3, 2.0, 12.0)))
    elif name in ("settle", "drop"):
        getattr(end, name)()
    elif name in ("up", "down"):
        getattr(end, f"deliver_{name}")()
    else:
        end.act(name)


@pytest.mark.parametrize("version", [V5, V311, V31])
def test_a_whole_capture_of_strict_clients_is_judged_in_full(version: int) -> None:
    for seed in range(SEEDS):
        for reuse in (False, True):
            rig = session(version, seed, reuse)
            records = rig.tap.records
            judge = judge_recording(written(records))
            assert not judge.findings
            assert not judge.holes
            assert judge.unjudged == rig.judge.unjudged
            assert judge.connections == rig.judge.connections


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("version", [V5, V311, V31])
def test_damage_accuses_nobody(version: int, kind: str) -> None:
    for seed in range(SEEDS):
        records = session(version, seed, seed % 2 == 1).tap.records
        try:
            judge = judge_recording(damaged(records, kind, random.Random(seed)))
        except RecordingError:
            assert kind in ("cut off", "begun late")  # nothing is left
            continue
        told = "\n\n".join(as_text(finding) for finding in judge.findings)
        assert not judge.findings, f"{kind}, seed {seed}\n{told}"

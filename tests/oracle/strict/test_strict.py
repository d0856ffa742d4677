# SPDX-License-Identifier: MIT
"""A strict client of a second author is never accused; `MQTT_REF_SESSIONS=1000` plays more sessions.

`python -m tests.oracle.strict SEED --log` plays one session again, `--capture HOW` its capture, and
`python -m tests.oracle.strict 0-1199 --record tests/oracle/strict/results.json` writes the record anew.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.oracle.sessions import sessions
from tests.oracle.strict.habits import FAULTS, KINDS, Habits
from tests.oracle.strict.link import Session
from tests.oracle.strict.score import accusations, run, score
from tests.oracle.strict.websocket import FRAMINGS, play_all

SESSIONS = sessions(84)
ROUNDS = -(-SESSIONS // len(KINDS))
RULES = {
    "resend": {"MQTT5-4.4.0-1"},
    "reuse": {"MQTT5-2.2.1-3"},
    "no-dup": {"MQTT5-3.3.1-1"},
    "ack-order": {"MQTT5-4.6.0-2"},
    "wrong-id": {"MQTT5-2.2.1-5"},
    "quota": {"MQTT5-3.3.4-7"},
    "alias": {"MQTT5-3.3.2-9"},
    "silent": {"MQTT5-3.1.2-20"},
    "after-disconnect": {"MQTT5-3.14.4-1"},
    "republish-released": {"MQTT5-4.3.3-6"},
    "resend-order": {"MQTT5-4.6.0-1"},
    "rec-order": {"MQTT5-4.6.0-3"},
}
"""What each fault of the control breaks in 5.0."""


@pytest.mark.timeout(60 + SESSIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_strict_client_is_never_accused(kind: str) -> None:
    first = KINDS.index(kind)
    result = score(range(first, first + ROUNDS * len(KINDS), len(KINDS)))
    assert result["sessions"] == ROUNDS
    assert result["packets"] > ROUNDS * 10
    assert result["findings"] == []


@pytest.mark.parametrize("fault", FAULTS)
def test_an_unlawful_client_is_accused(fault: str) -> None:
    """The harness can fail: the same client with one fault, on the same network, is found."""
    found: set[str] = set()
    for seed in range(12):
        habits = Habits(version=5, pace=0.05, window=3, id_space=65535, ids="next", clean_share=0.0, rename=0.0)
        habits.ack_delay = 0.5
        habits.crash = 0.05
        habits.receive_maximum = 20
        kind = "plain"
        if fault == "quota":
            kind, habits.crash = "limits", 0.01
        elif fault == "silent":
            kind, habits.keep_alive, habits.pace, habits.crash = "alive", 5, 20.0, 0.0
        found |= {rule for rule, _ in accusations(_faulty(seed, kind, fault, habits).findings)}
        if found & RULES[fault]:
            return
    pytest.fail(f"not accused of {RULES[fault]}, but of {found}")


def _faulty(seed: int, kind: str, fault: str, habits: Habits) -> Session:
    return run(Session(seed, kind, 40.0, frozenset({fault}), habits=habits))


def test_one_session_is_the_same_each_time() -> None:
    first, second = run(Session(5)), run(Session(5))
    assert first.client.log == second.client.log
    assert len(first.client.log) > 100


@pytest.mark.timeout(90)
def test_over_websocket_in_every_framing(tmp_path: Path) -> None:
    record = tmp_path / "findings.jsonl"
    command = [sys.executable, "-m", "mqtt_ref", "oracle", "serve", "--port", "0", "--ws-port", "0", "--no-http"]
    with subprocess.Popen(
        [*command, "--record", str(record)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        try:
            assert server.stdout is not None
            port = 0
            for line in server.stdout:
                if found := re.search(r"ws://[^:]+:(\d+)", line):
                    port = int(found[1])
                    break
            assert port
            players = play_all(range(2 * len(FRAMINGS)), port, 3.0)
        finally:
            server.send_signal(signal.SIGINT)
        server.wait(20)
    assert {player.framing for player in players} == set(FRAMINGS)
    assert sum(player.client.sent for player in players) > 200
    assert [json.loads(line)["seen"] for line in record.read_text().splitlines()] == []
    assert server.returncode == 0


def test_the_record_is_of_a_thousand_sessions() -> None:
    result = json.loads((Path(__file__).parent / "results.json").read_text(encoding="utf-8"))
    assert result["sessions"] >= 1000
    assert min(result["by kind"].values()) * len(KINDS) >= 1000
    assert result["findings"] == []

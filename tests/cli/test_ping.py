# SPDX-License-Identifier: MIT
"""`mqtt-ref ping`: a real CONNECT, and an exit code."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from mqtt_ref.cli.main import main
from mqtt_ref.oracle.actions import Refuse, Replace
from mqtt_ref.oracle.bench import ThreadedBench
from mqtt_ref.oracle.matching import Match
from mqtt_ref.oracle.recorder import Condition
from mqtt_ref.oracle.rules import Rule


@pytest.fixture
def bench() -> Iterator[ThreadedBench]:
    with ThreadedBench() as found:
        yield found


@pytest.mark.parametrize("version", ["5", "311", "31"])
def test_a_broker_that_takes_it(bench: ThreadedBench, version: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ping", "-V", version, bench.url]) == 0
    assert "accepted within" in capsys.readouterr().out
    bench.wait(Condition(packet=Match(packet="DISCONNECT", by="ping*")))
    assert bench.findings == []
    assert main(["ping", "-q", bench.url]) == 0
    assert capsys.readouterr().out == ""


def test_a_broker_that_does_not(bench: ThreadedBench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.rules = [Rule(when=Match(packet="CONNECT", by="*"), do=Refuse(code=5))]
    assert main(["ping", bench.url]) == 1
    assert "reason_code=5" in capsys.readouterr().err
    bench.rules = [Rule(when=Match(packet="CONNACK"), do=Replace(hex="d000"))]
    assert main(["ping", bench.url]) == 1
    assert "Pingresp()" in capsys.readouterr().err


def test_nobody_there(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and says nothing
        url = f"mqtt://127.0.0.1:{silent.getsockname()[1]}"
        assert main(["ping", url, "--timeout", "0.1"]) == 2
    assert main(["ping", url, "--timeout", "1"]) == 2
    assert main(["ping", "http://127.0.0.1"]) == 2
    assert "not a URL of a broker" in capsys.readouterr().err

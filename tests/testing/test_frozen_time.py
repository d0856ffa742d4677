# SPDX-License-Identifier: MIT
"""Tests of a user who freezes time: the broker, the judge and its timeouts go on."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from mqtt_ref.hooks import AllowAll
from mqtt_ref.net.tcp import TcpListener
from mqtt_ref.oracle.facade import AsyncOracle
from mqtt_ref.testing.oracle import Oracle
from mqtt_ref.testing.rawclient import RawClient
from mqtt_ref.threaded import ThreadedServer
from mqtt_ref.wire.packets import Connack, Connect, Disconnect, Pingreq, Publish

FROZEN = [{}, {"tick": True}, {"real_asyncio": True}]
really = time.clock_gettime if hasattr(time, "clock_gettime") else None


@pytest.fixture(params=FROZEN, ids=["frozen", "tick", "real_asyncio"])
def freeze(request: pytest.FixtureRequest, require: Any) -> Callable[[], Any]:
    require.that(really, "there is no clock that freezegun leaves alone")
    freeze_time = require.module("freezegun").freeze_time
    return lambda: freeze_time("2030-01-01", **request.param)


def test_the_oracle_answers_and_its_waits_end(freeze: Callable[[], Any]) -> None:
    with Oracle() as oracle:
        with freeze(), RawClient(oracle.port) as client:
            client.send(Connect("one"))
            assert isinstance(client.read(), Connack)
            assert oracle.expect(Connect, within=5).client_id == "one"
            for wait in (
                lambda: oracle.expect(Publish, within=0.1),
                lambda: oracle.wait_for(lambda: False, within=0.1),
            ):
                with pytest.raises(AssertionError, match=r"0\.1 s"):
                    wait()
        assert oracle.findings == []


def test_timers_of_the_broker_go_on(freeze: Callable[[], Any]) -> None:
    """A Keep Alive of one second ends after one and a half, and `stop` cuts who does not go."""
    server = ThreadedServer(hooks=[AllowAll()])
    with freeze(), server, RawClient(server.port) as client:
        client.send(Connect("one", keep_alive=1))
        client.read()
        client.send(Pingreq())
        client.read()
        assert really is not None
        began = really(time.CLOCK_MONOTONIC)
        assert isinstance(client.read(10), Disconnect)
        assert 1.0 < really(time.CLOCK_MONOTONIC) - began < 8


def test_started_while_time_stands(freeze: Callable[[], Any]) -> None:
    with freeze(), Oracle(listeners=[TcpListener(port=0)]) as oracle, RawClient(oracle.port) as client:
        client.send(Connect("one"))
        assert isinstance(client.read(), Connack)


def test_the_loop_of_the_test_may_stand(freeze: Callable[[], Any]) -> None:
    async def run() -> None:
        async with AsyncOracle() as oracle:
            with freeze(), pytest.raises(AssertionError, match=r"0\.1 s"):
                await oracle.expect(Publish, within=0.1)

    asyncio.run(run())


def test_imported_while_time_stands(freeze: Callable[[], Any]) -> None:
    code = """
from freezegun import freeze_time
with freeze_time("2030-01-01"):
    from mqtt_ref.clocks import monotonic, monotonic_ns, time_ns
    first, second = monotonic_ns(), monotonic()
    while monotonic_ns() == first or monotonic() == second:
        pass
    assert abs(time_ns() / 1e9 - 1893456000) > 100
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)

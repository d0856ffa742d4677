# SPDX-License-Identifier: MIT
"""The soak in short; and that it finds what stays."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from collections import Counter, deque
from collections.abc import Iterator

import pytest

from mqtt_ref.net.clock import Clock
from mqtt_ref.wire.packets import ConnectProperties
from tests.sansio import World
from tests.soak.churn import Churn
from tests.soak.graph import grown, modules, sizes
from tests.soak.run import KINDS, RESULTS, churn, crowd
from tests.soak.sockets import Crowd


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.parametrize("kind", KINDS[:4])
def test_nothing_stays_when_everything_has_ended(kind: str, traced: None) -> None:
    outcome = churn(kind, 7, rounds=2, steps=300)
    assert outcome.larger == {}
    assert outcome.rounds == 2
    assert outcome.collections > 40
    assert not outcome.leaked, outcome.memory


@pytest.mark.parametrize("kind", KINDS[4:])
def test_nothing_stays_over_sockets(kind: str, traced: None) -> None:
    outcome = crowd(kind, 7, rounds=2, clients=20)
    assert outcome.larger == {}
    assert outcome.begun == 60
    assert outcome.collections > 60
    assert not outcome.leaked, outcome.memory


def test_the_clients_do_all_that_can_leave_something_behind() -> None:
    clients = Churn(7, stored=True, asked=True)
    most: Counter[str] = Counter()
    for _ in range(2500):
        clients._step()
        clients.steps += 1
        if not clients.steps % 100:
            most |= sizes(broker=clients.world.broker, storage=clients.world.storage)
    clients.end()
    counters = clients.world.broker.counters
    for name in (
        "sessions_taken_over", "sessions_resumed", "sessions_expired", "dropped_queue_full", "dropped_expired",
        "dropped_slow", "dropped_unshared", "wills_published", "keep_alive_timeouts", "messages_resent",
        "commits_failed",
    ):  # fmt: skip
        assert getattr(counters, name) > 0, name
    for name in (
        "Session", "Connection", "_Node", "Group", "Message", "Sessions._free_handles", "Timers._heap", "Router._owned",
        "Questions._connections", "Journal._pending", "RetainedStore._deadlines", "Broker.inline", "Session.inflight",
        "Session.received", "_Generation.matches", "Waiting", "MemoryStore._sessions",
    ):  # fmt: skip
        assert most[name] > 0, name


def test_what_stays_is_found() -> None:
    world = World()
    before = sizes(broker=world.broker)
    world.client("a", properties=ConnectProperties(session_expiry_interval=1000)).drop()
    larger = grown(before, sizes(broker=world.broker))
    assert larger.keys() >= {"Session", "Sessions.by_client_id", "Sessions.by_handle", "Timers._heap"}
    assert larger["Sessions.by_client_id"] == (0, 1)
    world.pass_time(2000)
    assert grown(before, sizes(broker=world.broker)) == {}


def test_collections_are_found_wherever_they_are() -> None:
    clock = Clock()
    hidden = [1, 2, 3]
    clock.on_change = lambda: hidden.clear()
    assert sizes(clock=clock) == {"Clock": 1, "Clock.on_change()": 3}
    clock.on_change = {1: deque([clock])}.copy  # type: ignore[assignment]
    assert sizes(clock=clock) == {"Clock": 1, "Clock.on_change.self": 1, "Clock.on_change.self[]": 1}
    assert "mqtt_ref.wire.generated.fast.NAMES" in modules()


def test_a_session_that_a_server_keeps_is_found_over_sockets() -> None:
    async def run() -> dict[str, tuple[int, int]]:
        some = Crowd(1)
        await some.start()
        try:
            before = some.sizes()
            some.server.broker.sessions.create("left", 5)
            return grown(before, some.sizes())
        finally:
            await some.stop()

    assert asyncio.run(run())["Sessions.by_client_id"] == (0, 1)


def test_the_long_run_left_nothing() -> None:
    result = json.loads(RESULTS.read_text(encoding="utf-8"))
    assert not result["leaked"]
    assert [soak["kind"] for soak in result["soaks"]] == list(KINDS)
    for soak in result["soaks"]:
        assert soak["larger"] == {}
        assert soak["rounds"] >= 3

# SPDX-License-Identifier: MIT
"""The garbage collector of a process that serves: it never looks at everything because of sessions."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import pytest

from mqtt_ref.broker.broker import Broker
from mqtt_ref.cli.collecting import EACH, PARTS, PER_THING, SPARE, Collecting
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import Connect, Subscribe, Subscription
from mqtt_ref.wire.primitives import V5


class Soon(list[Callable[[], None]]):
    """What the event loop is to call."""

    def run(self) -> None:
        while self:
            self.pop()()


@pytest.fixture(autouse=True)
def collected() -> None:
    gc.collect()


def refuse(function: Callable[[], None]) -> None:
    pytest.fail("everything is to be looked at")


def test_it_holds_while_the_broker_serves_and_no_longer() -> None:
    before = gc.get_threshold(), len(gc.callbacks)
    with Collecting(Broker(), refuse):
        assert gc.get_threshold() == PARTS
        assert gc.get_freeze_count() > 10_000
    assert (gc.get_threshold(), len(gc.callbacks)) == before
    assert not gc.get_freeze_count()


def test_what_is_needed_for_long_is_looked_at_no_more() -> None:
    kept: list[Any] = []
    with Collecting(Broker(), refuse):
        aside = gc.get_freeze_count()
        for _ in range(SPARE * 9 // 10):
            kept.append([])
        assert gc.get_freeze_count() - aside > len(kept) - EACH
        assert len(gc.get_objects()) < EACH + 1000
        kept.clear()
        assert gc.get_freeze_count() - aside < EACH  # it is freed as soon as nothing refers to it


def test_sessions_are_no_reason_to_look_at_everything() -> None:
    broker = Broker()
    count = 5000
    with Collecting(broker, refuse):
        gc.collect()
        before = gc.get_freeze_count()
        for number in range(count):
            connection = broker.connect(1)
            subscribe = Subscribe(1, [Subscription(f"a/{number}/+")])
            connection.receive(encode(V5, Connect(f"c{number}", V5)) + encode(V5, subscribe), 1)
            broker.tick(1)
            connection.take()
            broker.dirty = []
        gc.collect()
        grown = gc.get_freeze_count() - before
    things = len(broker.connections) + len(broker.sessions.by_client_id) + len(broker.router)
    assert things == 3 * count
    assert grown < things * PER_THING * 3 / 4  # a transport and a channel come on top


def test_cycles_that_were_needed_for_long_are_found_too() -> None:
    soon = Soon()
    kept: list[Any] = []
    with Collecting(Broker(), soon.append) as collecting:
        started = gc.get_freeze_count()
        for _ in range(SPARE + 3 * EACH):
            kept.append([])
            kept[-1].append(kept[-1])
        assert len(soon) == 1  # it asks once, and not within a collection
        soon.run()
        assert collecting.thorough == 1
        assert gc.get_freeze_count() - started > len(kept) - EACH
        for _ in range(2 * EACH):  # now twice as many are allowed
            kept.append([])
        assert not soon
        kept.clear()
        assert gc.get_freeze_count() - started > SPARE  # nothing refers to them, but they do to themselves
        while not soon:
            kept.append([])
        assert len(kept) < 3 * (SPARE + 6 * EACH)
        soon.run()
        assert gc.get_freeze_count() - started < len(kept) + EACH

# SPDX-License-Identifier: MIT
"""The heap of time limits."""

from __future__ import annotations

from mqtt_ref.broker.timers import CONNECTION, SESSION, Timers
from tests.sansio import World


def test_the_first_due_comes_first_and_nothing_before_its_time() -> None:
    world = World()
    first, second = world.link().connection, world.link().connection
    timers = Timers()
    assert timers.next() is None
    assert timers.pop(99) is None
    first.deadline = second.deadline = 0
    timers.wake(first, 30)
    timers.add_session(10, 2)
    timers.wake(second, 20)
    timers.wake(second, 25)  # one entry for each connection is enough
    assert timers.next() == 10
    assert timers.pop(9) is None
    assert timers.pop(25) == (10, SESSION, 2)
    assert timers.pop(25) == (20, CONNECTION, second.serial)
    assert timers.pop(25) is None
    assert len(timers) == 1

# SPDX-License-Identifier: MIT
"""The heap of time limits."""

from __future__ import annotations

from mqtt_ref.broker.timers import LINK, SESSION, Timers


def test_the_first_due_comes_first_and_nothing_before_its_time() -> None:
    timers = Timers()
    assert timers.next() is None
    assert timers.pop(99) is None
    timers.add(30, LINK, 1)
    timers.add(10, SESSION, 2)
    timers.add(20, LINK, 3)
    assert timers.next() == 10
    assert timers.pop(9) is None
    assert timers.pop(25) == (10, SESSION, 2)
    assert timers.pop(25) == (20, LINK, 3)
    assert timers.pop(25) is None
    assert len(timers) == 1

# SPDX-License-Identifier: MIT
"""Whose turn it is in a Shared Subscription."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from mqtt_ref.broker.shared import Group
from mqtt_ref.broker.subscription import Subscribed


def member(subscriber: int, options: int = 0) -> Subscribed:
    return Subscribed(subscriber, "$share/g/a", options, 0, "g")


def group(*subscribers: int) -> Group:
    made = Group("g", "a")
    for subscriber in subscribers:
        made.add(member(subscriber))
    return made


def everyone(subscriber: int) -> bool:
    return True


def nobody(subscriber: int) -> bool:
    return False


def choose(g: Group, available: Callable[[int], bool]) -> int:
    """Whose turn it is: somebody who is available, else somebody to queue for."""
    found = g.pick(available)
    return found if found >= 0 else g.queue_for(everyone)


def test_round_robin() -> None:
    g = group(1, 2, 3)
    assert [choose(g, everyone) for _ in range(7)] == [1, 2, 3, 1, 2, 3, 1]


def test_only_those_available() -> None:
    g = group(1, 2, 3, 4)
    assert [choose(g, lambda s: s % 2 == 0) for _ in range(5)] == [2, 4, 2, 4, 2]


def test_queued_round_robin_when_nobody_is_available() -> None:
    g = group(1, 2, 3)
    assert g.pick(nobody) == -1
    assert Counter(choose(g, nobody) for _ in range(9)) == {1: 3, 2: 3, 3: 3}
    assert Counter(g.queue_for(everyone) for _ in range(9)) == {1: 3, 2: 3, 3: 3}
    assert Counter(group(1, 2).queue_for(everyone) for _ in range(2)) == {1: 2}


def test_queued_for_those_only_who_keep_it() -> None:
    g = group(1, 2, 3, 4)
    assert g.pick(nobody) == -1
    assert [g.queue_for(lambda s: s % 2 == 0) for _ in range(4)] == [2, 4, 2, 4]
    assert g.queue_for(nobody) == -1


def test_those_who_return_are_chosen_again() -> None:
    g = group(1, 2, 3)
    choose(g, nobody)
    assert {choose(g, everyone) for _ in range(6)} == {1, 2, 3}
    choose(g, nobody)
    for subscriber in (1, 2, 3):
        g.wake(subscriber)
    assert sorted(choose(g, everyone) for _ in range(3)) == [1, 2, 3]


def test_those_who_return_while_others_are_there() -> None:
    """Also when nobody says that they are back."""
    g = group(*range(50))
    assert {choose(g, lambda s: s == 7) for _ in range(10)} == {7}
    assert {choose(g, everyone) for _ in range(100)} == set(range(50))


def test_a_member_that_is_away_costs_next_to_nothing() -> None:
    """[MQTT5-4.8.2-4] lets sessions stay in a group for years; messages must not pay for them."""
    g = group(*range(1000), 1000)
    asked: list[int] = []

    def only_the_last(subscriber: int) -> bool:
        asked.append(subscriber)
        return subscriber == 1000

    assert choose(g, only_the_last) == 1000
    assert len(asked) == 1001
    asked.clear()
    assert choose(g, only_the_last) == 1000
    assert len(asked) == 2
    asked.clear()
    assert choose(g, nobody) >= 0
    choose(g, only_the_last)
    assert len(asked) <= 16


def test_waking_puts_a_member_back() -> None:
    g = group(*range(1000))
    choose(g, nobody)
    g.wake(777)
    assert choose(g, everyone) == 777
    g.wake(5000)  # nobody we know
    assert len(g) == 1000


def test_without_waking_a_member_is_found_after_some_turns() -> None:
    g = group(*range(100))
    choose(g, nobody)
    assert 77 in [choose(g, lambda s: s == 77) for _ in range(100)]


def test_replacing_keeps_the_place() -> None:
    g = group(1, 2, 3)
    assert choose(g, everyone) == 1
    g.add(member(2, 1))
    assert len(g) == 3
    assert choose(g, everyone) == 2
    found = g.member(2)
    assert found is not None
    assert found.qos == 1  # [MQTT5-4.8.2-3]
    choose(g, nobody)
    g.add(member(3, 2))
    found = g.member(3)
    assert found is not None
    assert found.qos == 2
    assert len(g) == 3


def test_removed_members_have_no_turn() -> None:
    g = group(1, 2, 3)
    g.remove(2)
    assert [choose(g, everyone) for _ in range(4)] == [1, 3, 1, 3]
    choose(g, nobody)
    g.remove(1)
    g.remove(1)
    assert choose(g, nobody) == 3
    assert g.member(1) is None
    assert [m.subscriber for m in g.members()] == [3]
    g.remove(3)
    assert len(g) == 0
    assert g.pick(everyone) == -1
    assert g.queue_for(everyone) == -1


@given(st.sets(st.integers(0, 30), min_size=1), st.lists(st.sets(st.integers(0, 30))))
def test_available_members_come_first_and_turns_are_even(members: set[int], phases: list[set[int]]) -> None:
    g = group(*members)
    for present in phases:
        for subscriber in present:
            g.wake(subscriber)  # what the engine does when one connects
        able = members & present
        turns = Counter(choose(g, present.__contains__) for _ in range(3 * len(able or members)))
        assert set(turns) == (able or members)
        assert set(turns.values()) == {3}
        assert len(g) == len(members)

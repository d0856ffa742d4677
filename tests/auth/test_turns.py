# SPDX-License-Identifier: MIT
"""One address that floods the server with logins keeps no other one out."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from mqtt_ref.auth.turns import Turns, neighbourhood


class Desk:
    """Work that waits until it is let go on, and the order in which it was done."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self.gate = threading.Event()

    def work(self, name: str) -> str:
        assert self.gate.wait(20)
        self.order.append(name)
        return name


def play(script: Callable[[Turns[str], ThreadPoolExecutor, Desk], Coroutine[Any, Any, None]], most: int = 100) -> Desk:
    desk = Desk()

    async def run() -> None:
        turns: Turns[str] = Turns(1, most)
        with ThreadPoolExecutor(1) as pool:
            try:
                await asyncio.wait_for(script(turns, pool, desk), 20)
            finally:
                desk.gate.set()
        assert turns.open == 0
        assert not turns._rows

    asyncio.run(run())
    return desk


def test_addresses_take_turns_and_the_newest_of_each_comes_first() -> None:
    async def script(turns: Turns[str], pool: ThreadPoolExecutor, desk: Desk) -> None:
        names = ["a1", "a2", "a3", "a4", "b1", "c1", "b2"]
        tasks = [asyncio.create_task(turns.run(pool, name[0], partial(desk.work, name))) for name in names]
        await asyncio.sleep(0)
        desk.gate.set()
        assert await asyncio.gather(*tasks) == names

    assert play(script).order == ["a1", "a4", "b2", "c1", "a3", "b1", "a2"]


def test_without_room_the_address_with_most_gives_way() -> None:
    async def script(turns: Turns[str], pool: ThreadPoolExecutor, desk: Desk) -> None:
        flood = [asyncio.create_task(turns.run(pool, "a", partial(desk.work, f"a{n}"))) for n in range(5)]
        await asyncio.sleep(0)
        assert await flood[4] is None  # there is room for four, and no address has more than this one
        other = asyncio.create_task(turns.run(pool, "b", partial(desk.work, "b")))
        assert await flood[1] is None  # the oldest that does not run yet
        desk.gate.set()
        assert await asyncio.gather(flood[0], flood[2], flood[3], other) == ["a0", "a2", "a3", "b"]

    assert play(script, 4).order == ["a0", "a3", "b", "a2"]


def test_a_client_that_has_gone_takes_no_turn() -> None:
    async def script(turns: Turns[str], pool: ThreadPoolExecutor, desk: Desk) -> None:
        tasks = [asyncio.create_task(turns.run(pool, "a", partial(desk.work, f"a{n}"))) for n in range(3)]
        await asyncio.sleep(0)
        for gone in (tasks[0], tasks[1]):
            gone.cancel()
        await asyncio.sleep(0)
        assert turns.open == 2  # one runs already
        desk.gate.set()
        assert await tasks[2] == "a2"

    assert play(script).order == ["a0", "a2"]


def test_an_error_goes_to_the_client_that_caused_it() -> None:
    def fail() -> str:
        raise ValueError("broken")

    async def script(turns: Turns[str], pool: ThreadPoolExecutor, desk: Desk) -> None:
        desk.gate.set()
        with pytest.raises(ValueError, match="broken"):
            await turns.run(pool, "a", fail)
        assert await turns.run(pool, "a", partial(desk.work, "next")) == "next"

    play(script)


@pytest.mark.parametrize(
    ("remote", "same"),
    [
        ("10.0.0.5:1883", "10.0.0.5"),
        ("[2001:db8:1:2:aaaa::1]:5", "2001:0db8:0001:0002"),
        ("[2001:db8:1:2:bbbb::9]:7", "2001:0db8:0001:0002"),
        ("[fe80::1%eth0]:5", "fe80:0000:0000:0000"),
        ("[odd]:1", "[odd]"),
        ("local", "local"),
        ("memory:3", "memory"),
    ],
)
def test_who_takes_turns_as_one(remote: str, same: str) -> None:
    assert neighbourhood(remote) == same

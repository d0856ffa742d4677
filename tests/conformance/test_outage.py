# SPDX-License-Identifier: MIT
"""Many cases share one restart: it happens when all of them wait for it, whatever becomes of the others."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from mqtt_conformance.outage import Outage
from mqtt_conformance.profile import Profile, ProfileError
from mqtt_conformance.target import Target


class Counted(Profile):
    def __init__(self, error: str = "") -> None:
        super().__init__(commands={"kill": ""})
        self.ran: list[str] = []
        self.error = error

    async def command(self, name: str, settings: Mapping[str, object] | None = None) -> None:
        self.ran.append(name)
        await asyncio.sleep(0)
        if self.error:
            raise ProfileError(self.error)


class Reached(Target):
    async def ready(self, within: float = 30.0) -> None:
        """Nothing has to start."""


def outage(members: int, error: str = "") -> tuple[Outage, Counted]:
    profile = Counted(error)
    return Outage(profile, Reached("mqtt://127.0.0.1:1"), "kill", members), profile


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_it_happens_when_the_last_one_waits() -> None:
    async def run() -> None:
        shared, profile = outage(3)
        first = [asyncio.ensure_future(shared.wait()) for _ in range(2)]
        await settled()
        assert profile.ran == []
        await shared.wait()
        assert profile.ran == ["kill"]
        await asyncio.gather(*first)

    asyncio.run(run())


def test_nobody_waits_for_a_case_that_has_ended() -> None:
    async def run() -> None:
        shared, profile = outage(3)
        shared.leave()
        waiting = asyncio.ensure_future(shared.wait())
        await settled()
        assert profile.ran == []
        shared.leave()
        await waiting
        assert profile.ran == ["kill"]
        shared.leave()
        await settled()
        assert profile.ran == ["kill"]

    asyncio.run(run())


def test_a_case_that_gives_up_counts_no_longer() -> None:
    async def run() -> None:
        shared, profile = outage(3)
        one, other = (asyncio.ensure_future(shared.wait()) for _ in range(2))
        await settled()
        one.cancel()
        await settled()
        shared.leave()
        await settled()
        assert profile.ran == []  # the third has not come yet
        await shared.wait()
        await other
        assert profile.ran == ["kill"]

    asyncio.run(run())


def test_there_can_be_several() -> None:
    async def run() -> None:
        shared, profile = outage(2)

        async def member(times: int) -> None:
            for _ in range(times):
                await shared.wait()
            shared.leave()

        await asyncio.gather(member(3), member(1))
        assert profile.ran == ["kill"] * 3

    asyncio.run(run())


def test_all_are_told_that_it_failed() -> None:
    async def run() -> None:
        shared, profile = outage(2, "no such program")
        results = await asyncio.gather(shared.wait(), shared.wait(), return_exceptions=True)
        assert [type(result) for result in results] == [ProfileError] * 2
        assert profile.ran == ["kill"]
        profile.error = ""
        await asyncio.gather(shared.wait(), shared.wait())

    asyncio.run(run())

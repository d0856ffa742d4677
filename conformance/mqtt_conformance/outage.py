# SPDX-License-Identifier: MIT
"""One restart of the broker for many cases: it happens when all of them wait for it."""

from __future__ import annotations

import asyncio

from mqtt_conformance.profile import Profile
from mqtt_conformance.target import Target

__all__ = ["Outage"]


class Outage:
    """Lets `members` cases share each restart. A case waits for it, or leaves when it ends.

    So a broker that takes seconds to start is restarted once for all cases, not once for each of them.
    """

    def __init__(self, profile: Profile, target: Target, command: str, members: int) -> None:
        self._profile = profile
        self._target = target
        self._command = command
        self._members = members
        self._waiting = 0
        self._over = asyncio.Event()
        self._error: BaseException | None = None
        self._happening: asyncio.Task[None] | None = None

    async def wait(self) -> None:
        """Wait until the broker has been restarted and accepts connections again.

        Raises:
            ProfileError: the profile's command failed.
            TargetError: the broker does not accept connections again.
        """
        over = self._over
        self._waiting += 1
        self._look()
        try:
            await over.wait()
        except asyncio.CancelledError:
            if over is self._over and self._happening is None:
                self._waiting -= 1
            raise
        if self._error is not None:
            raise self._error

    def leave(self) -> None:
        """A case has ended: the others no longer wait for it."""
        self._members -= 1
        self._look()

    def _look(self) -> None:
        if self._happening is None and self._waiting and self._waiting >= self._members:
            self._happening = asyncio.create_task(self._happen())

    async def _happen(self) -> None:
        self._error = None
        try:
            await self._profile.command(self._command)
            await self._target.ready()
        except Exception as error:
            self._error = error
        over, self._over = self._over, asyncio.Event()
        self._waiting = 0
        self._happening = None
        over.set()

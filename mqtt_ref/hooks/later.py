# SPDX-License-Identifier: MIT
"""Runs `async def` handlers as tasks, limited in number and in time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Coroutine
from typing import Any, Final

from mqtt_ref.hooks.chain import Handler

__all__ = ["MOST", "Later"]

LOG = logging.getLogger("mqtt_ref.hooks")
MOST: Final = 1024
"""Maximum number of unfinished tasks. Above it, notifications are skipped."""


class Later:
    """The tasks of one server. No task can run before `begin`."""

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self.skipped = 0
        """Number of skipped notifications: too many tasks were unfinished, or the server did not run."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Run tasks on this loop from now on."""
        self._loop = loop

    def tell(self, handler: Handler, args: tuple[Any, ...]) -> None:
        """Call a handler in a task, without waiting for it; skip it if too many tasks are unfinished."""
        if self._loop is None or len(self._tasks) >= MOST:
            self.skipped += 1
            if self.skipped == 1 or self.skipped % 1000 == 0:
                why = "the server does not run" if self._loop is None else f"{MOST} tasks are unfinished"
                LOG.error("hook %s was not notified of %s: %s", handler.id, handler.event, why)
            return
        self.start(self._tell(handler, args))

    async def _tell(self, handler: Handler, args: tuple[Any, ...]) -> None:
        await self.call(handler, args)

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start a task. It runs until it is finished, or until `end` cancels it."""
        assert self._loop is not None
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def call(self, handler: Handler, args: tuple[Any, ...]) -> Any:
        """Call a handler, wait for it at most `timeout` seconds, and log what it raises."""
        try:
            answer = handler.call(*args)
            if handler.waits:
                return await self.within(handler, answer)
        except TimeoutError:
            pass
        except Exception as error:
            handler.failed(error)
        return None

    async def within(self, handler: Handler, answer: Awaitable[Any]) -> Any:
        """Wait at most `timeout` seconds for the answer of a handler.

        Raises:
            TimeoutError: there was no answer in time; this is logged.
            RuntimeError: the handler itself raised a TimeoutError.
        """
        limit = asyncio.timeout(self.timeout)
        try:
            async with limit:
                return await answer
        except TimeoutError as error:
            if not limit.expired():
                raise RuntimeError("the handler itself raised a TimeoutError") from error
            handler.late(self.timeout)
            raise

    async def end(self, grace: float) -> None:
        """Give the running tasks `grace` seconds to finish, then cancel them."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace)
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace)
        self._loop = None

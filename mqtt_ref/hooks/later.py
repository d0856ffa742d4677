# SPDX-License-Identifier: MIT
"""What handlers that are `async def` do meanwhile: a bounded number of tasks, each bounded in time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Coroutine
from typing import Any, Final

from mqtt_ref.hooks.chain import Handler

__all__ = ["MOST", "Later"]

LOG = logging.getLogger("mqtt_ref.hooks")
MOST: Final = 1024
"""Handlers that are told something and have not finished; beyond it, what happens is told to no more of them."""


class Later:
    """The tasks of one server. Without a loop, which is before it starts, nothing can be done later."""

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self.skipped = 0
        """Events that a handler was not told of, since too many had not finished."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Tasks run on this loop from now on."""
        self._loop = loop

    def tell(self, handler: Handler, args: tuple[Any, ...]) -> None:
        """Let a handler be told; nobody waits for it."""
        if self._loop is None or len(self._tasks) >= MOST:
            self.skipped += 1
            if self.skipped == 1 or self.skipped % 1000 == 0:
                why = "the server does not run" if self._loop is None else f"{MOST} of its kind have not finished"
                LOG.error("hook %s was not told %s: %s", handler.id, handler.event, why)
            return
        self.start(self._tell(handler, args))

    async def _tell(self, handler: Handler, args: tuple[Any, ...]) -> None:
        await self.call(handler, args)

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something to its end, or to the end of the server."""
        assert self._loop is not None
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def call(self, handler: Handler, args: tuple[Any, ...]) -> Any:
        """Call a handler, wait for it as long as there is time, and log what it raises."""
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
        """What a handler answers in time.

        Raises:
            TimeoutError: it did not; that is logged.
        """
        limit = asyncio.timeout(self.timeout)
        try:
            async with limit:
                return await answer
        except TimeoutError as error:
            if not limit.expired():
                raise RuntimeError("a time limit of its own has passed") from error
            handler.late(self.timeout)
            raise

    async def end(self, grace: float) -> None:
        """Let what has begun come to its end for a while; then cancel it."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace)
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace)
        self._loop = None

# SPDX-License-Identifier: MIT
"""Shares the threads that check passwords: addresses take turns, so that one of them cannot keep the others out."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from typing import Final, Generic, TypeVar

__all__ = ["Turns", "neighbourhood"]

T = TypeVar("T")
_NETWORK_V6: Final = 4
"""Groups of an IPv6 address that name the network: its clients choose the rest themselves."""


def neighbourhood(remote: str) -> str:
    """Return what clients share whose logins take turns as one: the IPv4 address, or the /64 network of IPv6."""
    host = remote.rpartition(":")[0] or remote
    if not host.startswith("["):
        return host
    from ipaddress import IPv6Address

    try:
        groups = IPv6Address(host.strip("[]").partition("%")[0]).exploded.split(":")
    except ValueError:
        return host
    return ":".join(groups[:_NETWORK_V6])


class _Job(Generic[T]):
    __slots__ = ("done", "work")

    def __init__(self, work: Callable[[], T], done: asyncio.Future[T | None]) -> None:
        self.work = work
        self.done = done


class Turns(Generic[T]):
    """Runs work in `workers` threads. At most `most` pieces of work are open: they wait or run.

    Addresses with waiting work take turns. Of one address the newest work comes first: in a flood, the clients that
    have waited for long get no answer in time anyway. If there is no room, the address that has most work waiting gives
    way. Everything but the work itself happens in one event loop.
    """

    def __init__(self, workers: int, most: int) -> None:
        self.open = 0
        """Number of pieces of work that wait or run."""
        self.most = most
        self._workers = workers
        self._running = 0
        self._rows: OrderedDict[str, deque[_Job[T]]] = OrderedDict()
        """By address, in the order of their turns: waiting work, the oldest first."""

    async def run(self, pool: Executor, address: str, work: Callable[[], T]) -> T | None:
        """Run `work` in a thread when its turn comes. None: there is no room for it."""
        if self.open >= self.most and not self._make_room(address):
            return None
        job = _Job(work, asyncio.get_running_loop().create_future())
        self._rows.setdefault(address, deque()).append(job)
        self.open += 1
        self._begin(pool)
        try:
            return await job.done
        except asyncio.CancelledError:
            self._withdraw(address, job)
            raise

    def _make_room(self, address: str) -> bool:
        """Give up the oldest waiting work of the address that has most, if that is another one. True if it is."""
        longest = max(self._rows, key=lambda one: len(self._rows[one]), default=address)
        if len(self._rows.get(longest, ())) <= len(self._rows.get(address, ())):
            return False
        job = self._rows[longest][0]
        self._withdraw(longest, job)
        if not job.done.done():
            job.done.set_result(None)
        return True

    def _withdraw(self, address: str, job: _Job[T]) -> None:
        """Remove work that waits. What runs already goes on, and its result is lost."""
        row = self._rows.get(address)
        if row is not None and job in row:
            row.remove(job)
            self.open -= 1
            if not row:
                del self._rows[address]

    def _begin(self, pool: Executor) -> None:
        """Start waiting work as long as a thread is free."""
        while self._running < self._workers and self._rows:
            address, row = self._rows.popitem(last=False)
            job = row.pop()
            if row:
                self._rows[address] = row
            self._running += 1
            running = asyncio.get_running_loop().run_in_executor(pool, job.work)
            running.add_done_callback(partial(self._finish, pool, job))

    def _finish(self, pool: Executor, job: _Job[T], running: asyncio.Future[T]) -> None:
        self._running -= 1
        self.open -= 1
        if running.cancelled():  # the server stops
            job.done.cancel()
            return
        error = running.exception()
        if not job.done.done():
            if error is None:
                job.done.set_result(running.result())
            else:
                job.done.set_exception(error)
        self._begin(pool)

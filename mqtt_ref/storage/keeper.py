# SPDX-License-Identifier: MIT
"""The store of a running server: loads it at the start, writes batches, and decides what a failed write leads to."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable
from itertools import islice
from time import monotonic
from typing import TYPE_CHECKING, Final, Literal

from mqtt_ref.log import Throttle
from mqtt_ref.storage.writer import Writer

if TYPE_CHECKING:
    from mqtt_ref.broker.recovery import Restorer
    from mqtt_ref.engine.effects import Commit, Read
    from mqtt_ref.net.driver import Driver
    from mqtt_ref.ports import Storage

__all__ = ["Keeper"]

LOG = logging.getLogger("mqtt_ref.storage")
CHUNK: Final = 2000
"""Records that are restored before the event loop gets a turn."""
REPORT: Final = 5.0
"""Seconds between two lines about a load that takes long."""
RETRY: Final = 1.0
"""Seconds until a store that failed is tried again."""
PATIENCE: Final = 10.0
"""Seconds that the last writes may take when the server stops."""


class Keeper:
    """Stands between a driver and a store.

    When a write fails, the connections that waited for it are closed. Then, with `refuse`, the broker refuses what
    needs the store, and the store is tried again each second with the state of the sessions that the write concerned.
    With `stop`, `end` is called once.
    """

    def __init__(
        self,
        storage: Storage,
        driver: Driver,
        on_failure: Literal["refuse", "stop"],
        end: Callable[[OSError], object],
    ) -> None:
        self._storage = storage
        self._driver = driver
        self._on_failure = on_failure
        self._end = end
        self._writer: Writer | None = None
        self._open = False
        self._settled = asyncio.Event()
        self._retrying: asyncio.TimerHandle | None = None
        self._ended = False
        self._lines = Throttle(LOG.error, 1)
        driver.on_commit = driver.on_read = self._put
        driver.on_stored = self._stored

    async def open(self, loaded: bool) -> None:
        """Open the store, and restore what it holds unless the broker has `loaded` it before.

        Raises:
            OSError: the store cannot be used, or a part of it cannot be read.
        """
        await asyncio.to_thread(self._storage.open)
        self._open = True
        if not loaded:
            await self._load()
        self._writer = Writer(self._storage, self._driver.loop, self._driver.stored, self._driver.read_back)

    async def _load(self) -> None:
        broker = self._driver.broker
        assert broker.journal is not None
        # Nothing of what is loaded is garbage, and looking for it takes longer with each record.
        collecting = gc.isenabled()
        gc.disable()
        try:
            await self._restore(broker.restorer(self._driver.now(), broker.journal.utc_offset))
        finally:
            if not gc.get_freeze_count():
                # Now all objects count as old. Otherwise the next collection of young ones would look at each of them.
                gc.freeze()
                gc.unfreeze()
            if collecting:
                gc.enable()

    async def _restore(self, restorer: Restorer) -> None:
        records = iter(self._storage.load())
        count = 0
        begun = said = monotonic()
        while True:
            some = list(islice(records, CHUNK))
            if not some:
                break
            restorer.run(some)
            count += len(some)
            if monotonic() - said > REPORT:
                said = monotonic()
                LOG.warning("loading the store: %d records in %.0f s so far", count, said - begun)
            await asyncio.sleep(0)
        LOG.info("loaded %d records from the store in %.1f s", count, monotonic() - begun)

    def _put(self, effect: Commit | Read) -> None:
        if self._writer is not None:
            self._writer.put(effect)

    def _stored(self, error: OSError | None) -> None:
        self._settled.set()
        if error is None:
            return
        if self._lines.passes(self._driver.now()):
            LOG.error("the store failed: %s", error)
        if self._on_failure == "stop":
            if not self._ended:
                self._ended = True
                self._end(error)
        elif self._retrying is None:
            self._retrying = self._driver.loop.call_later(RETRY, self._retry)

    def _retry(self) -> None:
        self._retrying = None
        broker = self._driver.broker
        journal, backlogs = broker.journal, broker.backlogs
        assert journal is not None
        if backlogs is not None:
            backlogs.retry()
        journal.retry()
        self._driver.schedule()
        if journal.owed or journal.under_way or (backlogs is not None and backlogs.owed):
            self._retrying = self._driver.loop.call_later(RETRY, self._retry)

    async def close(self) -> None:
        """Write what is left, and close the store. What cannot be written in time is logged."""
        if self._retrying is not None:
            self._retrying.cancel()
        if self._writer is not None:
            await self._drain()
            self._driver.on_commit = self._driver.on_read = None
            await asyncio.to_thread(self._writer.close)
        if self._open:
            await asyncio.to_thread(self._storage.close)

    async def _drain(self) -> None:
        broker = self._driver.broker
        journal = broker.journal
        assert journal is not None
        if broker.options.restore_sys_info:
            journal.totals()
        if not self._ended:
            journal.retry()
        until = monotonic() + PATIENCE
        while journal.records or journal.under_way:
            self._settled.clear()
            self._driver.flush()
            if not journal.under_way:
                continue
            try:
                await asyncio.wait_for(self._settled.wait(), until - monotonic())
            except TimeoutError:
                LOG.error("the store did not take the last writes within %g s", PATIENCE)
                return
        if journal.owed:
            LOG.error("what the store did not take is lost: nothing that was acknowledged, but the end of sessions")

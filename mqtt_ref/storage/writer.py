# SPDX-License-Identifier: MIT
"""The thread that commits batches: those that came while the last write ran are written together."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING

from mqtt_ref.storage.port import StoreError

if TYPE_CHECKING:
    from mqtt_ref.engine.effects import Commit
    from mqtt_ref.ports import Record, Storage

__all__ = ["Writer"]

LOG = logging.getLogger("mqtt_ref.storage")


class Writer:
    """Commits what `put` is given, in a thread of its own. `answer` is called on the loop for each write.

    `answer(batches, error)` gets the numbers of the batches that were written together, and why they were not stored,
    or None.
    """

    def __init__(
        self,
        storage: Storage,
        loop: asyncio.AbstractEventLoop,
        answer: Callable[[Sequence[int], OSError | None], object],
    ) -> None:
        self._storage = storage
        self._loop = loop
        self._answer = answer
        self._queue: SimpleQueue[Commit | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="mqtt_ref store", daemon=True)
        self._thread.start()

    def put(self, commit: Commit) -> None:
        """Commit a batch. Returns at once."""
        self._queue.put(commit)

    def close(self) -> None:
        """Commit what was put, and end the thread. Waits for it."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        queue = self._queue
        while True:
            commit = queue.get()
            if commit is None:
                return
            group = [commit]
            last = False
            while not queue.empty():
                following = queue.get()
                if following is None:
                    last = True
                    break
                group.append(following)
            self._write(group)
            if last:
                return

    def _write(self, group: list[Commit]) -> None:
        records: Sequence[Record] = group[0].records  # type: ignore[assignment]
        if len(group) > 1:
            records = [record for commit in group for record in commit.records]  # type: ignore[misc]
        batches = [commit.batch for commit in group]
        error: OSError | None = None
        try:
            self._storage.commit(batches[-1], records)
        except OSError as failure:
            error = failure
        except Exception as failure:  # a store of somebody else
            LOG.exception("the store failed with an error that it should not raise")
            error = StoreError(f"{type(failure).__name__}: {failure}")
        with suppress(RuntimeError):  # the loop was closed
            self._loop.call_soon_threadsafe(self._answer, batches, error)

# SPDX-License-Identifier: MIT
"""The thread that a store runs in. Batches that came while the last write ran are written together."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING, cast

from mqtt_ref.engine.effects import Commit, Read
from mqtt_ref.storage.port import StoreError

if TYPE_CHECKING:
    from mqtt_ref.ports import PagedStorage, QueuePut, Record, Storage

__all__ = ["Writer"]

LOG = logging.getLogger("mqtt_ref.storage")


class Writer:
    """Commits and reads what `put` is given, in this order and in a thread of its own. The answers come on the loop.

    `answer(batches, error)` gets the numbers of the batches that were written together, and why they were not stored,
    or None. `read(number, records)` gets what was read, or the error.
    """

    def __init__(
        self,
        storage: Storage,
        loop: asyncio.AbstractEventLoop,
        answer: Callable[[Sequence[int], OSError | None], object],
        read: Callable[[int, Sequence[QueuePut] | OSError], object],
    ) -> None:
        self._storage = storage
        self._loop = loop
        self._answer = answer
        self._read_back = read
        self._queue: SimpleQueue[Commit | Read | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="mqtt_ref store", daemon=True)
        self._thread.start()

    def put(self, effect: Commit | Read) -> None:
        """Commit a batch, or read. Returns at once."""
        self._queue.put(effect)

    def close(self) -> None:
        """Do what was put, and end the thread. Waits for it."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        queue = self._queue
        group: list[Commit] = []
        while True:
            effect = queue.get()
            if isinstance(effect, Commit):
                group.append(effect)
                if not queue.empty():
                    continue
            if group:
                self._write(group)
                group = []
            if effect is None:
                return
            if isinstance(effect, Read):
                self._read(effect)

    def _write(self, group: list[Commit]) -> None:
        records: Sequence[Record] = group[0].records  # type: ignore[assignment]
        if len(group) > 1:
            records = [record for commit in group for record in commit.records]  # type: ignore[misc]
        batches = [commit.batch for commit in group]
        error: OSError | None = None
        try:
            self._storage.commit(batches[-1], records)
        except Exception as failure:
            error = _os_error(failure)
        self._tell(self._answer, batches, error)

    def _read(self, read: Read) -> None:
        answer: Sequence[QueuePut] | OSError
        storage = cast("PagedStorage", self._storage)
        try:
            answer = storage.load_queue(read.client_id, read.after, read.messages, read.size)
        except Exception as failure:
            answer = _os_error(failure)
        self._tell(self._read_back, read.number, answer)

    def _tell(self, call: Callable[..., object], *arguments: object) -> None:
        with suppress(RuntimeError):  # the loop was closed
            self._loop.call_soon_threadsafe(call, *arguments)


def _os_error(failure: Exception) -> OSError:
    if isinstance(failure, OSError):
        return failure
    # a store from outside this package
    LOG.error("the store failed with an error that it should not raise", exc_info=failure)
    return StoreError(f"{type(failure).__name__}: {failure}")

# SPDX-License-Identifier: MIT
"""A program with a broker in it whose store kills the program at a point, or lies.

It prints the address of the broker. `--control` is a file of two numbers, shared with the test: which of `POINTS` it
is, and how many times it is still passed. `--lie KIND` drops records of that kind and says that they are stored.
"""

from __future__ import annotations

import argparse
import asyncio
import mmap
import os
import signal
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from mqtt_ref import AllowAll, Server
from mqtt_ref.ports import (
    InflightDelete,
    InflightPut,
    QueueDelete,
    QueuePut,
    ReceivedPut,
    Record,
    RetainedDelete,
    RetainedPut,
    SessionPut,
    SubscriptionDelete,
    SubscriptionPut,
)
from mqtt_ref.storage.url import store_at

__all__ = ["LIES", "POINTS", "Control", "Deadly"]

POINTS: Final = ("before the write", "between write and commit", "after the commit")
LIES: Final[dict[str, tuple[type, ...]]] = {
    "everything": (),
    "messages": (QueuePut, InflightPut),
    "deliveries": (InflightDelete, QueueDelete),
    "received": (ReceivedPut,),
    "retained": (RetainedPut, RetainedDelete),
    "sessions": (SessionPut,),
    "subscriptions": (SubscriptionPut,),
    "unsubscriptions": (SubscriptionDelete,),
}
"""What is dropped although it was said to be stored."""


class Control:
    """Two numbers that test and child share."""

    SHAPE: Final = struct.Struct("=ii")

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.exists():
            path.write_bytes(bytes(self.SHAPE.size))
        with path.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), self.SHAPE.size)

    def arm(self, point: str, nth: int) -> None:
        """Kill at the `nth` time that this point is passed."""
        self._shared[:] = self.SHAPE.pack(POINTS.index(point), nth)

    def lie(self, on: bool) -> None:
        """Have the store lie, or have it be honest."""
        self._shared[:] = self.SHAPE.pack(0, -1 if on else 0)

    @property
    def lying(self) -> bool:
        """True while the store is to lie."""
        return bool(self.SHAPE.unpack(self._shared[:])[1] < 0)

    def passing(self, point: str) -> None:
        """A point is passed."""
        which, left = self.SHAPE.unpack(self._shared[:])
        if left <= 0 or POINTS[which] != point:
            return
        self._shared[4:] = struct.pack("=i", left - 1)
        if left == 1:
            os.kill(os.getpid(), signal.SIGKILL)

    def close(self) -> None:
        """Let go of the shared memory."""
        self._shared.close()


class Deadly:
    """A store around another one: kills the process at a point, or drops what it is given."""

    def __init__(self, inner: Any, control: Control, lie: str = "") -> None:
        self.inner = inner
        self.control = control
        self.lie = lie
        inner.back_end.passing = control.passing

    def open(self) -> None:
        self.inner.open()

    def load(self) -> Iterable[Record]:
        return self.inner.load()  # type: ignore[no-any-return]

    def commit(self, batch: int, records: Sequence[Record]) -> None:
        self.control.passing("before the write")
        if self.lie and self.control.lying:
            kinds = LIES[self.lie]
            records = [one for one in records if not isinstance(one, kinds)] if kinds else []
        self.inner.commit(batch, records)
        self.control.passing("after the commit")

    def close(self) -> None:
        self.inner.close()


async def main(store: str, durability: Any, control: Control, lie: str) -> None:
    """Run until killed."""
    async with Server(hooks=[AllowAll()], storage=Deadly(store_at(store, durability), control, lie)) as server:
        print(server.url, flush=True)
        await server.stopped.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--store", required=True)
    parser.add_argument("--durability", required=True)
    parser.add_argument("--control", required=True, type=Path)
    parser.add_argument("--lie", default="")
    wish = parser.parse_args()
    asyncio.run(main(wish.store, wish.durability, Control(wish.control), wish.lie))

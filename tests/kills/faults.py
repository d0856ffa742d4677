# SPDX-License-Identifier: MIT
"""The preloaded library that spoils what a process does to its files, and the disk as a power failure leaves it."""

from __future__ import annotations

import mmap
import random
import shutil
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

__all__ = [
    "ANY",
    "CUTS",
    "FAIL",
    "KILL_AFTER",
    "KILL_AMID",
    "KILL_BEFORE",
    "RENAME",
    "SYNC",
    "TRUNCATE",
    "UNLINK",
    "WRITE",
    "Cut",
    "Shim",
    "build",
    "copied",
    "power_failure",
]

SOURCE: Final = Path(__file__).with_name("shim.c")
WRITE, SYNC, RENAME, UNLINK, TRUNCATE, SYNC_FAILED, SYNCED_WRITE = 1, 2, 4, 8, 16, 32, 64
ANY: Final = WRITE | SYNC | RENAME | UNLINK | TRUNCATE
NOTHING, KILL_BEFORE, KILL_AFTER, KILL_AMID, FAIL = range(5)
CONTROL: Final = struct.Struct("=7i64s")
NOTE: Final = struct.Struct("=IIQQ")
SECTOR: Final = 512
"""Bytes that a disk writes as one."""
CUTS: Final = ("lost", "torn", "some")
"""What is left of what was not synced: nothing; the beginning, to somewhere in a write; some sectors, in any order."""


def build(folder: Path) -> Path:
    """Compile the library.

    Raises:
        OSError: there is no gcc.
    """
    library = folder / "shim.so"
    subprocess.run(
        ["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-lpthread"],
        check=True,
    )
    return library


class Shim:
    """The library in one process: `environment` loads it there, `arm` says what it does."""

    def __init__(self, library: Path, root: Path, scratch: Path) -> None:
        self.root = root.resolve()
        self.log = scratch / f"{root.name}.log"
        self.log.unlink(missing_ok=True)
        self._path = scratch / f"{root.name}.control"
        self._path.write_bytes(bytes(CONTROL.size))
        self._library = library
        with self._path.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), CONTROL.size)

    def environment(self, *, noted: bool) -> dict[str, str]:
        """The variables that load the library; `noted` has it note all operations in `log`."""
        return {
            "LD_PRELOAD": str(self._library),
            "SHIM_ROOT": str(self.root),
            "SHIM_CONTROL": str(self._path),
            "SHIM_LOG": str(self.log) if noted else "",
        }

    def arm(self, action: int, on: int, nth: int, *, times: int = -1, error: int = 0, text: str = "") -> None:
        """At the `nth` operation of the kinds `on` on a path with `text` in it, do this."""
        self._shared[:] = CONTROL.pack(NOTHING, 0, 0, 0, 0, 0, 0, b"")
        self._shared[4:] = CONTROL.pack(NOTHING, on, nth, times, error, 0, 0, text.encode())[4:]
        self._shared[:4] = struct.pack("=i", action)

    def disarm(self) -> None:
        """Do nothing more."""
        self._shared[:4] = struct.pack("=i", NOTHING)

    @property
    def hits(self) -> int:
        """How often it did something since `arm`."""
        return int(CONTROL.unpack(self._shared[:])[5])

    @property
    def seen(self) -> int:
        """How many operations it counted since `arm`."""
        return int(CONTROL.unpack(self._shared[:])[6])

    def close(self) -> None:
        """Let go of the shared memory."""
        self._shared.close()


@dataclass
class Cut:
    """What a power failure took."""

    writes: int = 0
    """Writes that were not synced."""
    lost: int = 0
    """Those of which nothing is left."""
    torn: int = 0
    """Those of which a part is left."""
    files: set[str] = field(default_factory=set)
    """The files concerned."""


@dataclass
class _File:
    durable: bytearray
    pending: list[tuple[int, bytes]] = field(default_factory=list)
    noted: bool = False
    synced: bool = False


def _notes(log: Path) -> Iterator[tuple[int, str, int, bytes]]:
    data = log.read_bytes() if log.exists() else b""
    at = 0
    while at + NOTE.size <= len(data):
        kind, path_size, offset, size = NOTE.unpack_from(data, at)
        at += NOTE.size
        path = data[at : at + path_size].decode()
        at += path_size
        more = b""
        if kind in (WRITE, SYNCED_WRITE, RENAME):
            more = data[at : at + size]
            if len(more) < size:
                return  # killed while this was noted
            at += size
        yield kind, path, offset, more


def _put(content: bytearray, offset: int, data: bytes) -> None:
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


def power_failure(root: Path, before: Path, log: Path, how: str, rng: random.Random) -> Cut:
    """Put the folder `root` in the state after a power failure at the end of the notes.

    `before` is a copy of the folder from when the notes begin. What was synced is there; of what was written after the
    last sync of its file, `how` says what is there. A write that a failed sync was to make durable is lost, also if a
    later sync succeeds: the system keeps it no longer. Names and lengths are as durable as the order of the calls.
    """
    cut = Cut()
    files: dict[str, _File] = {}
    for path in before.rglob("*"):
        if path.is_file() and not path.is_symlink():
            files[str(path.relative_to(before))] = _File(bytearray(path.read_bytes()))
    for kind, path, offset, more in _notes(log):
        if kind == RENAME:
            if path in files:
                files[more.decode()] = files.pop(path)
            continue
        if kind == UNLINK:
            files.pop(path, None)
            continue
        file = files.setdefault(path, _File(bytearray()))
        if kind == WRITE:
            file.noted = True
            file.pending.append((offset, more))
        elif kind == SYNCED_WRITE:
            file.noted = True
            _put(file.durable, offset, more)
        elif kind == SYNC:
            for at, data in file.pending:
                _put(file.durable, at, data)
            file.pending.clear()
            file.synced = True
        elif kind == SYNC_FAILED:
            cut.writes += len(file.pending)
            cut.lost += len(file.pending)
            cut.files.update([path] if file.pending else [])
            file.pending.clear()
        elif kind == TRUNCATE:
            del file.durable[offset:]
            if len(file.durable) < offset:
                file.durable.extend(bytes(offset - len(file.durable)))
            file.pending = [(at, data[: max(0, offset - at)]) for at, data in file.pending if at < offset]
    for name, file in files.items():
        if file.pending:
            cut.writes += len(file.pending)
            cut.files.add(name)
            _leave(file, how, rng, cut)
    # Files that were written with functions of the C library itself (a dump of Redis) are not noted, only synced.
    present = {str(path.relative_to(root)): path for path in root.rglob("*") if path.is_file()}
    for name, path in present.items():
        if name not in files:
            path.unlink()
    for name, file in files.items():
        target = root / name
        if target.is_dir():  # a folder that was synced
            continue
        if name in present and not file.noted and file.synced:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.durable)
    return cut


def _leave(file: _File, how: str, rng: random.Random, cut: Cut) -> None:
    """Of the writes that were not synced, leave what `how` says."""
    pending = file.pending
    if how == "lost":
        cut.lost += len(pending)
    elif how == "torn":
        whole = rng.randrange(len(pending))
        for at, data in pending[:whole]:
            _put(file.durable, at, data)
        at, data = pending[whole]
        size = rng.randrange(len(data) + 1)
        if at < len(file.durable):  # the disk writes whole sectors of what is there already
            size = max(0, (at + size) // SECTOR * SECTOR - at)
        _put(file.durable, at, data[:size])
        cut.torn += 0 < size < len(data)
        cut.lost += len(pending) - whole - (size > 0)
    else:
        for at, data in pending:
            left = 0
            start = 0
            while start < len(data):
                end = min(len(data), (at + start) // SECTOR * SECTOR + SECTOR - at)
                if rng.random() < 0.5:
                    _put(file.durable, at + start, data[start:end])
                    left += end - start
                start = end
            cut.lost += not left
            cut.torn += 0 < left < len(data)


def copied(folder: Path, target: Path) -> None:
    """Copy a folder, in place of what is there."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(folder, target)

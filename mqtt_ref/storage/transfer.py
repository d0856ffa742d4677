# SPDX-License-Identifier: MIT
"""Whole stores: counted, checked, copied, written to a file and read back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, Final, NamedTuple

from mqtt_ref.storage import lines
from mqtt_ref.storage import records as form
from mqtt_ref.storage.port import KeyValue, StoreError

__all__ = ["Contents", "TransferError", "check", "copy_store", "count", "export_lines", "import_lines"]

Progress = Callable[[int], object]
"""Called now and then with how much is done."""
CHUNK: Final = 2000
"""Pairs of one write."""


class TransferError(Exception):
    """What was read cannot be stored; the text says where it stopped."""


class Contents(NamedTuple):
    """How much a store holds."""

    sessions: int
    connected: int
    subscriptions: int
    queued: int
    inflight: int
    received: int
    shared: int
    retained: int


def count(back_end: KeyValue, progress: Progress) -> Contents:
    """Count what a store holds.

    Raises:
        StoreError: something in it is damaged.
    """
    kinds = [0] * 5
    connected = 0
    for done, (key, value) in enumerate(back_end.scan(form.SESSIONS), 1):
        size = 2 + key[1]
        kind = key[size]
        kinds[kind] += 1
        if kind == form.SESSION:
            connected += form.read_session(key, value, key[2:size]).connected
        if not done % CHUNK:
            progress(done)
    shared = sum(1 for _ in back_end.scan(form.COUNT))
    retained = sum(1 for _ in back_end.scan(form.RETAINED))
    return Contents(kinds[0], connected, kinds[1], kinds[3], kinds[2], kinds[4], shared, retained)


def check(back_end: KeyValue, progress: Progress) -> list[str]:
    """Return what is wrong with a store: its files, a value that cannot be read, what refers to nothing."""
    found = back_end.check()
    part = b""
    referred: dict[int, int] = {}
    for done, (key, value) in enumerate(back_end.scan(b""), 1):
        if not done % CHUNK:
            progress(done)
        try:
            part = _check_pair(key, value, part, referred, found)
        except (StoreError, IndexError) as error:
            found.append(str(error) if isinstance(error, StoreError) else f"key {key!r} is damaged")
    for key, value in back_end.scan(form.COUNT):
        ident = int.from_bytes(key[1:], "big")
        number = form.read_count(key, value)
        there = referred.pop(ident, 0)
        if number != there:
            found.append(f"message {ident} is waited for by {there}, and counted {number}; the broker corrects that")
        if not back_end.get([form.message_key(ident)]):
            found.append(f"message {ident} is missing, which {there} wait for")
    found += [f"message {ident} is missing, which {number} wait for" for ident, number in referred.items()]
    return found


def _check_pair(key: bytes, value: bytes, part: bytes, referred: dict[int, int], found: list[str]) -> bytes:
    """Look at one pair; returns what the keys of the session begin with that it belongs to."""
    first = key[:1]
    if first in (form.MESSAGE, form.RETAINED):
        form.read_message(key, value)
    elif first == form.COUNT:
        form.read_count(key, value)
    elif first == form.SESSIONS:
        size = 2 + key[1]
        kind = key[size]
        if kind == form.SESSION:
            form.read_session(key, value, key[2:size])
            return key[:size]
        if key[:size] != part:
            found.append(f"key {key!r} belongs to no session; the broker deletes it")
        if kind == form.SUBSCRIPTION:
            form.read_subscription(key, value, "", key[size + 1 :])
        elif kind in (form.INFLIGHT, form.QUEUE):
            ident = form.reference_of(key, value, kind)
            if ident:
                referred[ident] = referred.get(ident, 0) + 1
        elif kind != form.RECEIVED:
            found.append(f"key {key!r} is damaged")
    elif key == form.FORMAT_KEY:
        form.read_header(value)
    elif key == form.TOTALS_KEY:
        form.read_totals(value)
    else:
        found.append(f"key {key!r} is not of this format")
    return part


# -------------------------------------------------------------------- copies


@contextmanager
def _empty(target: KeyValue) -> Iterator[None]:
    """A store to be filled. Until the block has ended it is marked as unfinished, and no broker opens it.

    Raises:
        StoreError: it holds something already, other than what an earlier attempt has left.
    """
    target.open(write=True, create=True)
    try:
        if target.get([form.UNFINISHED_KEY]):
            _clear(target)
        elif any(key != form.FORMAT_KEY for key, _ in target.scan(b"")):
            raise StoreError(f"{target.name} holds something already; give a new place")
        target.write({form.UNFINISHED_KEY: b"1", form.FORMAT_KEY: form.header()})
        yield
        target.write({form.UNFINISHED_KEY: None})
    finally:
        target.close()


def _clear(target: KeyValue) -> None:
    while True:
        some = [key for key, _ in zip(_keys(target), range(CHUNK), strict=False)]
        if not some:
            return
        target.write(dict.fromkeys(some))


def _keys(target: KeyValue) -> Iterator[bytes]:
    return (key for key, _ in target.scan(b"") if key != form.UNFINISHED_KEY)


def _fill(target: KeyValue, pairs: Iterable[tuple[bytes, bytes]], progress: Progress) -> int:
    changes: dict[bytes, bytes | None] = {}
    done = 0
    try:
        for key, value in pairs:
            changes[key] = value
            if len(changes) >= CHUNK:
                target.write(changes)
                done += len(changes)
                changes = {}
                progress(done)
        target.write(changes)
    except StoreError as error:
        raise TransferError(f"stopped after {done} pairs: {error}. {target.name} is unfinished") from error
    return done + len(changes)


def copy_store(source: KeyValue, target: KeyValue, progress: Progress) -> int:
    """Copy everything from a store that is open into one that is not, and holds nothing. Returns how many pairs.

    Raises:
        StoreError: the target cannot be used.
        TransferError: it stopped in the middle. The source is as it was; the target is not used until it is filled.
    """
    with _empty(target):
        return _fill(target, (pair for pair in source.scan(b"") if pair[0] != form.FORMAT_KEY), progress)


def export_lines(source: KeyValue, file: BinaryIO, progress: Progress) -> int:
    """Write everything as JSON lines. Returns how many."""
    done = 0
    for line in lines.of_store(source):
        file.write(lines.write(line) + b"\n")
        done += 1
        if not done % CHUNK:
            progress(done)
    return done


def import_lines(file: Iterable[bytes], target: KeyValue, progress: Progress) -> int:
    """Fill a store that holds nothing from JSON lines. Returns how many pairs.

    Raises:
        StoreError: the target cannot be used.
        TransferError: a line is wrong, or the target is full. The target is not used until it is filled.
    """
    with _empty(target):
        return _fill(target, _pairs(file), progress)


def _pairs(file: Iterable[bytes]) -> Iterator[tuple[bytes, bytes]]:
    number = 0
    ended = False
    for number, data in enumerate(file, 1):
        if ended:
            raise TransferError(f"line {number}: something follows the end")
        try:
            line = lines.read(data)
            if number == 1:
                if not isinstance(line, lines.Header) or line.what != lines.WHAT:
                    raise ValueError("this is no export of a store: its first line is no header")
                if line.format != form.FORMAT:
                    raise ValueError(f"it has format {line.format}; this version reads format {form.FORMAT}")
            elif isinstance(line, lines.End):
                ended = True
                if line.lines != number - 1:
                    raise ValueError(f"it is the end of {line.lines} lines, and {number - 1} came")
            yield from lines.pairs(line)
        except ValueError as error:
            raise TransferError(f"line {number}: {error}") from error
    if not ended:
        raise TransferError(f"line {number + 1}: the end is missing; the file was cut off")

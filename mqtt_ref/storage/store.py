# SPDX-License-Identifier: MIT
"""The record layer: batches of records as changes of keys, in any back end."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from mqtt_ref.ports import (
    InflightDelete,
    InflightPut,
    QueueDelete,
    QueuePut,
    ReceivedDelete,
    ReceivedPut,
    Record,
    RetainedDelete,
    RetainedPut,
    SessionDelete,
    SessionPut,
    StoredMessage,
    SubscriptionDelete,
    SubscriptionPut,
    TotalsPut,
)
from mqtt_ref.storage import records as form
from mqtt_ref.storage.port import StoreError

if TYPE_CHECKING:
    from mqtt_ref.storage.port import KeyValue

__all__ = ["MIGRATIONS", "Migration", "Readable", "Store"]


class Readable(Protocol):
    """What a migration reads from."""

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Keys that begin with `prefix`, in the order of their bytes, with their values."""
        ...


LOG = logging.getLogger("mqtt_ref.storage")
Migration = Callable[[Readable], Mapping[bytes, bytes | None]]
MIGRATIONS: Final[dict[int, Migration]] = {}
"""By format: the changes that make the next format of it. All are made in one write, with the new header."""
REMEMBERED: Final = 100_000
"""Keys of queues and flights of which it is known what they refer to."""
READ: Final = 64
"""Messages of a queue that are read at once: they may be large."""
ABSENT: Final = -1
UNKNOWN: Final = 1 << 64
"""More than any identifier of a message."""


class _Changes:
    """What one write is going to change. A queue or flight is encoded at the end, when it is known who shares it."""

    def __init__(self) -> None:
        self.plain: dict[bytes, bytes | None] = {}
        self.waiting: dict[bytes, QueuePut | InflightPut | None] = {}
        self.unknown: list[bytes] = []
        """Keys of `waiting` that the store may have, with a value that is not known."""


class Store:
    """Keeps records in a back end; one at a time writes to it.

    A message that several sessions wait for is kept apart, once, with how many refer to it. One that a single session
    waits for is kept in the record of its queue or flight.
    """

    def __init__(self, back_end: KeyValue, migrations: Mapping[int, Migration] = MIGRATIONS) -> None:
        self.back_end = back_end
        self.name = back_end.name
        self._migrations = migrations
        self._parts: dict[str, bytes] = {}
        """What the keys of a client begin with."""
        self._known: dict[bytes, int] = {}
        """By key of a queue or flight: the message that it refers to, 0 if it has it itself, or ABSENT."""
        self._counts: dict[int, int] = {}
        """By message kept apart, or 0: how many refer to it."""
        self._newest = UNKNOWN
        """The greatest identifier of a message that was ever seen: of greater ones nothing is stored.

        Not known before a store that has something was loaded.
        """
        self._writable = False
        self._doubtful = False
        """True after a write that failed, although the back end may have made it."""

    # ---------------------------------------------------------------- open and close

    def open(self, *, write: bool = True, create: bool = True) -> None:
        """Open the store; an older format is migrated, in one write.

        Raises:
            StoreError: it is damaged, of something else, of a newer format, in use, or cannot be reached.
        """
        self._forget()
        self._writable = write
        self.back_end.open(write=write, create=create)
        try:
            self._check_format(write)
        except BaseException:
            self.back_end.close()
            raise

    def _check_format(self, write: bool) -> None:
        if self.back_end.get([form.UNFINISHED_KEY]):
            raise StoreError(f"{self.name} is unfinished: a copy or an import into it was interrupted. Do that again")
        found = self.back_end.get([form.FORMAT_KEY]).get(form.FORMAT_KEY)
        if found is None:
            if next(self.back_end.scan(b""), None) is not None:
                raise StoreError(f"{self.name} is not a store of mqtt_ref; name another place")
            if not write:
                raise StoreError(f"{self.name} is not a store of mqtt_ref: it is empty")
            self.back_end.write({form.FORMAT_KEY: form.header()})
            self._newest = 0
            return
        try:
            header = form.read_header(found)
        except StoreError as error:
            raise StoreError(f"{self.name}: {error}") from error
        if header.format > form.FORMAT:
            raise StoreError(
                f"{self.name} has format {header.format}, written by mqtt_ref {header.written_by}; this version reads "
                f"formats up to {form.FORMAT}. Use that version, or a newer one"
            )
        if header.format < form.FORMAT:
            if not write:
                raise StoreError(
                    f"{self.name} has the older format {header.format}; start the broker with it once: that migrates it"
                )
            self._migrate(header.format)

    def _migrate(self, found: int) -> None:
        """One step for each format, each from what the one before has made; in one write."""
        changes: dict[bytes, bytes | None] = {}
        for older in range(found, form.FORMAT):
            step = self._migrations.get(older)
            if step is None:
                raise StoreError(f"{self.name} has format {found}, which this version cannot read any more")
            changes.update(step(_Changed(self.back_end, changes)))
        changes[form.FORMAT_KEY] = form.header()
        self.back_end.write(changes)

    def close(self) -> None:
        """Nothing more is committed."""
        self.back_end.close()

    def _forget(self) -> None:
        self._known.clear()
        self._counts.clear()
        self._parts.clear()

    # ---------------------------------------------------------------- read

    def load(self) -> Iterator[Record]:
        """Everything that is kept: each session before what belongs to it, queues and flights in their order.

        What belongs to no session, which a batch that failed may leave, is deleted on the way if the store is written.

        Raises:
            StoreError: something in it is damaged.
        """
        try:
            yield from self._load()
        except StoreError as error:
            if self.name in str(error):
                raise
            raise StoreError(f"{self.name}: {error}") from error

    def _load(self) -> Iterator[Record]:
        totals = self.back_end.get([form.TOTALS_KEY]).get(form.TOTALS_KEY)
        if totals is not None:
            yield TotalsPut(tuple(form.read_totals(totals).items()))
        newest = 0
        messages: dict[int, StoredMessage] = {}
        referred: dict[int, int] = {}
        gone: dict[bytes, bytes | None] = {}

        def fetch(ident: int) -> StoredMessage:
            referred[ident] = referred.get(ident, 0) + 1
            message = messages.get(ident)
            if message is None:
                key = form.message_key(ident)
                value = self.back_end.get([key]).get(key)
                if value is None:
                    raise StoreError(f"message {ident} is missing, which something waits for")
                if len(messages) >= 10_000:
                    messages.clear()
                message = messages[ident] = form.read_message(key, value)
            return message

        part = b""
        client_id = ""
        flying: list[InflightPut] = []
        for key, value in self.back_end.scan(form.SESSIONS):
            size = 2 + key[1] if len(key) > 1 else 0
            if not size or len(key) <= size:
                raise StoreError(f"key {key!r} is damaged")
            kind = key[size]
            if flying and (kind != form.INFLIGHT or key[:size] != part):
                yield from sorted(flying, key=_order)
                flying = []
            if kind == form.SESSION:
                session = form.read_session(key, value, key[2:size])
                part, client_id = key[:size], session.client_id
                yield session
            elif key[:size] != part:
                gone[key] = None
            elif kind == form.SUBSCRIPTION:
                yield form.read_subscription(key, value, client_id, key[size + 1 :])
            elif kind == form.INFLIGHT:
                record = form.read_inflight(key, value, client_id, fetch)
                newest = max(newest, record.message.ident)
                flying.append(record)
            elif kind == form.QUEUE:
                queued = form.read_queue(key, value, client_id, fetch)
                newest = max(newest, queued.message.ident)
                yield queued
            elif kind == form.RECEIVED:
                yield ReceivedPut(client_id, int.from_bytes(key[-2:], "big"))
            else:
                raise StoreError(f"key {key!r} is damaged")
        yield from sorted(flying, key=_order)
        for message in form.read_messages(self.back_end.scan(form.RETAINED)):
            if message.ident > newest:
                newest = message.ident
            yield RetainedPut(message)
        newest = max(newest, self._sweep(referred, gone))
        self._newest = newest if self._newest == UNKNOWN else max(newest, self._newest)

    def _sweep(self, referred: Mapping[int, int], gone: dict[bytes, bytes | None]) -> int:
        """Delete what batches that failed have left: what belongs to no session, messages that nothing refers to.

        Return the greatest identifier of a message that is kept apart, or 0.
        """
        newest = 0
        for key, value in self.back_end.scan(form.COUNT):
            ident = int.from_bytes(key[1:], "big")
            newest = max(newest, ident)
            count = referred.get(ident, 0)
            if not count:
                gone[key] = gone[form.message_key(ident)] = None
            elif form.read_count(key, value) != count:
                gone[key] = form.of_count(count)
        if gone and self._writable:
            self.back_end.write(gone)
        return newest

    def load_queue(self, client_id: str, after: int, messages: int, size: int) -> list[QueuePut]:
        """A part of the queue of a session. A message that is damaged is left out, and the log says so.

        Raises:
            StoreError: the back end cannot be read.
        """
        key = form.queue_key(self._part(client_id), after)
        prefix = key[:-8]
        found: list[QueuePut] = []
        total = 0
        while len(found) < messages and total < size:
            pairs = list(self.back_end.scan(prefix, key, READ))
            if not pairs:
                break
            key = pairs[-1][0]
            for record in self._queued(client_id, pairs):
                found.append(record)
                total += record.message.size
                if len(found) == messages or total >= size:
                    break
        return found

    def _queued(self, client_id: str, pairs: Sequence[tuple[bytes, bytes]]) -> Iterator[QueuePut]:
        """The queued messages of these pairs; those that are kept apart are fetched together."""
        whole: list[tuple[bytes, bytes]] = []
        idents: set[int] = set()
        for key, value in pairs:
            try:
                idents.add(form.reference_of(key, value, form.QUEUE))
                whole.append((key, value))
            except StoreError as error:
                LOG.error("%s: a message for %r is lost: %s", self.name, client_id, error)
        apart = self.back_end.get([form.message_key(ident) for ident in idents if ident])

        def fetch(ident: int) -> StoredMessage:
            key = form.message_key(ident)
            if key not in apart:
                raise StoreError(f"message {ident} is missing, which something waits for")
            return form.read_message(key, apart[key])

        for key, value in whole:
            try:
                record = form.read_queue(key, value, client_id, fetch)
            except StoreError as error:
                LOG.error("%s: a message for %r is lost: %s", self.name, client_id, error)
            else:
                yield record

    # ---------------------------------------------------------------- write

    def commit(self, batch: int, records: Sequence[Record]) -> None:
        """Store a batch, or none of it. What is put and deleted in the same batch is not written at all.

        Raises:
            StoreError: the batch was not stored.
        """
        try:
            changes = self._changes(records)
            self.back_end.passing("before the write")
            if changes:
                self.back_end.write(changes)
        except BaseException:
            self._forget()
            self._doubtful = True
            raise
        self._doubtful = False
        self.back_end.passing("after the commit")

    def _part(self, client_id: str) -> bytes:
        part = self._parts.get(client_id)
        if part is None:
            if len(self._parts) >= REMEMBERED:
                self._parts.clear()
            part = self._parts[client_id] = form.client_part(client_id)
        return part

    def _changes(self, records: Sequence[Record]) -> dict[bytes, bytes | None]:
        changes = _Changes()
        plain = changes.plain
        waiting = changes.waiting
        newest = before = self._newest
        known = self._known
        if len(known) > REMEMBERED:
            known.clear()
        taken: set[tuple[str, int]] = set()
        client_id: str | None = None
        flights = b""
        for record in records:
            # Most records are of the first two kinds, and many of one client follow each other.
            if isinstance(record, (InflightPut, InflightDelete)):
                if record.client_id is not client_id:
                    client_id = record.client_id
                    flights = self._part(client_id) + b"\x02"
                key = flights + record.packet_id.to_bytes(2, "big")
                if isinstance(record, InflightDelete):
                    waiting[key] = None
                else:
                    waiting[key] = record
                    ident = record.message.ident
                    if ident > newest:
                        newest = ident
                    if not self._doubtful and (ident > before or (taken and (client_id, record.order) in taken)):
                        continue  # It is new, or comes from the queue: its packet identifier is free.
                if key not in known:
                    changes.unknown.append(key)
            elif isinstance(record, QueuePut):
                key = b"%b\x03%b" % (self._part(record.client_id), record.order.to_bytes(8, "big"))
                waiting[key] = record
                if record.message.ident > newest:
                    newest = record.message.ident
                # An order is used once, so it replaces nothing, unless it is put again after a failure.
                if self._doubtful and key not in known:
                    changes.unknown.append(key)
            elif isinstance(record, QueueDelete):
                key = b"%b\x03%b" % (self._part(record.client_id), record.order.to_bytes(8, "big"))
                taken.add((record.client_id, record.order))
                if key in known:
                    waiting[key] = None
                elif waiting.get(key) is not None:
                    del waiting[key]  # it was never written
                else:
                    waiting[key] = None
                    changes.unknown.append(key)
            elif isinstance(record, ReceivedPut):
                plain[b"%b\x04%b" % (self._part(record.client_id), record.packet_id.to_bytes(2, "big"))] = b""
            elif isinstance(record, ReceivedDelete):
                plain[b"%b\x04%b" % (self._part(record.client_id), record.packet_id.to_bytes(2, "big"))] = None
            elif isinstance(record, RetainedPut):
                message = record.message
                plain[form.RETAINED + form.name_part(message.topic)] = form.of_message(message)
                newest = max(newest, message.ident)
            elif isinstance(record, RetainedDelete):
                plain[form.RETAINED + form.name_part(record.topic)] = None
            elif isinstance(record, SessionPut):
                plain[self._part(record.client_id) + b"\0"] = form.of_session(record)
            elif isinstance(record, SubscriptionPut):
                key = b"%b\x01%b" % (self._part(record.client_id), form.name_part(record.topic_filter))
                plain[key] = form.of_subscription(record)
            elif isinstance(record, SubscriptionDelete):
                plain[b"%b\x01%b" % (self._part(record.client_id), form.name_part(record.topic_filter))] = None
            elif isinstance(record, SessionDelete):
                self._remove(self._part(record.client_id), changes)
            else:
                plain[form.TOTALS_KEY] = form.of_totals(dict(record.totals))
        if waiting:
            self._settle(changes)
        self._newest = newest
        return plain

    def _remove(self, part: bytes, changes: _Changes) -> None:
        """Take a session out, with everything that is stored of it or about to be."""
        for one in (changes.plain, changes.waiting):
            for key in [key for key in one if key.startswith(part)]:
                del one[key]
        size = len(part)
        for key, value in self.back_end.scan(part):
            kind = key[size]
            if kind in (form.INFLIGHT, form.QUEUE):
                changes.waiting[key] = None
                self._known[key] = form.reference_of(key, value, kind)
            else:
                changes.plain[key] = None

    def _settle(self, changes: _Changes) -> None:
        """Encode what waits: messages apart that more than one refers to, and count them."""
        plain = changes.plain
        waiting = changes.waiting
        known = self._known
        newest = self._newest
        if changes.unknown:
            found = self.back_end.get(changes.unknown)
            for key in changes.unknown:
                value = found.get(key)
                known[key] = ABSENT if value is None else form.reference_of(key, value, key[2 + key[1]])

        holders: set[int] = set()
        shared: dict[int, int] = {}
        before: dict[int, int] = {}
        maybe: list[int] = []
        for key, record in waiting.items():
            if record is not None:
                ident = record.message.ident
                if ident in holders:
                    shared[ident] = shared.get(ident, 1) + 1
                else:
                    holders.add(ident)
                    if ident <= newest:
                        maybe.append(ident)
            old = known.get(key, ABSENT)
            if old > 0:
                before[old] = before.get(old, 0) + 1
        counts: dict[int, int] = {}
        if maybe or before:
            counts = self._look_up([ident for ident in maybe if ident not in before], before)
            for ident in maybe:
                if counts.get(ident, 0):
                    shared.setdefault(ident, 1)

        for key, record in waiting.items():
            if record is None:
                if known.pop(key) != ABSENT:
                    plain[key] = None
                continue
            ident = record.message.ident if shared else 0
            apart = ident in shared
            plain[key] = (
                form.of_inflight(record, apart) if isinstance(record, InflightPut) else form.of_queue(record, apart)
            )
            known[key] = ident if apart else 0
            if apart and not counts.get(ident):
                plain[form.message_key(ident)] = form.of_message(record.message)

        for ident in {**before, **shared}:
            was = counts.get(ident, 0)
            now = was - before.get(ident, 0) + shared.get(ident, 0)
            if now == was:
                continue
            if now > 0:
                plain[form.count_key(ident)] = form.of_count(now)
                self._counts[ident] = now
            else:
                plain[form.count_key(ident)] = plain[form.message_key(ident)] = None
                self._counts.pop(ident, None)

    def _look_up(self, maybe: list[int], surely: Mapping[int, int]) -> dict[int, int]:
        """How many refer to each of these messages until now; 0 of one that is not kept apart."""
        known = self._counts
        if len(known) > REMEMBERED:
            known.clear()
        counts: dict[int, int] = {}
        unknown: dict[bytes, int] = {}
        for ident in (*maybe, *surely):
            if ident in known:
                counts[ident] = known[ident]
            else:
                unknown[form.count_key(ident)] = ident
        if unknown:
            for key, value in self.back_end.get(list(unknown)).items():
                counts[unknown[key]] = known[unknown[key]] = form.read_count(key, value)
        return counts


def _order(record: InflightPut) -> int:
    return record.order


class _Changed:
    """A back end as it will be after changes that are not made yet."""

    def __init__(self, back_end: KeyValue, changes: Mapping[bytes, bytes | None]) -> None:
        self._back_end = back_end
        self._changes = changes

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Keys that begin with `prefix`, in order."""
        found = dict(self._back_end.scan(prefix))
        for key, value in self._changes.items():
            if key.startswith(prefix):
                if value is None:
                    found.pop(key, None)
                else:
                    found[key] = value
        yield from sorted(found.items())

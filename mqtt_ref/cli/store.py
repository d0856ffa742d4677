# SPDX-License-Identifier: MIT
"""`mqtt-ref store`: what a broker has stored, outside of a broker."""

from __future__ import annotations

import argparse
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, BinaryIO, Final

from mqtt_ref.storage.port import StoreError
from mqtt_ref.storage.store import Store
from mqtt_ref.storage.transfer import TransferError
from mqtt_ref.storage.url import store_at

if TYPE_CHECKING:
    from mqtt_ref.storage.transfer import Contents

__all__ = ["configure", "run"]

FINE, FINDINGS, USAGE = 0, 1, 2
SHOWN: Final = 20
"""Sessions that `inspect` lists."""
EXAMPLE: Final = """\
examples:
  mqtt-ref store inspect broker.db
  mqtt-ref store inspect broker.db --client sensor-7
  mqtt-ref store export broker.db backup.jsonl
  mqtt-ref store import new.db backup.jsonl
  mqtt-ref store copy broker.db redis://localhost:6379/0
  mqtt-ref store check broker.db
  mqtt-ref store compact broker.db

A store is written like for `serve --store`: a path, or sqlite:PATH, lmdb:PATH, rocksdb:PATH, redis://HOST:PORT/DATABASE.
`inspect`, `export`, `copy` from and `check` may run beside a broker. `compact` may not.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = EXAMPLE
    what = parser.add_subparsers(dest="what", required=True, metavar="COMMAND")

    def command(name: str, text: str) -> argparse.ArgumentParser:
        made = what.add_parser(name, help=text, description=text)
        made.add_argument("store", metavar="STORE", help="[KIND:]PLACE")
        return made

    inspect = command("inspect", "say what is in a store")
    inspect.add_argument("--client", metavar="ID", help="everything of one session")
    inspect.add_argument("--json", action="store_true", help="for programs: counts as one JSON object")
    export = command("export", "write everything as JSON lines")
    export.add_argument("file", type=Path, nargs="?", help="where to; standard output without it")
    into = command("import", "fill a new store from JSON lines")
    into.add_argument("file", type=Path, nargs="?", help="where from; standard input without it")
    copy = command("copy", "fill a new store from another one")
    copy.add_argument("target", metavar="TO", help="[KIND:]PLACE")
    command("check", "find what is damaged; exit code 1 if anything is")
    command("compact", "give back the room of what was deleted; no broker may run on it")


def run(args: argparse.Namespace) -> int:
    """Do it, and say what went wrong."""
    try:
        store = store_at(args.store)
        return _COMMANDS[args.what](store, args)
    except (StoreError, ValueError, TransferError) as error:
        text = str(error)
    except OSError as error:
        text = f"{error.filename}: {error.strerror}"
    print(f"mqtt-ref store: {text}", file=sys.stderr)
    return USAGE


class _Progress:
    """Says every second on a terminal how far it is."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.said = monotonic()
        self.shown = False

    def __call__(self, done: int) -> None:
        if sys.stderr.isatty() and monotonic() - self.said > 1:
            self.said = monotonic()
            self.shown = True
            print(f"\r{self.what}: {done}", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Leave the line."""
        if self.shown:
            print(file=sys.stderr)


def _inspect(store: Store, args: argparse.Namespace) -> int:
    from mqtt_ref.storage.transfer import count

    store.open(write=False, create=False)
    try:
        if args.client is not None:
            return _show_client(store, args.client)
        progress = _Progress("read")
        contents = count(store.back_end, progress)
        progress.end()
        if args.json:
            import json

            print(json.dumps({**contents._asdict(), "bytes": store.back_end.size()}))
            return FINE
        _show(store, contents)
    finally:
        store.close()
    return FINE


def _show(store: Store, contents: Contents) -> None:
    from itertools import islice

    from mqtt_ref.ports import SessionPut

    print(f"{store.name}: {store.back_end.size():,} bytes")
    rows = [
        ("sessions", f"{contents.sessions}, {contents.connected} of them connected"),
        ("subscriptions", str(contents.subscriptions)),
        ("messages waiting", str(contents.queued)),
        ("messages in flight", str(contents.inflight)),
        ("QoS 2 awaiting PUBREL", str(contents.received)),
        ("messages kept once", f"{contents.shared}, for several sessions each"),
        ("retained messages", str(contents.retained)),
    ]
    for name, value in rows:
        print(f"  {name:<22} {value}")
    if contents.sessions:
        print("sessions:")
    sessions = (record for record in store.load() if isinstance(record, SessionPut))
    for session in islice(sessions, SHOWN):
        print("  " + _session(session))
    if contents.sessions > SHOWN:
        print(f"  and {contents.sessions - SHOWN} more; --client ID shows one")


def _session(session: object) -> str:
    from mqtt_ref.ports import SessionPut

    assert isinstance(session, SessionPut)
    version = {3: "3.1", 4: "3.1.1", 5: "5.0"}.get(session.version, str(session.version))
    if session.connected:
        state = "connected"
    elif session.ends_at:
        state = f"ends at {_time(session.ends_at)}"
    else:
        state = "away"
    will = "" if session.will is None else f", will for {session.will.topic!r}"
    return f"{session.client_id!r}: MQTT {version}, {state}{will}"


def _time(nanoseconds: int) -> str:
    try:
        return datetime.fromtimestamp(nanoseconds / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return "a time beyond all calendars"


def _show_client(store: Store, client_id: str) -> int:
    from mqtt_ref.ports import InflightPut, QueuePut, ReceivedPut, SessionPut, SubscriptionPut

    found = False
    for record in store.load():
        if getattr(record, "client_id", None) != client_id:
            if found:
                break
            continue
        found = True
        if isinstance(record, SessionPut):
            print(_session(record))
        elif isinstance(record, SubscriptionPut):
            print(f"  subscribed {record.topic_filter!r}, QoS {record.options & 3}")
        elif isinstance(record, QueuePut | InflightPut):
            message = record.message
            how = "waits" if isinstance(record, QueuePut) else f"in flight as {record.packet_id}"
            payload = repr(message.payload[:60]) + ("..." if len(message.payload) > 60 else "")
            print(f"  {how}: {message.topic!r}, QoS {record.qos}, {_time(message.arrived)}, {payload}")
        elif isinstance(record, ReceivedPut):
            print(f"  QoS 2 message {record.packet_id} awaits PUBREL")
    if not found:
        print(f"mqtt-ref store: {store.name} has no session {client_id!r}", file=sys.stderr)
        return FINDINGS
    return FINE


def _export(store: Store, args: argparse.Namespace) -> int:
    """Into a file beside the one that is wanted first, so that a file of that name is always whole."""
    from mqtt_ref.storage.transfer import export_lines

    store.open(write=False, create=False)
    progress = _Progress("lines written")
    try:
        if args.file is None:
            export_lines(store.back_end, sys.stdout.buffer, progress)
            return FINE
        part = args.file.with_name(args.file.name + ".part")
        try:
            with part.open("wb") as file:
                lines = export_lines(store.back_end, file, progress)
                file.flush()
                os.fsync(file.fileno())
            part.replace(args.file)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    finally:
        store.close()
        progress.end()
    print(f"{lines} lines written to {args.file}")
    return FINE


def _import(store: Store, args: argparse.Namespace) -> int:
    from mqtt_ref.storage.transfer import import_lines

    def fill(file: BinaryIO, name: str) -> int:
        progress = _Progress("pairs stored")
        try:
            return import_lines(file, store.back_end, progress)
        except TransferError as error:
            raise TransferError(f"{name}: {error}") from error
        finally:
            progress.end()

    if args.file is None:
        done = fill(sys.stdin.buffer, "standard input")
    else:
        with args.file.open("rb") as file:
            done = fill(file, str(args.file))
    print(f"{done} pairs stored in {store.name}")
    return FINE


def _copy(store: Store, args: argparse.Namespace) -> int:
    from mqtt_ref.storage.transfer import copy_store

    target = store_at(args.target)
    store.open(write=False, create=False)
    progress = _Progress("pairs copied")
    try:
        done = copy_store(store.back_end, target.back_end, progress)
    finally:
        store.close()
        progress.end()
    print(f"{done} pairs copied from {store.name} to {target.name}")
    return FINE


def _check(store: Store, args: argparse.Namespace) -> int:
    from mqtt_ref.storage.transfer import check

    store.open(write=False, create=False)
    progress = _Progress("pairs checked")
    try:
        found = check(store.back_end, progress)
    finally:
        store.close()
        progress.end()
    for text in found:
        print(text)
    if found:
        return FINDINGS
    print(f"{store.name}: nothing is wrong")
    return FINE


def _compact(store: Store, args: argparse.Namespace) -> int:
    store.open(create=False)
    try:
        before = store.back_end.size()
        store.back_end.compact()
        after = store.back_end.size()
    finally:
        store.close()
    print(f"{store.name}: {before:,} bytes before, {after:,} bytes now")
    return FINE


_COMMANDS: Final = {
    "inspect": _inspect,
    "export": _export,
    "import": _import,
    "copy": _copy,
    "check": _check,
    "compact": _compact,
}

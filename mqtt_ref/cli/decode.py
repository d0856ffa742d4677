# SPDX-License-Identifier: MIT
"""`mqtt-ref decode`: decodes packets field by field and explains what is wrong with them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from mqtt_ref.cli.failure import plainly
from mqtt_ref.wire.dissect import Found, Stream, explain, json_line
from mqtt_ref.wire.pcap import CaptureError
from mqtt_ref.wire.primitives import CLIENT, SERVER, V5, V31, V311
from mqtt_ref.wire.printable import printable
from mqtt_ref.wire.recording import Piece, RecordingError, hex_bytes, read_recording

__all__ = ["configure", "run"]

FINE, FINDINGS, USAGE = 0, 1, 2
VERSIONS = {"5": V5, "5.0": V5, "311": V311, "3.1.1": V311, "31": V31, "3.1": V31}
SIDES = {"client": CLIENT, "server": SERVER}
EXAMPLE = """\
examples:
  mqtt-ref decode 30 05 0001 61 00 78
  mqtt-ref decode -V 311 --from server 2002 | 01 | 00   (quote the bars, or leave them out)
  mqtt-ref decode traffic.pcap
  mqtt-ref decode --json trace.jsonl

HEX may have spaces, `|`, `0x`, commas, newlines and comments after `#`. FILE has hex, bytes or a JSONL trace. The TCP
streams of a PCAP (also pcapng) are reassembled. `-` reads standard input.
Exit codes: 0 all packets are legal, 1 some are not, 2 nothing to decode."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = EXAMPLE
    parser.add_argument(
        "-V",
        "--protocol-version",
        dest="version",
        choices=sorted(VERSIONS),
        help="5, 311 or 31 (default: that of the last CONNECT, else 5)",
    )
    parser.add_argument("--from", dest="sender", choices=sorted(SIDES), help="sender of the packets")
    parser.add_argument("--json", action="store_true", help="one JSON object per packet")
    parser.add_argument("input", nargs="+", metavar="HEX|FILE|PCAP", help="bytes, or where they are")


def run(args: argparse.Namespace) -> int:
    """Print every packet. Returns 1 if one breaks a rule, 2 if there is nothing to decode."""
    sender = SIDES.get(args.sender) if args.sender else None
    code = FINE
    number = 0
    try:
        for connection, found in _packets(list(_pieces(args.input)), VERSIONS.get(args.version or ""), sender):
            number += 1
            if found.dissection.violation is not None:
                code = FINDINGS
            if args.json:
                print(json_line(found, connection))
                continue
            if number > 1:
                print()
            if connection:
                print(printable(f"connection {connection}, byte {found.offset:,}"))
            print(printable(explain(found), "\n"))
    except (OSError, RecordingError, CaptureError) as error:
        print(f"mqtt-ref decode: {plainly(error)}", file=sys.stderr)
        return USAGE
    if not number:
        print("mqtt-ref decode: there are no bytes to decode", file=sys.stderr)
        return USAGE
    return code


def _pieces(words: list[str]) -> Iterator[Piece]:
    if len(words) == 1 and words[0] == "-":
        yield from read_recording(sys.stdin.buffer.read())
        return
    try:
        is_file = len(words) == 1 and Path(words[0]).is_file()
    except (OSError, ValueError):  # too long for a name: it is hex
        is_file = False
    if is_file:
        yield from read_recording(Path(words[0]).read_bytes())
        return
    data = hex_bytes(" ".join(words))
    if data is None:
        what = words[0] if len(words) == 1 else " ".join(words)
        raise RecordingError(f"{what[:60]!r} is neither hex digits in pairs nor a file")
    yield Piece("", None, data)


def _packets(pieces: list[Piece], version: int | None, sender: int | None) -> Iterator[tuple[str, Found]]:
    streams: dict[str, Stream] = {}
    for piece in pieces:
        if piece.event == "text":
            continue  # a text frame of a WebSocket is not MQTT
        stream = streams.setdefault(piece.connection, Stream(version))
        side = piece.sender if sender is None else sender
        if piece.gap:
            for found in stream.lose(side):
                yield piece.connection, found
        for found in stream.feed(piece.data, side):
            yield piece.connection, found
    for connection, stream in streams.items():
        for found in stream.rest():
            yield connection, found
        if stream.unread:
            size = f"{stream.unread:,} bytes" if stream.unread > 1 else "1 byte"
            where = f" of connection {connection}" if connection else ""
            text = f"not decoded: {size}{where} after a broken packet, where no packet begins"
            print(printable(text), file=sys.stderr)

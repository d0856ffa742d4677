# SPDX-License-Identifier: MIT
"""Judges recorded traffic: any client, any broker, from a JSONL trace or a capture."""

from __future__ import annotations

from collections import Counter
from typing import Final

from mqtt_ref.oracle.judge import Judge, Watched
from mqtt_ref.oracle.state import LOCAL, SECOND, SETTLE
from mqtt_ref.wire.primitives import CLIENT, SERVER
from mqtt_ref.wire.recording import Piece, RecordingError, read_recording

__all__ = ["judge_pieces", "judge_recording"]

STEP: Final = SECOND // 5
"""How often it is looked who has been silent for too long."""
ENDS: Final = ("close", "reset")


def judge_recording(data: bytes, judge: Judge | None = None) -> Judge:
    """Judge what a file holds; the findings are in the judge that comes back.

    Raises:
        RecordingError: the file is no recording, or does not say who sent what.
    """
    pieces = list(read_recording(data))
    if any(piece.data and piece.sender is None for piece in pieces):
        raise RecordingError("the recording does not say which side sent what: a JSONL trace or a capture does")
    return judge_pieces(pieces, judge)


def judge_pieces(pieces: list[Piece], judge: Judge | None = None) -> Judge:
    """The same for pieces, in the order of time."""
    judge = judge or Judge()
    ended = {piece.connection for piece in pieces if piece.event in ENDS and piece.sender != SERVER}
    open_now: dict[str, Watched] = {}
    opened: dict[str, int] = {}
    said: Counter[tuple[str, int | None]] = Counter()
    gone: set[str] = set()
    looked = 0
    now = 0
    for piece in pieces:
        now = max(now, piece.time)
        if now - looked >= STEP:
            looked = now
            judge.passed(now)
        name = piece.connection
        watched = open_now.get(name)
        if watched is None or (piece.event == "open" and name in gone):
            if piece.event in ENDS or (name in gone and piece.event != "open"):
                continue
            gone.discard(name)
            watched = judge.open(name, now, name.partition(" ")[2], piece.server, piece.event == "open")
            watched.talk.end_seen = name in ended
            if not piece.server and not piece.remote.startswith(LOCAL):
                watched.talk.round_trip = SETTLE  # A broker wrote it, and the client may be far away.
            open_now[name] = watched
            opened[name] = now if piece.event == "open" else now - SETTLE
        if piece.event == "hole":
            sender = CLIENT if piece.sender == CLIENT else SERVER
            watched.hole(sender, piece.gap, said[name, piece.sender])
        elif piece.event == "disorder":
            watched.hole(SERVER, 0, said[name, SERVER])
        elif piece.event == "untimed":
            watched.untimed()
        elif piece.event in ENDS:
            # A reset may be the work of a machine that has just started again, or of one in between.
            watched.closed(now, piece.sender == CLIENT and piece.event == "close")
            del open_now[name]
            gone.add(name)
        elif piece.sender == CLIENT:
            if piece.server and watched.talk.connect is None:
                # TCP's own packets went to the client and back between the first of them and the CONNECT; where that
                # took no time, the records are out of order.
                watched.talk.round_trip = min(SETTLE, now - opened[name]) or SETTLE
            watched.client(piece.data, now)
        elif piece.sender == SERVER:
            watched.server(piece.data, now)
        said[name, piece.sender] += len(piece.data)
    for watched in open_now.values():
        watched.closed(now)
    return judge

# SPDX-License-Identifier: MIT
"""Judges recorded traffic: any client, any broker, from a JSONL trace or a capture."""

from __future__ import annotations

from mqtt_ref.oracle.judge import Judge, Watched
from mqtt_ref.oracle.state import LOCAL, SECOND, SETTLE
from mqtt_ref.wire.primitives import CLIENT, SERVER
from mqtt_ref.wire.recording import Piece, RecordingError, read_recording

__all__ = ["judge_pieces", "judge_recording"]

STEP = SECOND // 5
"""How often it is looked who has been silent for too long."""


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
    """The same for pieces, in the order of time.

    Where the record has a gap in what a server sent, nothing is accused on that connection that depends on it: when
    exactly the client got what is missing is not known either.
    """
    judge = judge or Judge()
    ended = {piece.connection for piece in pieces if piece.event == "close"}
    patchy = {piece.connection for piece in pieces if piece.gap and piece.sender == SERVER}
    open_now: dict[str, Watched] = {}
    opened: dict[str, int] = {}
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
            if piece.event == "close" or (name in gone and piece.event != "open"):
                continue
            gone.discard(name)
            watched = judge.open(name, now, name.partition(" ")[2], piece.server, piece.event == "open")
            watched.talk.certain = name not in patchy
            watched.talk.end_seen = name in ended
            if not piece.server and not piece.remote.startswith(LOCAL):
                watched.talk.round_trip = SETTLE  # A broker wrote it, and the client may be far away.
            open_now[name] = watched
            opened[name] = now if piece.event == "open" else now - SETTLE
        if piece.gap:
            watched.missing(CLIENT if piece.sender == CLIENT else SERVER)
        if piece.event == "close":
            watched.closed(now, piece.sender == CLIENT)
            del open_now[name]
            gone.add(name)
        elif piece.sender == CLIENT:
            if piece.server and watched.talk.connect is None:
                # TCP's own packets went to the client and back between the first of them and the CONNECT.
                watched.talk.round_trip = min(SETTLE, now - opened[name])
            watched.client(piece.data, now)
        elif piece.sender == SERVER:
            watched.server(piece.data, now)
    for watched in open_now.values():
        watched.closed(now)
    return judge

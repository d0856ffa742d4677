# SPDX-License-Identifier: MIT
"""Judge recorded traffic of any client and broker, from a JSONL trace or a capture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from mqtt_ref.oracle.judge import Judge, Watched
from mqtt_ref.oracle.state import SECOND, SETTLE
from mqtt_ref.wire.primitives import CLIENT, SERVER
from mqtt_ref.wire.recording import Piece, RecordingError, read_recording

__all__ = ["judge_pieces", "judge_recording"]

STEP: Final = SECOND // 5
"""How often the judge looks for clients that have been silent for too long."""
LOOKS: Final = 64
"""How many connections it may look at for each piece on average: with more open ones it looks less often."""
ENDS: Final = ("close", "reset")


def judge_recording(data: bytes, judge: Judge | None = None) -> Judge:
    """Judge the recording in `data`. Return the judge, which holds the findings.

    Raises:
        RecordingError: `data` is not a recording, or does not say which side sent what.
    """
    pieces = list(read_recording(data))
    if any(piece.data and piece.sender is None for piece in pieces):
        raise RecordingError("the recording does not say which side sent what; use a JSONL trace or a capture")
    return judge_pieces(pieces, judge)


def judge_pieces(pieces: list[Piece], judge: Judge | None = None) -> Judge:
    """Judge the pieces of a recording, in the order of time. Return the judge."""
    judge = judge or Judge()
    replay = _Replay(judge, pieces)
    for piece in _joined(pieces):
        replay.take(piece)
    replay.end()
    return judge


def _joined(pieces: list[Piece]) -> Iterator[Piece]:
    """Join packets of one connection and side with the same time to one piece, as they came together."""
    held: Piece | None = None
    parts: list[bytes] = []
    for piece in pieces:
        if held is not None:
            same = piece.connection == held.connection and piece.sender == held.sender and piece.time == held.time
            if same and held.data and piece.data and not (held.event or piece.event or held.server or piece.first):
                parts.append(piece.data)
                continue
            yield held._replace(data=b"".join(parts)) if len(parts) > 1 else held
        held = piece
        parts = [piece.data]
    if held is not None:
        yield held._replace(data=b"".join(parts)) if len(parts) > 1 else held


class _Replay:
    """Replays a recording to a judge."""

    def __init__(self, judge: Judge, pieces: list[Piece]) -> None:
        self.judge = judge
        self.judged = any(piece.judged for piece in pieces)
        """True if a judge wrote the trace: it holds the times at which that judge looked for silent clients."""
        self.ended = {piece.connection for piece in pieces if piece.event in ENDS and piece.sender != SERVER}
        self.open: dict[str, Watched] = {}
        self.opened: dict[str, int] = {}
        self.gone: set[str] = set()
        self.said: Counter[tuple[str, int | None]] = Counter()
        self.looked = 0
        self.now = 0
        self.looks = 0
        """How many connections it may still look at."""

    def take(self, piece: Piece) -> None:
        """Replay the next piece."""
        self.now = now = piece.time if self.judged else max(self.now, piece.time)
        self.looks += LOOKS
        if not self.judged and now - self.looked >= STEP and self._look():
            self.looked = now
        if piece.event == "look":
            self._look()
        elif piece.event == "anew":
            self.judge.forget()
        elif piece.event == "excuse" and not piece.connection:
            self.judge.excuse(now)
        else:
            watched = self._watched(piece)
            if watched is not None:
                self._tell(watched, piece)
                self.said[piece.connection, piece.sender] += len(piece.data)

    def _look(self) -> bool:
        """Look for silent clients. False if there are too many for the pieces so far: the work stays linear.

        Nothing is lost then: each client is looked at when its connection ends, too.
        """
        if self.looks < len(self.judge.talks):
            return False
        self.looks -= len(self.judge.talks)
        self.judge.passed(self.now)
        return True

    def _watched(self, piece: Piece) -> Watched | None:
        """Return the connection of a piece; None if it has ended."""
        name = piece.connection
        watched = self.open.get(name)
        if piece.event == "open" and watched is not None:
            watched.closed(self.now)  # another connection with this number: the trace of another run
            watched = None
        if watched is not None:
            return watched
        if piece.event in ENDS or (name in self.gone and piece.event != "open"):
            return None
        self.gone.discard(name)
        now = self.now
        watched = self.judge.open(
            name,
            now,
            piece.remote or name.partition(" ")[2],
            piece.server,
            piece.event == "open",
            self.judged and piece.local,
        )
        watched.talk.end_seen = self.judged or name in self.ended
        if not piece.server and piece.local:
            watched.talk.round_trip = 0  # the broker that wrote it is on the same machine
        self.open[name] = watched
        self.opened[name] = now if piece.event == "open" else now - SETTLE
        return watched

    def _tell(self, watched: Watched, piece: Piece) -> None:
        name, now = piece.connection, self.now
        if piece.event == "hole":
            sender = CLIENT if piece.sender == CLIENT else SERVER
            watched.hole(sender, piece.gap, self.said[name, piece.sender])
        elif piece.event == "disorder":
            watched.hole(SERVER, 0, self.said[name, SERVER])
        elif piece.event == "untimed":
            watched.untimed()
        elif piece.event == "begin":
            watched.begun(now)
        elif piece.event == "idle":
            watched.begun(0)
        elif piece.event == "excuse":
            watched.excuse(now)
        elif piece.event == "offered":
            watched.offered(piece.protocols)
        elif piece.event == "text":
            watched.text_frame(piece.data, now)
        elif piece.event in ENDS:
            # A reset may come from a restarted machine, or from one on the way.
            watched.closed(now, piece.sender == CLIENT and piece.event == "close")
            del self.open[name]
            self.gone.add(name)
        elif piece.sender == CLIENT:
            if piece.server and watched.talk.connect is None:
                # Between the first packet of the TCP handshake and the CONNECT there was one round trip. If it took no
                # time, the records are out of order.
                watched.talk.round_trip = min(SETTLE, now - self.opened[name]) or SETTLE
            if piece.first:
                watched.begun(piece.first)
            watched.client(piece.data, now)
        elif piece.sender == SERVER:
            watched.server(piece.data, now)

    def end(self) -> None:
        """Handle the end of the recording."""
        if not self.judged:
            for watched in self.open.values():
                watched.closed(self.now)

# SPDX-License-Identifier: MIT
"""A judge that writes the trace of what it is told, as the channels of a broker do."""

from __future__ import annotations

import io
from typing import Any

from mqtt_ref.net.trace import VERSION, Framer, Trace, When
from mqtt_ref.oracle.judge import Judge, Watched
from mqtt_ref.wire.packets import Connect
from mqtt_ref.wire.primitives import CLIENT, SERVER

__all__ = ["TapedJudge"]


class TapedJudge(Judge):
    """`trace` is the JSONL trace so far."""

    def __init__(self) -> None:
        super().__init__()
        self.out = io.StringIO()
        self.writer = Trace(self.out, "jsonl", lambda: 0)

    @property
    def trace(self) -> str:
        return self.out.getvalue()

    def open(self, name: str, now: int, remote: str = "", *args: Any, **more: Any) -> Watched:
        talk = super().open(name, now, remote, *args, **more).talk
        watched = self.talks[talk.number] = TapedWatched(self, talk)
        form = {"v": VERSION, "at": now, "local": talk.local, "judged": True}
        self.writer.event(int(name), "open", remote, more=form)
        return watched

    def passed(self, now: int) -> bool:
        found = super().passed(now)
        if found:
            self.writer.note(None, "look", {"at": now})
        return found


class TapedWatched(Watched):
    def __init__(self, judge: TapedJudge, talk: Any) -> None:
        super().__init__(judge, talk)
        self.writer = judge.writer
        self.framers = (Framer(CLIENT), Framer(SERVER))
        self.first = 0

    def client(self, data: bytes, now: int) -> None:
        super().client(data, now)
        self._show("in", CLIENT, data, now)

    def server(self, data: bytes, now: int) -> None:
        super().server(data, now)
        self._show("out", SERVER, data, now)

    def offered(self, protocols: tuple[str, ...]) -> None:
        super().offered(protocols)
        self.writer.note(int(self.talk.name), "offered", {"at": self.talk.now, "protocols": list(protocols)})

    def text_frame(self, data: bytes, now: int) -> None:
        super().text_frame(data, now)
        self.writer.note(int(self.talk.name), "text", {"at": now, "hex": data.hex()})

    def closed(self, now: int, by_client: bool = False) -> None:
        super().closed(now, by_client)
        rest = self.framers[CLIENT].rest
        if rest:
            self.writer.rest(int(self.talk.name), "in", rest, "incomplete", "", When(self.first, now))
        self.writer.event(int(self.talk.name), "close", "closed", more={"at": now, "by": None})

    def _show(self, way: str, sender: int, data: bytes, now: int) -> None:
        framer, number = self.framers[sender], int(self.talk.name)
        first, self.first = (self.first, 0) if sender == CLIENT else (0, self.first)
        for packet, raw in framer.feed(data):
            if isinstance(packet, Connect):
                self.framers[SERVER].version = packet.protocol_version
            self.writer.packet(number, way, packet, raw, framer.version, "", When(first, now))
            first = 0
        if framer.lost and framer.rest:
            self.writer.rest(number, way, framer.rest, "no packet", "", When(first, now))
            framer.rest = b""
        elif framer.rest and sender == CLIENT:
            self.first = first or now
            if not first:
                self.writer.note(number, "begin", {"at": now})

# SPDX-License-Identifier: MIT
"""A judge that writes the trace of what it is told, as the layers of a broker do."""

from __future__ import annotations

import io
from typing import Any

from mqtt_ref.net.trace import VERSION, Trace, TracedLink
from mqtt_ref.oracle.judge import Judge, Watched

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
        self.traced = TracedLink(self.writer, int(talk.name))

    def client(self, data: bytes, now: int) -> None:
        super().client(data, now)
        self.traced.client(data, now)

    def server(self, data: bytes, now: int) -> None:
        super().server(data, now)
        self.traced.server(data, now)

    def offered(self, protocols: tuple[str, ...]) -> None:
        super().offered(protocols)
        self.writer.note(int(self.talk.name), "offered", {"at": self.talk.now, "protocols": list(protocols)})

    def text_frame(self, data: bytes, now: int) -> None:
        super().text_frame(data, now)
        self.writer.note(int(self.talk.name), "text", {"at": now, "hex": data.hex()})

    def closed(self, now: int, by_client: bool = False) -> None:
        super().closed(now, by_client)
        self.traced.closed(now)

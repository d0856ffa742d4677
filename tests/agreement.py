# SPDX-License-Identifier: MIT
"""Holds what is judged from a trace to what was said live, for every judge that a test runs on a broker."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from mqtt_ref.net.trace import NEVER, Trace, When
from mqtt_ref.oracle.finding import Finding
from mqtt_ref.oracle.judge import Judge
from mqtt_ref.oracle.live import Live
from mqtt_ref.oracle.recorded import judge_recording
from mqtt_ref.oracle.report import as_text

__all__ = ["Tee", "as_said", "check_trace", "recorded_as_live"]

TEXTS = 200
"""Findings whose text is compared, with the last packets before it and how long ago they were; of more, some."""


class Tee(Trace):
    """Two traces that are told the same."""

    def __init__(self, one: Trace, two: Trace) -> None:
        super().__init__(io.StringIO())
        self.both = (one, two)

    def event(self, conn: int, way: str, what: str, name: str = "", more: Mapping[str, Any] | None = None) -> None:
        for trace in self.both:
            trace.event(conn, way, what, name, more)

    def note(self, conn: int | None, way: str, more: Mapping[str, Any]) -> None:
        for trace in self.both:
            trace.note(conn, way, more)

    def packet(self, conn: int, way: str, packet: Any, raw: bytes, version: int, name: str, when: When = NEVER) -> None:
        for trace in self.both:
            trace.packet(conn, way, packet, raw, version, name, when)

    def rest(self, conn: int, way: str, raw: bytes, what: str, name: str, when: When = NEVER) -> None:
        for trace in self.both:
            trace.rest(conn, way, raw, what, name, when)


def as_said(finding: Finding) -> tuple[str, tuple[str, ...], str, str, str, str, int, bytes]:
    """What of a finding has to be the same, beside its text."""
    return (
        finding.rule, finding.also, finding.expected, finding.seen, finding.connection, finding.client_id, finding.time,
        finding.data,
    )  # fmt: skip


def check_trace(trace: str, live: list[Finding], unjudged: int | None = None) -> Judge:
    """The judge of the trace, which found the same in the same order."""
    judge = Judge()
    if trace:
        judge_recording(trace.encode(), judge)
    found = list(judge.findings)
    assert [as_said(one) for one in found] == [as_said(one) for one in live]
    step = max(1, len(live) // TEXTS)
    assert [as_text(one) for one in found[::step]] == [as_text(one) for one in live[::step]]
    assert unjudged is None or judge.unjudged == unjudged
    return judge


@pytest.fixture(autouse=True)
def recorded_as_live(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each `Live` of the test writes a trace beside what it does; in the end the trace is judged."""
    runs: list[tuple[Live, io.StringIO, list[Judge]]] = []
    begin, renew = Live.__init__, Live.renew

    def begun(self: Live, judge: Judge, trace: Trace | None = None, *args: Any, **more: Any) -> None:
        begin(self, judge, trace, *args, **more)
        out = io.StringIO()
        written = Trace(out, "jsonl")
        self.trace = written if self.trace is None else Tee(self.trace, written)
        runs.append((self, out, [judge]))

    def renewed(self: Live, judge: Judge) -> None:
        renew(self, judge)
        next(judges for live, _, judges in runs if live is self).append(judge)

    monkeypatch.setattr(Live, "__init__", begun)
    monkeypatch.setattr(Live, "renew", renewed)
    yield
    for _, out, judges in runs:
        check_trace(out.getvalue(), [finding for judge in judges for finding in judge.findings])

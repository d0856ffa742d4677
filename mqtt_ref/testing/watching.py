# SPDX-License-Identifier: MIT
"""Runs the brokers of the pytest plugin, and reports their traces and findings."""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mqtt_ref.engine.options import Options
from mqtt_ref.hooks.allow import AllowAll
from mqtt_ref.oracle.facade import GRACE, Oracle
from mqtt_ref.oracle.recorder import Recorder
from mqtt_ref.oracle.report import one_line
from mqtt_ref.testing.settings import options as options_of
from mqtt_ref.threaded import ThreadedServer

if TYPE_CHECKING:
    from mqtt_ref.hooks import Hook
    from mqtt_ref.net.listener import Listener

__all__ = ["Brokers", "Watch", "watched_broker", "watched_oracle"]


class Watch:
    """The trace and the findings of one broker during one test."""

    def __init__(self, recorder: Recorder, oracle: Oracle | None = None) -> None:
        self.recorder = recorder
        self.oracle = oracle

    def judge(self) -> None:
        """Fail the test if a client broke a rule, unless that was reported before."""
        accused = "" if self.oracle is None else self.oracle.accusation()
        if accused:
            pytest.fail(accused, pytrace=False)

    def attach(self, item: pytest.Item, when: str) -> None:
        """Add the trace and the findings to the report of a test that fails."""
        trace = self.recorder.written()
        if trace:
            item.add_report_section(when, "MQTT trace", trace)
        findings = [] if self.oracle is None else self.oracle.findings
        if findings:
            item.add_report_section(when, "MQTT findings", "\n".join(one_line(finding) for finding in findings))


class Brokers:
    """A context manager: the brokers that it starts run until it ends."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    def start(
        self,
        options: Options | None = None,
        listeners: Sequence[Listener] | None = None,
        *,
        hooks: Sequence[Hook] | None = None,
        **settings: Any,
    ) -> ThreadedServer:
        """Start a broker, by default on a free port. Without `hooks`, all clients may connect.

        Raises:
            TypeError: a setting is unknown, or both options and settings are given.
        """
        server = ThreadedServer(_chosen(options, settings), listeners, hooks=[AllowAll()] if hooks is None else hooks)
        server.start()
        self._stack.callback(server.stop, GRACE)
        return server

    def __enter__(self) -> Brokers:
        return self

    def __exit__(self, *failure: object) -> None:
        self._stack.close()


@contextmanager
def watched_broker(item: pytest.Item, watches: list[Watch]) -> Generator[ThreadedServer]:
    """Run the broker of a test, with the options of its markers."""
    options, more = _marked(item)
    hooks = more.get("hooks")
    recorder = Recorder()
    server = ThreadedServer(options, hooks=[AllowAll()] if hooks is None else hooks, trace=recorder)
    server.start()
    watch = Watch(recorder)
    watches.append(watch)
    try:
        yield server
    finally:
        watches.remove(watch)
        server.stop(GRACE)
        _write(item, recorder)


@contextmanager
def watched_oracle(item: pytest.Item, watches: list[Watch]) -> Generator[Oracle]:
    """Run the oracle of a test, with the options of its markers. A rule broken after the test fails its teardown."""
    options, more = _marked(item)
    oracle = Oracle(options, allow=[rule for marker in item.iter_markers("mqtt_allow") for rule in marker.args], **more)
    oracle.start()
    watch = Watch(oracle.recorder, oracle)
    watches.append(watch)
    try:
        yield oracle
    finally:
        watches.remove(watch)
        oracle.stop()
        _write(item, oracle.recorder)
    try:
        watch.judge()
    except BaseException:
        watch.attach(item, "teardown")
        raise


def _marked(item: pytest.Item) -> tuple[Options | None, dict[str, Any]]:
    """Return the options of the markers `mqtt_options`. For each setting, the marker closest to the test wins."""
    options: Options | None = None
    settings: dict[str, Any] = {}
    for marker in reversed(list(item.iter_markers("mqtt_options"))):
        if marker.args:
            (options,) = marker.args
        settings |= marker.kwargs
    more: dict[str, Any] = {name: settings.pop(name) for name in ("hooks", "on_violation") if name in settings}
    return _chosen(options, settings), more


def _chosen(options: Options | None, settings: dict[str, Any]) -> Options | None:
    if options is not None and settings:
        raise TypeError(f"both options and settings are given: set {', '.join(settings)} in the options")
    return options_of(**settings) if settings else options


def _write(item: pytest.Item, recorder: Recorder) -> None:
    """Write the capture of a test, if `--mqtt-pcap` is given."""
    folder = item.config.getoption("mqtt_pcap")
    if folder:
        path = Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        name = re.sub(r"[^\w.\[\]-]+", "_", item.nodeid).strip("_")
        (path / f"{name[-200:]}.pcap").write_bytes(recorder.pcap())

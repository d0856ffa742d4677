# SPDX-License-Identifier: MIT
"""Finds the hook that blocks the event loop. A thread looks from outside, so that no call of a hook costs more."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import Iterable, Mapping
from types import CodeType, FrameType
from typing import Final

from mqtt_ref.hooks.chain import Chains

__all__ = ["BLOCKED", "Watchdog"]

LOG = logging.getLogger("mqtt_ref.hooks")
BLOCKED: Final = 1.0
"""Seconds that a handler may keep the loop from doing anything else."""
LOOKS: Final = 10
"""How often in that time the loop is looked at. A handler that keeps it a tenth longer is always found."""
OURS: Final = "mqtt_ref."


class Watchdog:
    """Logs handlers that keep the loop for more than `BLOCKED` seconds, each once until it is stopped.

    It runs only if a hook of the user has a handler: those of `mqtt_ref` do not block.
    """

    def __init__(self, blocked: float = BLOCKED) -> None:
        self._blocked = blocked
        self._handlers: Mapping[CodeType, str] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._ended: threading.Event | None = None

    def watch(self, chains: Chains) -> None:
        """Watch these handlers from now on."""
        self._handlers = dict(_handlers(chains))
        self._start()

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to watch a loop. Called in its thread."""
        self._loop = loop
        self._thread = threading.get_ident()
        self._start()

    def end(self) -> None:
        """Stop watching."""
        self._loop = None
        if self._ended is not None:
            self._ended.set()
            self._ended = None

    def _start(self) -> None:
        if self._loop is not None and self._handlers and self._ended is None:
            self._ended = ended = threading.Event()
            threading.Thread(target=self._run, args=(self._loop, ended), name="mqtt_ref-hooks", daemon=True).start()

    def _run(self, loop: asyncio.AbstractEventLoop, ended: threading.Event) -> None:
        told: set[CodeType] = set()
        while not ended.wait(self._blocked / LOOKS):
            turned = threading.Event()
            try:
                loop.call_soon_threadsafe(turned.set)
            except RuntimeError:  # the loop is closed
                return
            while not turned.wait(self._blocked) and not ended.is_set():
                self._look(told)

    def _look(self, told: set[CodeType]) -> None:
        """The loop is blocked: find the handler that it is in."""
        frame = sys._current_frames().get(self._thread)
        inner = frame
        while frame is not None:
            name = self._handlers.get(frame.f_code)
            if name is not None and frame.f_code not in told:
                told.add(frame.f_code)
                LOG.warning(
                    "%s has blocked the event loop for more than %g s, at %s; all clients wait: write it as async def, "
                    "or leave the work to a thread",
                    name,
                    self._blocked,
                    _place(inner),
                )
            frame = frame.f_back


def _handlers(chains: Chains) -> Iterable[tuple[CodeType, str]]:
    for event, chain in chains.items():
        for handler in chain:
            method = getattr(type(handler.hook), event)
            code = getattr(method, "__code__", None)
            if isinstance(code, CodeType) and not str(getattr(method, "__module__", "")).startswith(OURS):
                yield code, f"{event} of hook {handler.id}"


def _place(frame: FrameType | None) -> str:
    return "an unknown place" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"

# SPDX-License-Identifier: MIT
"""One event loop in one thread for all asyncio clients of a test process. Scenarios use it with plain functions."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from interop.peer import DEADLINE, ClientFailure

T = TypeVar("T")

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None
_thread: threading.Thread | None = None


def run(work: Coroutine[Any, Any, T], what: str, seconds: float = DEADLINE) -> T:
    """Run a coroutine on the shared loop and return its result. Raises if it takes longer than `seconds`."""
    future = asyncio.run_coroutine_threadsafe(work, _running())
    try:
        return future.result(seconds)
    except concurrent.futures.TimeoutError:
        future.cancel()
        raise ClientFailure(f"waited {seconds:g} s for {what}") from None


def stop() -> None:
    """Cancel what still runs, end the thread and close the loop."""
    global _loop, _thread
    with _lock:
        loop, thread, _loop, _thread = _loop, _thread, None, None
    if loop is None or thread is None:
        return
    asyncio.run_coroutine_threadsafe(_cancel_all(), loop).result(DEADLINE)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(DEADLINE)
    loop.close()


def _running() -> asyncio.AbstractEventLoop:
    global _loop, _thread
    with _lock:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            _thread = threading.Thread(target=_loop.run_forever, name="interop-loop", daemon=True)
            _thread.start()
        return _loop


async def _cancel_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

# SPDX-License-Identifier: MIT
"""What the operating system knows about this process."""

from __future__ import annotations

import os
import sys
import threading
import time

from mqtt_ref.broker.sys_topics import Outside

__all__ = ["outside"]

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]


def outside() -> Outside:
    """The time, the memory in use and the threads; a number that this system does not tell is 0."""
    most = 0
    if resource is not None:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        if sys.platform != "darwin":  # there it is bytes already
            most *= 1024
    memory = _resident() or most
    return Outside(time.time_ns(), memory, max(most, memory), threading.active_count())


def _resident() -> int:
    """Bytes of memory that are in use, or 0."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0

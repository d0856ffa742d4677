# SPDX-License-Identifier: MIT
"""Reads the time, memory and thread count of this process from the operating system."""

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
    """Return the time, the memory in use and the number of threads. A number that is not available is 0."""
    most = 0
    if resource is not None:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        if sys.platform != "darwin":  # macOS gives bytes, other systems KiB
            most *= 1024
    memory = _resident() or most
    return Outside(time.time_ns(), memory, max(most, memory), threading.active_count())


def _resident() -> int:
    """Return the memory in use, in bytes, or 0 if it is not available."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0

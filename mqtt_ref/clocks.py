# SPDX-License-Identifier: MIT
"""The clocks of the system. They go on while a test has replaced the functions of `time`, to freeze it or to travel."""

from __future__ import annotations

import time
from functools import partial
from types import BuiltinFunctionType

__all__ = ["monotonic", "monotonic_ns", "time_ns"]

# Tools such as freezegun replace the functions of `time` in each module, and find them by identity: a `partial` of one
# is left alone, and costs less than a function around it.
if isinstance(time.monotonic_ns, BuiltinFunctionType) or not hasattr(time, "clock_gettime"):
    monotonic_ns = partial(time.monotonic_ns)
    """Return nanoseconds of a clock that never goes back."""
    monotonic = partial(time.monotonic)
    """Return seconds of the same clock."""
    time_ns = partial(time.time_ns)
    """Return UTC, in nanoseconds since 1970."""
else:  # they are replaced already. These are the same clocks, slower to read
    monotonic_ns = partial(time.clock_gettime_ns, time.CLOCK_MONOTONIC)
    monotonic = partial(time.clock_gettime, time.CLOCK_MONOTONIC)
    time_ns = partial(time.clock_gettime_ns, time.CLOCK_REALTIME)

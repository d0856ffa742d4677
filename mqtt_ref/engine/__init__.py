# SPDX-License-Identifier: MIT
"""One connection and its session: sans-IO, told the time, driven by tables."""

__all__: list[str] = []

# SPDX-License-Identifier: MIT
"""Many sessions, still no I/O: routing, retained messages, shared subscriptions, expiry."""

__all__: list[str] = []

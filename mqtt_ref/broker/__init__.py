# SPDX-License-Identifier: MIT
"""Many sessions, without I/O: routing, retained messages, Shared Subscriptions, expiry."""

__all__: list[str] = []

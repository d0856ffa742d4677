# SPDX-License-Identifier: MIT
"""Stores: where sessions, subscriptions, messages and what is retained are kept, so that they outlive the process."""

from __future__ import annotations

__all__: list[str] = []

# SPDX-License-Identifier: MIT
"""Kills of the broker, of its store and of the power, with clients that keep book of what was promised to them."""

__all__: list[str] = []

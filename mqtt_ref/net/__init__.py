# SPDX-License-Identifier: MIT
"""Sockets: what is read from them goes into the broker, what the broker says is written to them."""

__all__: list[str] = []

# SPDX-License-Identifier: MIT
"""The judge of clients, which says what rule was broken and where; a broker that misbehaves as it is told."""

__all__: list[str] = []

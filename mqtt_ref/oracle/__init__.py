# SPDX-License-Identifier: MIT
"""The judge of clients, which says what rule was broken and where; and a broker that misbehaves towards them as told."""

__all__: list[str] = []

# SPDX-License-Identifier: MIT
"""Brokers that keep the standards in an unusual way, and the conformance suite held against each of them."""

__all__: list[str] = []

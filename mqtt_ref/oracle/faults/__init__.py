# SPDX-License-Identifier: MIT
"""Proof that the judge can accuse: a client that keeps every rule, and what it does when it is told not to."""

__all__: list[str] = []

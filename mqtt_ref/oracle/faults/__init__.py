# SPDX-License-Identifier: MIT
"""Faulty clients, which prove that the judge detects each breach: a correct client whose rules can be switched off."""

__all__: list[str] = []

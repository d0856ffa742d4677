# SPDX-License-Identifier: MIT
"""Helpers for people who test with mqtt_ref."""

__all__: list[str] = []

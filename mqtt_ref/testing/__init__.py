# SPDX-License-Identifier: MIT
"""Helpers for tests that use mqtt_ref."""

__all__: list[str] = []

# SPDX-License-Identifier: MIT
"""Configuration: a YAML or JSON file and environment variables, checked as a whole before anything is applied."""

from __future__ import annotations

__all__: list[str] = []

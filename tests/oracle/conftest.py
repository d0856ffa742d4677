# SPDX-License-Identifier: MIT
"""Every test that runs a judge on a broker is also a test of its trace: `check` has to say what was said live."""

from __future__ import annotations

from tests.agreement import recorded_as_live

__all__ = ["recorded_as_live"]

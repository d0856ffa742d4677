# SPDX-License-Identifier: MIT
"""How many generated sessions of lawful clients are played: few each time, `MQTT_REF_SESSIONS=1000` many."""

from __future__ import annotations

import os

__all__ = ["sessions"]


def sessions(few: int) -> int:
    """As many as are asked for; `few` if nobody asks."""
    return int(os.environ.get("MQTT_REF_SESSIONS", few))

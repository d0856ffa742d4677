# SPDX-License-Identifier: MIT
"""Hooks: what a program may watch, change and decide in the broker. `Hook` lists the events."""

from mqtt_ref.hooks.allow import AllowAll
from mqtt_ref.hooks.debug import Debug
from mqtt_ref.hooks.hook import Hook
from mqtt_ref.hooks.outcomes import Challenge, Decision, Drop, Reject

__all__ = ["AllowAll", "Challenge", "Debug", "Decision", "Drop", "Hook", "Reject"]

# SPDX-License-Identifier: MIT
"""Bytes to packets and back: no state, no policy."""

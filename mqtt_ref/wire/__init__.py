# SPDX-License-Identifier: MIT
"""Converts bytes to packets and packets to bytes. It has no connection state and no policy."""

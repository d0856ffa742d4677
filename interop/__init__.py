# SPDX-License-Identifier: MIT
"""Tests the broker with third-party clients and the Eclipse Paho suite; see README.md. Not shipped."""

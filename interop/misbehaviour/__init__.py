# SPDX-License-Identifier: MIT
"""Misbehaviours of a server, played against real clients in ordinary use, and what each of them does."""

# SPDX-License-Identifier: MIT
"""Misbehaviours of a server, run against real clients in ordinary use, and what each client does."""

# SPDX-License-Identifier: MIT
"""Who may connect, publish, subscribe and read: the rule ledger, passwords, SCRAM-SHA-256, certificates."""

__all__: list[str] = []

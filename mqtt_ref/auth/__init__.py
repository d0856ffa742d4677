# SPDX-License-Identifier: MIT
"""Authentication and access control: the rule ledger, passwords, SCRAM-SHA-256, certificates."""

__all__: list[str] = []

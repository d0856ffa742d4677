# SPDX-License-Identifier: MIT
"""Broken brokers, made from changed tables, that the suite has to accuse: the only part that uses the engine."""

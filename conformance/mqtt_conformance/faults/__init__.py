# SPDX-License-Identifier: MIT
"""Broken brokers that the suite has to accuse, made from changed tables. Only this package may use the engine."""

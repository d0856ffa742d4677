# SPDX-License-Identifier: MIT
"""Brokers that break one rule each: a proxy before a correct broker. The rows were written from the standards alone."""

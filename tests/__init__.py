# SPDX-License-Identifier: MIT
"""The tests, and what shows what they reach."""

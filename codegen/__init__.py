# SPDX-License-Identifier: MIT
"""Turns the tables in `spec/` into committed, readable Python. Nothing at run time imports this package."""

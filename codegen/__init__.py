# SPDX-License-Identifier: MIT
"""Generates readable Python from the tables in `spec/`. The output is committed; nothing imports this at run time."""

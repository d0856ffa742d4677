# SPDX-License-Identifier: MIT
"""Makes packets that break each row of the tables in every way.

A sample packet (`samples`) is laid out field by field (`draft`). For each kind of damage there is a module that damages
one place of it and finds what that breaks (`breaches`). The `book` records each result once. Functions that damage a
packet yield `Vector`s.
"""

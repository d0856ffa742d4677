# SPDX-License-Identifier: MIT
"""Every way in which a packet can break a row of the tables, as packets that do.

A sample packet (`samples`) is laid out field by field (`draft`); a module per kind of damage spoils one spot of it and
says what that breaks (`breaches`); the `book` notes each result once. Functions that damage yield `Vector`s.
"""

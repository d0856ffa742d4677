# SPDX-License-Identifier: MIT
"""Reads the tables of `spec/`. Each file has a module that converts its rows to the rows of the model.

`reader` reads columns and refuses unknown ones. `crosschecks` checks the references between tables. `codegen.load`
reads all tables.
"""

# SPDX-License-Identifier: MIT
"""The tables of `spec/` as they are read: a module for each file, which turns its rows into those of the model.

`reader` has the columns and refuses what is left over, `crosschecks` what one table says of another. `codegen.load`
reads them all.
"""

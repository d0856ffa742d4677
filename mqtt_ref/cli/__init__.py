# SPDX-License-Identifier: MIT
"""The command line: one module for each command, imported only when that command is called."""

__all__: list[str] = []

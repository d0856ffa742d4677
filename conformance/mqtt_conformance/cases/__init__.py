# SPDX-License-Identifier: MIT
"""The cases, one module per chapter of the standards."""

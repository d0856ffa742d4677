# SPDX-License-Identifier: MIT
"""A second strict client, written from the text of the standards alone: whatever it does, the judge has to be silent."""

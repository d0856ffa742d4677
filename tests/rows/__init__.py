# SPDX-License-Identifier: MIT
"""Whether the tests notice when one row of a table is wrong: `python -m tests.rows`."""

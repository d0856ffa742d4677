# SPDX-License-Identifier: MIT
"""`python -m tests.kills`; see `tests.kills.run`."""

from __future__ import annotations

import sys

from tests.kills.run import main

__all__: list[str] = []

if __name__ == "__main__":
    sys.exit(main())

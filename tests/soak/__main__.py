# SPDX-License-Identifier: MIT
"""`python -m tests.soak`; see `tests.soak.run`."""

from __future__ import annotations

import sys

from tests.soak.run import main

__all__: list[str] = []

if __name__ == "__main__":
    sys.exit(main())

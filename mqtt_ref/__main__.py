# SPDX-License-Identifier: MIT
"""`python -m mqtt_ref` is `mqtt-ref`."""

import sys

from mqtt_ref.cli.main import main

__all__: list[str] = []

if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: MIT
"""The judge of clients, for tests: see `mqtt_ref.oracle.facade`."""

from __future__ import annotations

from mqtt_ref.oracle.facade import GRACE, PATIENCE, AsyncOracle, Oracle

__all__ = ["GRACE", "PATIENCE", "AsyncOracle", "Oracle"]

# SPDX-License-Identifier: MIT
"""The network side of the broker: listeners, connections, and the driver on the event loop."""

__all__: list[str] = []

# SPDX-License-Identifier: MIT
"""The judge of clients, which reports the rules they break, and a broker with faults injected by a script."""

__all__: list[str] = []

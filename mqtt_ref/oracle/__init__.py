# SPDX-License-Identifier: MIT
"""The judge of clients: watches connections, and says which rule that binds the client was broken, and where."""

__all__: list[str] = []

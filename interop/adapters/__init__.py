# SPDX-License-Identifier: MIT
"""One adapter per client library. Each implements `interop.peer.Client`."""

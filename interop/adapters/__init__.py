# SPDX-License-Identifier: MIT
"""One adapter per client library; each gives the protocol of `interop.peer.Client`."""

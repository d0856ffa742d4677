# SPDX-License-Identifier: MIT
"""Soak: clients of all kinds come, go, and stay away; then no collection of the broker may be larger than before."""

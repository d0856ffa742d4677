# SPDX-License-Identifier: MIT
"""Measurements that are part of the project: the codec's cost, and the broker beside others. See `README.md`."""

# SPDX-License-Identifier: MIT
"""Measurements that belong to the project: the codec's cost, and the broker compared with others. See `README.md`."""

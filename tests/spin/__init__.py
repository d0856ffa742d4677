# SPDX-License-Identifier: MIT
"""A model of delivery that `spin` explores, and the engine held against it: `python -m tests.spin`."""

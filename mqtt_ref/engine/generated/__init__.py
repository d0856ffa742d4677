# SPDX-License-Identifier: MIT
# Written by `python -m codegen` from `spec/machines/`. Change that, then run it again.
"""Tables generated from `spec/`."""

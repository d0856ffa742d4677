# SPDX-License-Identifier: MIT
"""What `python -m codegen` wrote from the tables in `spec/`."""

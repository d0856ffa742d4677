# SPDX-License-Identifier: MIT
"""Model-based fuzzing: random clients against a plain model of what each must and may receive."""

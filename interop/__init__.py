# SPDX-License-Identifier: MIT
"""Other people's clients and the Eclipse Paho suite against the broker; see README.md. Not shipped."""

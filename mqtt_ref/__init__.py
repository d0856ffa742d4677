# SPDX-License-Identifier: MIT
"""MQTT 5.0, 3.1.1 and 3.1 with the standard as its source: a broker, a judge of clients, a judge of brokers."""

__all__ = ["__version__"]

__version__ = "0.1.0.dev0"

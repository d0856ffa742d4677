# SPDX-License-Identifier: MIT
"""The conformance suite: checks any MQTT broker against the normative statements of the standards.

It uses the wire format and the statements, and no other code of this project's broker. So it cannot repeat the mistakes
of that broker.
"""

__all__: list[str] = []

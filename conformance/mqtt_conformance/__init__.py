# SPDX-License-Identifier: MIT
"""The conformance suite: judges any MQTT broker by the normative statements of the standards.

It knows the wire format and the statements and shares nothing else with the broker of this project, so that it cannot
share its mistakes.
"""

__all__: list[str] = []

# SPDX-License-Identifier: MIT
"""The Authentication Method that the suite expects of a broker that provides `enhanced_auth`."""

from __future__ import annotations

from mqtt_ref.broker.views import Client
from mqtt_ref.hooks import Challenge, Decision, Hook

__all__ = ["ConformanceMethod"]


class ConformanceMethod(Hook):
    """Answers `hello` with a challenge, then accepts only `yes`."""

    auth_methods = frozenset({"conformance"})

    def on_auth_packet(
        self, client: Client, method: str, data: bytes | None, renewal: bool
    ) -> Challenge | Decision | None:
        if data == b"hello":
            return Challenge(b"challenge")
        return Decision(data == b"yes", 0x87)

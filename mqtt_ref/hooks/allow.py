# SPDX-License-Identifier: MIT
"""Hook that accepts every client and allows everything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mqtt_ref.hooks.hook import Hook

if TYPE_CHECKING:
    from mqtt_ref.broker.views import Client
    from mqtt_ref.wire.packets import Connect

__all__ = ["AllowAll"]


class AllowAll(Hook):
    """Every client may connect, publish, subscribe and read. As the first access hook it costs nothing."""

    id = "allow-all"

    def on_connect_authenticate(self, client: Client, connect: Connect) -> bool:
        return True

    def on_acl_check(self, client: Client, topic: str, write: bool) -> bool:
        return True

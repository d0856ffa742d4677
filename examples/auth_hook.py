# SPDX-License-Identifier: MIT
"""A hook that checks tokens: which client may connect, and what it may do. `docs/access.md` shows rules in a file.

Prints:
    melon with its token: Success
    melon with another one: Not authorized
    melon writes to melon/state: Success
    melon writes to lemon/state: Not authorized
"""

import hmac

from mqtt_ref import Hook, ThreadedServer
from mqtt_ref.broker.views import Client
from mqtt_ref.hooks import Decision
from mqtt_ref.testing.rawclient import RawClient
from mqtt_ref.wire.packets import Connect, Puback, Publish

WORDS = {0x00: "Success", 0x10: "Success", 0x87: "Not authorized"}
TOKENS = {"melon": b"3f81", "lemon": b"90ac"}


class Tokens(Hook):
    """Every client has a token, and topics below its own name."""

    def on_connect_authenticate(self, client: Client, connect: Connect) -> Decision:
        """Check the token, which comes as the password. May be `async def`, to query a database."""
        right = hmac.compare_digest(TOKENS.get(client.id, b""), connect.password or b"")
        return Decision(right and client.id in TOKENS, reason_code=0 if right else 0x87)

    def on_acl_check(self, client: Client, topic: str, write: bool) -> bool:
        """Let a connected client read everything, and write below its own name."""
        return not write or topic.startswith(f"{client.id}/")


with ThreadedServer(hooks=[Tokens()]) as server, RawClient(server.port) as melon:
    print("melon with its token:", WORDS[melon.connect("melon", username="melon", password=b"3f81").reason_code])
    with RawClient(server.port) as thief:
        print("melon with another one:", WORDS[thief.connect("melon", username="melon", password=b"guess").reason_code])
    for topic in ("melon/state", "lemon/state"):
        melon.send(Publish(topic, b"ripe", 1, packet_id=1))
        print(f"melon writes to {topic}:", WORDS[melon.expect(Puback).reason_code])
    melon.disconnect()

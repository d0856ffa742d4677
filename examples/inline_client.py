# SPDX-License-Identifier: MIT
"""The embedding program exchanges messages without a connection: with handlers, an iterator, and its own messages.

Prints:
    handler: garden/melon ripe
    loop: garden/melon ripe
    loop: garden/lemon sour
    loop: garden/fig sweet
"""

import asyncio

from mqtt_ref import AllowAll, Server


async def main() -> None:
    """Publish three messages and receive them in two ways."""
    async with Server(hooks=[AllowAll()]) as server:
        server.subscribe("garden/melon", lambda message: print("handler:", message.topic, message.payload.decode()))
        async with server.messages("garden/#") as messages:
            for topic, payload in (("melon", "ripe"), ("lemon", "sour"), ("fig", "sweet")):
                server.publish(f"garden/{topic}", payload)
            left = 3
            async for message in messages:
                print("loop:", message.topic, message.payload.decode())
                left -= 1
                if not left:
                    break


asyncio.run(main())

# SPDX-License-Identifier: MIT
"""A broker inside an asyncio program, with a third-party client.

Prints:
    listening on mqtt://127.0.0.1:PORT
    garden/melon: ripe
    clients: melon
"""

import asyncio

import aiomqtt

from mqtt_ref import AllowAll, Server


async def main() -> None:
    """Run the broker, and a client of it."""
    async with Server(hooks=[AllowAll()]) as server:
        print("listening on", server.url)
        async with aiomqtt.Client("127.0.0.1", server.port, identifier="melon") as client:
            await client.subscribe("garden/+")
            await client.publish("garden/melon", "ripe")
            message = await anext(aiter(client.messages))
            print(f"{message.topic}: {message.payload.decode()}")
            print("clients:", *[one.id for one in server.clients()])


asyncio.run(main())

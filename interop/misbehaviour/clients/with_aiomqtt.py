# SPDX-License-Identifier: MIT
"""aiomqtt as an application would use it: it reconnects in a loop, as its guide says. Prints each event."""

import asyncio
import json
import os
import sys
import threading
from typing import Any

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties


def say(event: str, **more: Any) -> None:
    """Print one line for the player."""
    print(json.dumps({"event": event, **more}), flush=True)


async def publish(client: aiomqtt.Client, payload: str, qos: int) -> None:
    """Publish a message and print the result."""
    await client.publish("from/client", payload, qos)
    say("published", reason=payload)


async def main(port: int, client_id: str, keep_alive: int) -> None:
    """Connect, subscribe, publish three messages, and run until it is ended."""
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = 60
    client = aiomqtt.Client(
        "127.0.0.1",
        port,
        identifier=client_id,
        protocol=aiomqtt.ProtocolVersion.V5,
        clean_start=False,
        keepalive=keep_alive,
        properties=properties,
        timeout=5,
    )
    left = [("one", 1), ("two", 2), ("three", 1)]
    subscribed = False
    while True:
        try:
            async with client:
                say("connected", reason="")
                if not subscribed:
                    await client.subscribe("to/client", 2)
                    subscribed = True
                    say("subscribed", reason="")
                while left:
                    await publish(client, *left[0])
                    left.pop(0)
                async for message in client.messages:
                    payload = message.payload
                    say("message", payload=payload.decode(errors="replace") if isinstance(payload, bytes) else "")
        except aiomqtt.MqttError as error:
            say("disconnected", reason=str(error))
            await asyncio.sleep(1)


def end_with_input() -> None:
    """End when the player closes standard input, in any state of the event loop."""
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=end_with_input, daemon=True).start()
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))

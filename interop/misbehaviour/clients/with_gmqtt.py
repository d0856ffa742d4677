# SPDX-License-Identifier: MIT
"""gmqtt as an application would use it, reconnecting by itself. Prints each event."""

import asyncio
import json
import os
import sys
import threading
from typing import Any

from gmqtt import Client


def say(event: str, **more: Any) -> None:
    """Print one line for the player."""
    print(json.dumps({"event": event, **more}), flush=True)


async def main(port: int, client_id: str, keep_alive: int) -> None:
    """Connect, subscribe, publish three messages, and run until standard input ends."""
    client = Client(client_id, clean_session=False, session_expiry_interval=60)
    client.set_config({"reconnect_delay": 1, "reconnect_retries": -1})
    begun = False

    def on_connect(_client: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        nonlocal begun
        say("connected", reason=str(reason))
        if not begun:
            begun = True
            client.subscribe("to/client", qos=2)
            client.publish("from/client", "one", qos=1)
            client.publish("from/client", "two", qos=2)
            client.publish("from/client", "three", qos=1)

    async def on_message(_client: Any, _topic: str, payload: bytes, _qos: int, _properties: Any) -> int:
        say("message", payload=payload.decode(errors="replace"))
        return 0

    client.on_connect = on_connect
    client.on_message = on_message
    client.on_subscribe = lambda _c, _mid, qos, _p: say("subscribed", reason=str(qos))
    client.on_disconnect = lambda _c, _packet, error=None: say("disconnected", reason=str(error))
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, context: say("error", reason=str(context.get("exception", context))))
    try:
        await client.connect("127.0.0.1", port, keepalive=keep_alive)
    except Exception as error:
        say("error", reason=f"{type(error).__name__}: {error}")
    await asyncio.Event().wait()


def end_with_input() -> None:
    """End when the player closes standard input, in any state of the event loop."""
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=end_with_input, daemon=True).start()
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))

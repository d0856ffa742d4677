# SPDX-License-Identifier: MIT
"""paho-mqtt as an application would use it: the network thread, reconnecting by itself. Prints each event."""

import json
import os
import sys
import threading
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties


def say(event: str, **more: Any) -> None:
    """Print one line for the player."""
    print(json.dumps({"event": event, **more}), flush=True)


def main(port: int, client_id: str, keep_alive: int) -> None:
    """Connect, subscribe, publish three messages, and run until standard input ends."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=MQTTProtocolVersion.MQTTv5)
    client.reconnect_delay_set(1, 1)
    begun = False

    def on_connect(_c: Any, _u: Any, _flags: Any, reason: Any, _p: Any) -> None:
        nonlocal begun
        say("refused" if reason.is_failure else "connected", reason=str(reason))
        if not reason.is_failure and not begun:
            begun = True
            client.subscribe("to/client", 2)
            client.publish("from/client", "one", 1)
            client.publish("from/client", "two", 2)
            client.publish("from/client", "three", 1)

    client.on_connect = on_connect
    client.on_disconnect = lambda _c, _u, _f, reason, _p: say("disconnected", reason=str(reason))
    client.on_subscribe = lambda _c, _u, _mid, reasons, _p: say("subscribed", reason=str(reasons[0]))
    client.on_publish = lambda _c, _u, _mid, reason, _p: say("published", reason=str(reason))
    client.on_message = lambda _c, _u, message: say("message", payload=message.payload.decode(errors="replace"))
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = 60
    threading.excepthook = lambda args: say("error", reason=f"{args.exc_type.__name__}: {args.exc_value}")
    client.connect("127.0.0.1", port, keep_alive, clean_start=False, properties=properties)
    client.loop_start()
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))

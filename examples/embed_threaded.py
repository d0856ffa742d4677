# SPDX-License-Identifier: MIT
"""A broker for a program without an event loop: it runs in a thread of its own.

Prints:
    garden/melon: ripe
    retained: garden/melon
"""

from paho.mqtt import publish, subscribe

from mqtt_ref import AllowAll, ThreadedServer

with ThreadedServer(hooks=[AllowAll()]) as server:
    publish.single("garden/melon", "ripe", retain=True, hostname=server.host, port=server.port)
    message = subscribe.simple("garden/+", hostname=server.host, port=server.port)
    print(f"{message.topic}: {message.payload.decode()}")
    print("retained:", *[one.topic for one in server.retained()])

# SPDX-License-Identifier: MIT
"""A broker for a program without an event loop: it runs in its own thread.

Prints:
    garden/melon: ripe
    retained: garden/melon
"""

from paho.mqtt import publish

from mqtt_ref import AllowAll, ThreadedServer

with ThreadedServer(hooks=[AllowAll()]) as server:
    with server.messages("garden/+") as messages:
        publish.single("garden/melon", "ripe", qos=1, retain=True, hostname=server.host, port=server.port)
        message = next(messages)
        print(f"{message.topic}: {message.payload.decode()}")
    print("retained:", *[one.topic for one in server.retained()])

# SPDX-License-Identifier: MIT
"""A hook of one's own: it changes what is published, refuses some of it, and is told who comes and goes.

Prints:
    melon has come
    garden/melon: RIPE
    refused: Not authorized
    melon has gone
"""

from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from mqtt_ref import AllowAll, Hook, ThreadedServer
from mqtt_ref.broker.views import Client as Visitor
from mqtt_ref.hooks import Reject
from mqtt_ref.wire.packets import Publish


class Gardener(Hook):
    """Lets nobody touch the fence, and speaks up."""

    def on_session_established(self, client: Visitor, session_present: bool) -> None:
        """Somebody is here."""
        print(client.id, "has come")

    def on_disconnect(self, client: Visitor, reason_code: int, text: str) -> None:
        """Somebody has left."""
        print(client.id, "has gone")

    def on_publish(self, client: Visitor, packet: Publish) -> Publish:
        """What is delivered in place of what was published."""
        if packet.topic.startswith("fence/"):
            raise Reject(0x87, "the fence stays as it is")
        return Publish(packet.topic, packet.payload.upper(), packet.qos, packet_id=packet.packet_id)


def tell(client: Client, userdata: object, mid: int, reason: ReasonCode, properties: object) -> None:
    """Say what was refused."""
    if reason.is_failure:
        print("refused:", reason)


with ThreadedServer(hooks=[Gardener(), AllowAll()]) as server:
    server.subscribe("garden/+", lambda message: print(f"{message.topic}: {message.payload.decode()}"))
    client = Client(CallbackAPIVersion.VERSION2, "melon", protocol=MQTTv5)
    client.on_publish = tell
    client.connect(server.host, server.port)
    client.loop_start()
    for topic, payload in (("garden/melon", "ripe"), ("fence/gate", "open")):
        client.publish(topic, payload, qos=1).wait_for_publish(5)
    client.disconnect()
    client.loop_stop()

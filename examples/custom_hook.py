# SPDX-License-Identifier: MIT
"""A custom hook: it changes published messages, refuses some, and reports clients that connect and disconnect.

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
    """Refuses messages to the fence, and publishes the others in upper case."""

    def on_session_established(self, client: Visitor, session_present: bool) -> None:
        """Report a client that connected."""
        print(client.id, "has come")

    def on_disconnect(self, client: Visitor, reason_code: int, text: str) -> None:
        """Report a client that disconnected."""
        print(client.id, "has gone")

    def on_publish(self, client: Visitor, packet: Publish) -> Publish:
        """Return the message to deliver instead of the published one."""
        if packet.topic.startswith("fence/"):
            raise Reject(0x87, "the fence stays as it is")
        return Publish(packet.topic, packet.payload.upper(), packet.qos, packet_id=packet.packet_id)


def tell(client: Client, userdata: object, mid: int, reason: ReasonCode, properties: object) -> None:
    """Print what was refused."""
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

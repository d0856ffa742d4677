# SPDX-License-Identifier: MIT
"""Tests of an MQTT client, here paho-mqtt. Each test fails by itself if the client breaks a rule."""

from collections.abc import Iterator

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from mqtt_ref.testing.oracle import Oracle
from mqtt_ref.wire.packets import Connect, Publish, Subscribe


@pytest.fixture
def client(mqtt_oracle: Oracle) -> Iterator[paho.Client]:
    client = paho.Client(CallbackAPIVersion.VERSION2, "melon", protocol=paho.MQTTv5)
    client.connect(mqtt_oracle.host, mqtt_oracle.port)
    client.loop_start()
    yield client
    client.disconnect()
    client.loop_stop()


def test_it_connects(client: paho.Client, mqtt_oracle: Oracle) -> None:
    assert mqtt_oracle.expect(Connect, client_id="melon").keep_alive == 60


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_it_hears_itself(client: paho.Client, mqtt_oracle: Oracle, qos: int) -> None:
    came: list[bytes | bytearray] = []
    client.on_message = lambda client, userdata, message: came.append(message.payload)
    client.subscribe("garden/+", qos)
    mqtt_oracle.expect(Subscribe)
    client.publish("garden/melon", "ripe", qos)
    mqtt_oracle.expect(Publish, topic="garden/melon", payload="ripe", dup=False)
    assert mqtt_oracle.wait_for(lambda: came) == [b"ripe"]


@pytest.mark.mqtt_options(maximum_qos=1)
def test_it_does_not_use_what_the_server_lacks(client: paho.Client, mqtt_oracle: Oracle) -> None:
    mqtt_oracle.wait_for(client.is_connected)
    client.publish("garden/melon", "ripe", 1).wait_for_publish(5)
    melon = mqtt_oracle.server.client("melon")
    assert melon is not None
    assert melon.connected

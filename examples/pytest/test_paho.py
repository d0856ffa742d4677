# SPDX-License-Identifier: MIT
"""A test suite for an MQTT client, here paho-mqtt: each test fails by itself if the client breaks a rule."""

import paho.mqtt.client as paho
import pytest

from mqtt_ref.wire.packets import Connect, Publish, Subscribe


@pytest.fixture
def client(mqtt_oracle):
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, "melon", protocol=paho.MQTTv5)
    client.connect(mqtt_oracle.host, mqtt_oracle.port)
    client.loop_start()
    yield client
    client.disconnect()
    client.loop_stop()


def test_it_connects(client, mqtt_oracle):
    assert mqtt_oracle.expect(Connect, client_id="melon").keep_alive == 60


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_it_hears_itself(client, mqtt_oracle, qos):
    came = []
    client.on_message = lambda client, userdata, message: came.append(message.payload)
    client.subscribe("garden/+", qos)
    mqtt_oracle.expect(Subscribe)
    client.publish("garden/melon", "ripe", qos)
    mqtt_oracle.expect(Publish, topic="garden/melon", payload="ripe", dup=False)
    assert mqtt_oracle.wait_for(lambda: came) == [b"ripe"]


@pytest.mark.mqtt_options(maximum_qos=1)
def test_it_does_not_use_what_the_server_lacks(client, mqtt_oracle):
    mqtt_oracle.wait_for(client.is_connected)
    client.publish("garden/melon", "ripe", 1).wait_for_publish(5)
    assert mqtt_oracle.server.client("melon").connected

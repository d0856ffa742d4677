# SPDX-License-Identifier: MIT
"""A PUBACK is lost together with the link: paho-mqtt has to send its message again, with DUP.

python examples/oracle/lost_puback.py
"""

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from mqtt_ref.oracle.actions import Close
from mqtt_ref.oracle.facade import Oracle
from mqtt_ref.oracle.matching import Match
from mqtt_ref.oracle.rules import Rule

lose_it = Rule(when=Match(packet="PUBACK", to="sensor", nth=1), do=Close())

with Oracle(rules=[lose_it]) as oracle:
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="sensor", clean_session=False)
    client.connect("127.0.0.1", oracle.port)
    client.loop_start()
    client.publish("temperature", "21.5", qos=1)

    oracle.wait(Match(packet="PUBLISH", by="sensor", dup=True), within=10)
    oracle.wait(Match(packet="PUBACK", to="sensor", connection=2), within=10)
    client.disconnect()
    client.loop_stop()

# The block raises AssertionError if the client broke a rule that is a MUST.
print("sent again with DUP 1, and acknowledged")

# SPDX-License-Identifier: MIT
"""The misbehaviours: rules for the broker, and what the standard lets a client do."""

from dataclasses import dataclass

from mqtt_ref.oracle.actions import (
    Close,
    Corrupt,
    Delay,
    Drop,
    Duplicate,
    Freeze,
    HalfOpen,
    Insert,
    Limit,
    Refuse,
    Reorder,
    Replace,
    Split,
)
from mqtt_ref.oracle.matching import Match
from mqtt_ref.oracle.rules import Rule

CLIENT = "*"


@dataclass(frozen=True, slots=True)
class Case:
    """One misbehaviour. `right` is what a client that follows the rules does, with the statements."""

    name: str
    does: str
    right: str
    rules: tuple[Rule, ...]
    last: float = 5.0
    """How long the client is watched, in seconds."""


ALIAS_0 = "PUBLISH/properties.topic_alias/0"
EARLY = {"type": "PUBLISH", "topic": "to/client", "payload": "early"}
GOODBYE = {"type": "DISCONNECT", "reason_code": 0x8B}

CASES = (
    Case(
        "connack-refused",
        "The first CONNECT is refused with 0x88, Server unavailable.",
        "Tells the application; it may try again.",
        (Rule(when=Match(packet="CONNECT", by=CLIENT), do=Refuse(code=0x88), times=1),),
    ),
    Case(
        "connack-never",
        "The first CONNECT is never answered.",
        "Gives up after its own timeout and tries again.",
        (Rule(when=Match(packet="CONNECT", by=CLIENT, connection=1), do=Freeze()),),
        9.0,
    ),
    Case(
        "connack-in-bytes",
        "The CONNACK comes in single bytes, 20 ms apart.",
        "Notices nothing.",
        (Rule(when=Match(packet="CONNACK", to=CLIENT), do=Split(pause=0.02)),),
        3.0,
    ),
    Case(
        "connack-illegal",
        "The first CONNACK has a reserved bit set.",
        "Should close [X5-error-client-close]; it may try again.",
        (Rule(when=Match(packet="CONNACK", to=CLIENT, nth=1), do=Corrupt(at=2, xor=0x02)),),
    ),
    Case(
        "puback-lost",
        "The first PUBACK is lost; the link stays.",
        "Waits: on a live link nothing may be sent again [MQTT5-4.4.0-1].",
        (Rule(when=Match(packet="PUBACK", to=CLIENT, nth=1), do=Drop()),),
    ),
    Case(
        "puback-lost-with-link",
        "The first PUBACK is lost, and the link with it.",
        "Connects again and sends that PUBLISH again with DUP 1 [MQTT5-4.4.0-1, MQTT5-3.3.1-1].",
        (Rule(when=Match(packet="PUBACK", to=CLIENT, nth=1), do=Close()),),
    ),
    Case(
        "pubcomp-lost-with-link",
        "The first PUBCOMP is lost, and the link with it.",
        "Connects again and sends PUBREL again, not the PUBLISH [MQTT5-4.4.0-1].",
        (Rule(when=Match(packet="PUBCOMP", to=CLIENT, nth=1), do=Close()),),
    ),
    Case(
        "acks-out-of-order",
        "The first PUBACK comes after the packet that should follow it.",
        "Takes both.",
        (Rule(when=Match(packet="PUBACK", to=CLIENT, nth=1), do=Reorder()),),
        3.0,
    ),
    Case(
        "publish-before-suback",
        "A message comes before the SUBACK.",
        "Accepts it: the server may do that (3.8.4).",
        (Rule(when=Match(packet="SUBACK", to=CLIENT), do=Insert(packet=EARLY, place="before")),),
        3.0,
    ),
    Case(
        "suback-for-another",
        "The SUBACK has a Packet Identifier that no SUBSCRIBE has.",
        "Closes or ignores it; does not treat it as the answer.",
        (Rule(when=Match(packet="SUBACK", to=CLIENT), do=Corrupt(fields={"packet_id": 60_000})),),
    ),
    Case(
        "qos2-twice",
        "A PUBLISH of QoS 2 comes twice, one directly after the other.",
        "Gives it to the application once [MQTT5-4.3.3-10].",
        (Rule(when=Match(packet="PUBLISH", to=CLIENT, qos=2, nth=1), do=Duplicate()),),
        3.0,
    ),
    Case(
        "qos3",
        "A PUBLISH with QoS 3.",
        "Treats it as malformed (3.3.1.2), and should close [X5-error-client-close].",
        (Rule(when=Match(packet="PUBLISH", to=CLIENT, qos=2, nth=1), do=Corrupt(at=0, xor=0x02)),),
    ),
    Case(
        "alias-0",
        "A PUBLISH with Topic Alias 0.",
        "Treats it as a Protocol Error (3.3.2.3.4), and should close [X5-error-client-close].",
        (Rule(when=Match(packet="PUBLISH", to=CLIENT, qos=2, nth=1), do=Replace(illegal=ALIAS_0)),),
    ),
    Case(
        "receive-maximum-1",
        "Receive Maximum is 1, and PUBACK and PUBREC are late.",
        "Has one message in flight at a time [MQTT5-3.3.4-7].",
        (
            Rule(when=Match(packet="CONNECT", by=CLIENT), do=Limit(receive_maximum=1)),
            Rule(when=Match(packet="PUBACK", to=CLIENT), do=Delay(seconds=0.3)),
            Rule(when=Match(packet="PUBREC", to=CLIENT), do=Delay(seconds=0.3)),
        ),
    ),
    Case(
        "maximum-qos-0",
        "Maximum QoS is 0; the application publishes with QoS 1 and 2 anyway.",
        "Sends nothing of QoS 1 or 2 [MQTT5-3.2.2-11].",
        (Rule(when=Match(packet="CONNECT", by=CLIENT), do=Limit(maximum_qos=0)),),
        3.0,
    ),
    Case(
        "half-open",
        "The link goes dead before the SUBACK: nothing is sent or read on it.",
        "Sends PINGREQ, and gives up when no PINGRESP comes (3.1.2.10).",
        (Rule(when=Match(packet="SUBACK", to=CLIENT, nth=1), do=HalfOpen()),),
        9.0,
    ),
    Case(
        "server-leaves",
        "The server sends DISCONNECT with 0x8B, Server shutting down, and closes.",
        "Tells the application; it may connect again.",
        (
            Rule(
                when=Match(packet="SUBACK", to=CLIENT, nth=1),
                do=[Insert(packet=GOODBYE), Close(place="after")],
            ),
        ),
    ),
)

__all__ = ["CASES", "Case"]

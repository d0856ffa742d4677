# SPDX-License-Identifier: MIT
"""Faults of the connection itself: beginning, Keep Alive, authentication, text, end."""

from __future__ import annotations

from mqtt_ref.oracle.faults.catalogue import fault
from mqtt_ref.oracle.faults.stage import Stage
from mqtt_ref.wire.codes import (
    CONTINUE_AUTHENTICATION,
    NOT_AUTHORIZED,
    PROTOCOL_ERROR,
    RE_AUTHENTICATE,
    SERVER_SHUTTING_DOWN,
    TOPIC_ALIAS_INVALID,
)
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import (
    Auth,
    AuthProperties,
    Connack,
    ConnackProperties,
    Connect,
    ConnectProperties,
    Disconnect,
    DisconnectProperties,
    Pingreq,
    Publish,
    PublishProperties,
    Will,
    WillProperties,
)
from mqtt_ref.wire.primitives import V31, V311

__all__: list[str] = []

METHOD = ConnectProperties(authentication_method="m")


# ---------------------------------------------------------------- the beginning


@fault("MQTT5-3.1.0-1")
def ping_first(stage: Stage) -> None:
    """Sends a PINGREQ before its CONNECT."""
    stage.raw(b"\xc0\x00")


@fault("MQTT311-3.1.0-1", versions=(V311,))
def ping_first_311(stage: Stage) -> None:
    """The same by a client that is known to speak 3.1.1."""
    stage.watched.talk.version = V311
    stage.raw(b"\xc0\x00")


@fault("X5-connect-once", "X311-connect-once")
def connect_twice(stage: Stage) -> None:
    """Sends a second CONNECT."""
    stage.connect()
    stage.client.send(Connect("c", protocol_version=stage.version))


@fault("MQTT311-3.1.3-7")
def empty_identifier_for_a_session(stage: Stage) -> None:
    """Sends an empty Client Identifier with CleanSession 0."""
    stage.raw(encode(stage.version, Connect("", protocol_version=stage.version, clean_start=False)))


@fault("X31-client-id-length", versions=(V31,))
def identifier_too_long(stage: Stage) -> None:
    """Sends a Client Identifier of 24 characters."""
    stage.raw(encode(V31, Connect("c" * 24, protocol_version=V31)))


@fault("X31-user-name-length", "X31-password-length", versions=(V31,))
def long_credentials(stage: Stage) -> None:
    """Sends a User Name and a Password of more than twelve characters."""
    stage.raw(encode(V31, Connect("c", protocol_version=V31, username="u" * 13, password=b"p" * 13)))


@fault("X31-password-without-user-name", versions=(V31,))
def password_alone(stage: Stage) -> None:
    """Sends a Password without User Name."""
    plain = encode(V31, Connect("c", protocol_version=V31))
    stage.raw(bytes([plain[0], plain[1] + 3]) + plain[2:11] + bytes([plain[11] | 0x40]) + plain[12:] + b"\x00\x01p")


@fault("X31-will-message-ascii", versions=(V31,))
def will_message_of_bytes(stage: Stage) -> None:
    """Sends a Will Message that is not ASCII."""
    stage.raw(encode(V31, Connect("c", protocol_version=V31, will=Will("t", b"\xff"))))


@fault("X31-pipelining", versions=(V31,))
def early_in_31(stage: Stage) -> None:
    """Does not wait for the CONNACK."""
    stage.client.connect()
    stage.client.ping()


# ---------------------------------------------------------------- keep alive


@fault(
    "MQTT5-3.1.2-20", "X5-keep-alive-interval", "MQTT311-3.1.2-23", "X311-keep-alive-interval", switches=("no-ping",)
)
def no_ping(stage: Stage) -> None:
    """Is silent for longer than its Keep Alive."""
    stage.connect(keep_alive=10)
    stage.pass_time(12)


@fault("MQTT5-3.1.2-20", "MQTT311-3.1.2-23", switches=("no-ping-when-receiving",))
def no_ping_while_receiving(stage: Stage) -> None:
    """Sends no PINGREQ while it receives packets."""
    stage.connect(keep_alive=10)
    for _ in range(4):
        stage.pass_time(5)
        stage.says(Publish("t", b""))


@fault("MQTT5-3.1.2-21", "MQTT5-3.2.2-21", switches=("no-server-keep-alive",))
def own_keep_alive(stage: Stage) -> None:
    """Keeps its own Keep Alive instead of the server's."""
    stage.connect(Connack(properties=ConnackProperties(server_keep_alive=5)), keep_alive=60)
    stage.pass_time(10)


# ---------------------------------------------------------------- authentication


@fault("MQTT5-3.1.2-30")
def ping_while_authenticating(stage: Stage) -> None:
    """Sends another packet before the CONNACK."""
    stage.client.connect(properties=METHOD)
    stage.client.ping()


@fault("MQTT5-4.12.0-7", "X5-auth-other-method")
def auth_without_method(stage: Stage) -> None:
    """Sends an AUTH after a CONNECT without Authentication Method."""
    stage.connect()
    stage.client.send(Auth(RE_AUTHENTICATE, AuthProperties(authentication_method="m")))


@fault("MQTT5-4.12.0-5", "X5-auth-other-method", switches=("own-method",))
def auth_of_another_method(stage: Stage) -> None:
    """Answers with another method."""
    stage.client.connect(properties=METHOD)
    stage.says(Auth(CONTINUE_AUTHENTICATION, AuthProperties(authentication_method="m")))


@fault("MQTT5-4.12.1-1", "MQTT5-4.12.0-5", switches=("own-method",))
def renewal_by_another_method(stage: Stage) -> None:
    """Re-authenticates with another method."""
    told = ConnackProperties(authentication_method="m")
    stage.connect(Connack(properties=told), properties=METHOD)
    stage.client.authenticate(RE_AUTHENTICATE)


@fault("MQTT5-4.12.0-3", switches=("renew-in-answer",))
def renewal_as_the_answer(stage: Stage) -> None:
    """Answers an AUTH with Reason Code 0x19."""
    stage.client.connect(properties=METHOD)
    stage.says(Auth(CONTINUE_AUTHENTICATION, AuthProperties(authentication_method="m")))


@fault("MQTT5-4.12.1-1")
def renewal_before_the_connack(stage: Stage) -> None:
    """Re-authenticates before it is authenticated."""
    stage.client.connect(properties=METHOD)
    stage.client.authenticate(RE_AUTHENTICATE)


@fault("X5-auth-success-server")
def auth_that_succeeds(stage: Stage) -> None:
    """Sends AUTH with Success, which only the server may."""
    stage.connect(Connack(properties=ConnackProperties(authentication_method="m")), properties=METHOD)
    stage.client.authenticate(0)


# ---------------------------------------------------------------- text


@fault("X5-disallowed-unicode-not-sent", "X311-disallowed-unicode-sent")
def control_character(stage: Stage) -> None:
    """Publishes to a topic with a control character."""
    stage.connect()
    stage.client.publish("a\x07", b"")


@fault("X5-payload-format-utf8")
def payload_that_is_no_text(stage: Stage) -> None:
    """Declares a payload as UTF-8 that is not."""
    stage.connect()
    stage.client.publish("a", b"\xff", properties=PublishProperties(payload_format_indicator=1))


@fault("X5-will-payload-format-utf8")
def will_that_is_no_text(stage: Stage) -> None:
    """The same with a Will Payload."""
    stage.connect(will=Will("t", b"\xff", properties=WillProperties(payload_format_indicator=1)))


@fault("X31-topic-length", versions=(V31,))
def topic_too_long(stage: Stage) -> None:
    """Publishes to a topic of more than 32,767 characters."""
    stage.connect()
    stage.client.publish("a" * 32_768, b"")


# ---------------------------------------------------------------- WebSocket


@fault("MQTT5-6.0.0-3", "MQTT311-6.0.0-3", "X31-websocket-subprotocol", versions=(5, V311, V31))
def no_subprotocol(stage: Stage) -> None:
    """Does not offer the sub-protocol of MQTT."""
    stage.watched.offered(("chat",))
    stage.connect()


@fault("MQTT5-6.0.0-1", "MQTT311-6.0.0-1")
def text_frame(stage: Stage) -> None:
    """Sends a packet in a text frame."""
    stage.connect()
    stage.watched.text_frame(encode(stage.version, Pingreq()), stage.now)


# ---------------------------------------------------------------- the end


@fault("MQTT5-3.14.4-1", "MQTT311-3.14.4-2")
def ping_behind_the_disconnect(stage: Stage) -> None:
    """Sends a packet after its DISCONNECT."""
    stage.connect()
    stage.client.disconnect()
    stage.client.send(Pingreq())


@fault("MQTT5-3.14.4-2", "MQTT311-3.14.4-1")
def open_behind_the_disconnect(stage: Stage) -> None:
    """Leaves the connection open after its DISCONNECT."""
    stage.connect()
    stage.client.disconnect()
    stage.pass_time(6)


@fault("MQTT5-4.13.2-1")
def open_behind_an_error(stage: Stage) -> None:
    """Leaves the connection open after a DISCONNECT with an error."""
    stage.connect()
    stage.client.disconnect(PROTOCOL_ERROR)
    stage.pass_time(6)


@fault("MQTT5-4.13.2-1", switches=("go-on-when-refused",))
def on_when_refused(stage: Stage) -> None:
    """Sends a packet after its CONNECT was refused."""
    stage.connect(Connack(NOT_AUTHORIZED))


@fault("X5-disconnect-session-expiry-after-zero")
def session_that_comes_late(stage: Stage) -> None:
    """Sets a Session Expiry Interval in DISCONNECT after 0 in CONNECT."""
    stage.connect()
    stage.client.disconnect(0, properties=DisconnectProperties(session_expiry_interval=10))


@fault("X5-disconnect-server-codes")
def reason_of_a_server(stage: Stage) -> None:
    """Disconnects with the Reason Code of a server that shuts down."""
    stage.connect()
    stage.client.send(Disconnect(SERVER_SHUTTING_DOWN))


@fault("MQTT5-3.3.2-10")
def alias_refused(stage: Stage) -> None:
    """Refuses a Topic Alias that it allows."""
    stage.connect(properties=ConnectProperties(topic_alias_maximum=5))
    stage.says(Publish("t", b"", properties=PublishProperties(topic_alias=5)))
    stage.client.disconnect(TOPIC_ALIAS_INVALID)

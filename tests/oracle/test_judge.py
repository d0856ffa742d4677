# SPDX-License-Identifier: MIT
"""What the judge must not say: where the client may do it, or where it cannot be known."""

from __future__ import annotations

from mqtt_ref.oracle.faults.sending import RESUMED, interrupted, lasting
from mqtt_ref.oracle.faults.stage import SECOND, Stage
from mqtt_ref.oracle.judge import REPEATED, Judge, Watched
from mqtt_ref.oracle.state import FAR, QUIET, SETTLE
from mqtt_ref.wire.fast import encode
from mqtt_ref.wire.packets import (
    Connack,
    ConnackProperties,
    Connect,
    ConnectProperties,
    Disconnect,
    Pingreq,
    Pingresp,
    Puback,
    Publish,
    PublishProperties,
    Pubrec,
    Pubrel,
    Subscribe,
    Subscription,
)
from mqtt_ref.wire.primitives import CLIENT, SERVER, V5, V31, V311

NOW = 1000 * SECOND
ZERO = Connack(properties=ConnackProperties(maximum_qos=0))


def begun(judge: Judge, version: int = V5, connack: Connack | None = None, wait: int = QUIET) -> Watched:
    """A connection whose CONNACK came that long after the CONNECT."""
    watched = judge.open("1", NOW, local=True)
    watched.client(encode(version, Connect("c", protocol_version=version)), NOW)
    watched.server(encode(version, connack or Connack()), NOW + wait)
    return watched


def rules(judge: Judge) -> list[str]:
    return [finding.rule for finding in judge.findings]


# ---------------------------------------------------------------- before the CONNACK is known


def test_who_sends_before_the_connack_cannot_know_it() -> None:
    judge = Judge()
    watched = judge.open("1", NOW, local=True)
    data = encode(V5, Connect("c")) + encode(V5, Publish("a", b"", 1, packet_id=1))
    watched.client(data, NOW)
    watched.server(encode(V5, ZERO), NOW + QUIET)
    watched.client(encode(V5, Publish("a", b"", 1, packet_id=2)), NOW + QUIET + 1000)
    assert not judge.findings
    watched.client(encode(V5, Publish("a", b"", 1, packet_id=3)), NOW + QUIET + SETTLE)
    assert not judge.findings  # there may be a proxy between that delays
    watched.client(encode(V5, Publish("a", b"", 1, packet_id=4)), NOW + QUIET + SETTLE + FAR)
    assert rules(judge) == ["MQTT5-3.2.2-11"]


def test_a_quick_connack_may_have_crossed_what_comes_behind_it() -> None:
    judge = Judge()
    watched = begun(judge, V5, ZERO, wait=1000)
    watched.client(encode(V5, Publish("a", b"", 1, packet_id=1)), NOW + 2000)
    assert not judge.findings


def test_an_acknowledgement_shows_that_the_connack_was_there() -> None:
    judge = Judge()
    watched = begun(judge, V5, ZERO, wait=1000)
    watched.server(encode(V5, Publish("t", b"", 1, packet_id=4)), NOW + 1500)
    watched.client(encode(V5, Puback(4)) + encode(V5, Publish("a", b"", 1, packet_id=1)), NOW + 2000)
    assert rules(judge) == ["MQTT5-3.2.2-11"]


def test_who_waited_for_the_connack_knows_it() -> None:
    judge = Judge()
    watched = begun(judge, V5, ZERO)
    watched.client(encode(V5, Publish("a", b"", 1, packet_id=1)), NOW + QUIET + 1)
    assert rules(judge) == ["MQTT5-3.2.2-11"]


def test_a_client_far_away_may_not_have_its_connack_yet() -> None:
    judge = Judge()
    watched = begun(judge, V5, ZERO)
    watched.talk.round_trip = SECOND // 5
    publish = Publish("a", b"", 1, packet_id=1)
    watched.client(encode(V5, publish), NOW + QUIET + SECOND // 6)
    assert not judge.findings
    publish.packet_id = 2
    watched.client(encode(V5, publish), NOW + QUIET + SECOND // 5)
    assert rules(judge) == ["MQTT5-3.2.2-11"]


# ---------------------------------------------------------------- what 3.x may do


def test_311_sends_again_whether_or_not_the_server_has_a_session() -> None:
    stage = Stage(V311)
    stage.connect(Connack(), clean_start=False)
    stage.client.send(Publish("a", b"1", 1, False, True, 7))  # sent to this server or another, before anybody looked
    stage.client.send(Pubrel(9))
    assert not stage.rules()


def test_311_may_take_its_own_session_up_or_begin_anew() -> None:
    for again in (
        Publish("a", b"a", 1, False, True, 1),
        Publish("a", b"a", 1, packet_id=1),
        Publish("b", b"b", 2, packet_id=1),
    ):
        stage = Stage(V311)
        interrupted(stage, ("a", 1))
        stage.connect(Connack(), clean_start=False)
        stage.client.out.clear()
        stage.client.send(again)
        assert not stage.rules()


def test_311_may_send_again_on_a_live_connection() -> None:
    stage = Stage(V311)
    stage.connect()
    stage.client.publish("a", b"1", 1)
    stage.client.resend()
    stage.says(Puback(1))
    stage.client.send(Publish("a", b"1", 1, False, True, 1))  # it crossed the PUBACK
    stage.client.publish("b", b"2", 2)
    stage.says(Pubrec(2))
    stage.client.send(Pubrel(2))
    assert not stage.rules()


def test_31_may_set_the_flags_of_its_packets() -> None:
    for data, version, wanted in (
        ("1f 0f 0006 4d5149736470 03 02 003c 0001 61", V31, []),
        ("11 0d 0004 4d515454 04 02 003c 0001 61", V311, ["MQTT5-2.1.3-1"]),
    ):
        judge = Judge()
        watched = judge.open("1", NOW, local=True)
        raw = bytes.fromhex(data)
        for at in range(len(raw)):
            watched.client(raw[at : at + 1], NOW + at)
        watched.server(encode(version, Connack()), NOW + QUIET)
        watched.client(b"\xc5\x00" if version == V31 else b"\xc0\x00", NOW + 2 * QUIET)
        assert rules(judge) == wanted


def test_31_has_no_session_present() -> None:
    stage = Stage(V31)
    stage.connect(Connack(), clean_start=False)
    stage.client.send(Publish("a", b"1", 1, False, True, 7))
    stage.client.send(Pubrel(9))
    assert not stage.rules()


def test_311_owes_nothing_of_a_session_that_the_server_had_lost() -> None:
    stage = Stage(V311)
    interrupted(stage, ("a", 1))
    stage.client.outgoing.clear()
    stage.connect(Connack(), clean_start=False)
    stage.drop()
    stage.connect(RESUMED, clean_start=False)
    stage.client.send(Subscribe(1, [Subscription("a", 0)]))
    stage.pass_time(11)
    stage.client.send(Pingreq())
    assert not stage.rules()


# ---------------------------------------------------------------- what may have been lost


def test_what_the_broker_never_got_may_come_with_dup_when_the_session_is_resumed() -> None:
    stage = Stage()
    stage.connect(RESUMED, **lasting(stage))
    stage.client.send(Publish("lost", b"1", 1, False, True, 7))
    assert not stage.rules()


def test_a_puback_may_be_lost_with_the_connection() -> None:
    stage = Stage()
    stage.connect(**lasting(stage))
    stage.client.publish("a", b"1", 1)
    stage.turn()
    stage.watched.server(encode(V5, Puback(1)), stage.now)  # the client does not get it
    stage.drop()
    stage.connect(RESUMED, **lasting(stage))
    assert stage.client.outgoing
    assert not stage.rules()


def test_acknowledging_what_an_earlier_connection_brought() -> None:
    stage = Stage()
    stage.connect(**lasting(stage))
    stage.turn()
    stage.watched.server(encode(V5, Publish("t", b"", 1, packet_id=3)), stage.now)
    stage.drop()
    stage.connect(RESUMED, **lasting(stage))
    stage.client.send(Puback(3))
    assert not stage.rules()


def test_a_client_may_send_again_one_by_one() -> None:
    stage = Stage()
    interrupted(stage, ("a", 1), ("b", 1), ("c", 1))
    stage.client.outgoing.clear()
    stage.connect(RESUMED, **lasting(stage))
    stage.client.send(Publish("a", b"a", 1, False, True, 1))
    stage.pass_time(12)
    stage.client.send(Pingreq())  # it waits for the PUBACK
    assert not stage.rules()
    stage.says(Puback(1))
    stage.client.send(Pingreq())
    assert not stage.rules()  # it has only just come
    stage.client.send(Publish("b", b"b", 1, False, True, 2))
    stage.says(Puback(2))
    stage.pass_time(12)
    stage.client.send(Pingreq())
    assert "MQTT5-4.4.0-1" in stage.rules()
    assert [finding.seen for finding in stage.findings] == ["PUBLISH 3 ('c') was not sent again in 10 s"]


def test_who_is_refused_may_say_goodbye() -> None:
    judge = Judge()
    watched = begun(judge, V5, Connack(0x87))
    watched.client(encode(V5, Disconnect()), NOW + SETTLE)
    assert not judge.findings
    watched.client(encode(V5, Pingreq()), NOW + SETTLE)
    assert rules(judge) == ["MQTT5-3.14.4-1"]


def test_what_is_released_may_come_again_behind_what_was_sent_later() -> None:
    # 4.6.0-1 orders PUBLISH packets; the PUBREL for the first message is none.
    for version in (V5, V311):
        stage = Stage(version)
        stage.connect(**lasting(stage))
        stage.client.publish("a", b"1", 2)
        stage.client.publish("b", b"2", 1)
        stage.turn()
        stage.watched.server(encode(version, Pubrec(1)), stage.now)
        stage.watched.closed(stage.now)
        stage.open()
        stage.client.lost()
        stage.client.outgoing.clear()
        stage.connect(RESUMED, **lasting(stage))
        stage.client.send(Publish("b", b"2", 1, False, True, 2))
        stage.client.send(Pubrel(1))
        assert not stage.rules()


def test_a_session_that_was_not_seen_from_its_start() -> None:
    stage = Stage()
    stage.connect(RESUMED, **lasting(stage))
    stage.client.send(Puback(3))
    stage.client.send(Pubrel(9))
    assert not stage.rules()


def test_an_acknowledgement_that_is_on_its_way_frees_the_identifier() -> None:
    stage = Stage()
    stage.connect()
    stage.client.publish("a", b"1", 1)
    stage.says(Puback(1))
    stage.client.send(Publish("b", b"2", 1, packet_id=1))
    assert not stage.rules()


def test_a_client_that_takes_over_is_the_same_client() -> None:
    stage = Stage()
    stage.connect(**lasting(stage))
    stage.client.publish("a", b"1", 1)
    stage.turn()
    old = stage.watched
    stage.open()  # the broker has not noticed yet that the first connection is gone
    stage.client.lost()
    stage.connect(RESUMED, **lasting(stage))
    assert not stage.rules()
    old.client(encode(V5, Publish("b", b"2", 1, packet_id=1)), stage.now)
    old.closed(stage.now)
    assert not stage.rules()
    stage.client.send(Publish("b", b"2", 1, packet_id=1))
    assert "MQTT5-2.2.1-3" in stage.rules()


def test_clients_of_two_servers_are_two() -> None:
    judge = Judge()
    for number, server in enumerate(("x:1883", "y:1883")):
        watched = judge.open(str(number), NOW, server=server)
        connect = Connect("c", clean_start=False)
        watched.client(encode(V5, connect), NOW)
        watched.server(encode(V5, RESUMED if number else Connack()), NOW + QUIET)
        watched.client(encode(V5, Publish("a", str(number).encode(), 1, packet_id=1)), NOW + QUIET + 1)
    assert not judge.findings


def test_two_addresses_may_be_one_server() -> None:
    judge = Judge()
    told = RESUMED
    for number, server in enumerate(("127.0.0.1:1883", "[::1]:1883", "127.0.0.1:1883")):
        watched = judge.open(str(number), NOW, server=server)
        connect = Connect("c", clean_start=False, properties=ConnectProperties(session_expiry_interval=60))
        watched.client(encode(V5, connect), NOW)
        watched.server(encode(V5, told), NOW + QUIET)
        # Sent, acknowledged at the other address, and sent anew.
        if number != 1:
            watched.client(encode(V5, Publish("a", str(number).encode(), 1, packet_id=1)), NOW + QUIET + 1)
        else:
            watched.client(encode(V5, Publish("a", b"0", 1, False, True, 1)), NOW + QUIET + 1)
            watched.server(encode(V5, Puback(1)), NOW + QUIET + 2)
        watched.closed(NOW + SECOND)
    assert not judge.findings


# ---------------------------------------------------------------- what is missing or cannot be read


def test_a_connection_that_began_before_is_not_judged() -> None:
    for data in (b"\xc0\x00", b"\x30\xff\xff\xff\xff", b"\x10\x01x", bytes(20)):
        judge = Judge()
        watched = judge.open("1", NOW, whole=False)
        watched.client(data, NOW)
        watched.closed(NOW)
        assert not judge.findings
        assert judge.unjudged == 1


def test_a_connect_shows_that_a_connection_begins() -> None:
    judge = Judge()
    watched = judge.open("1", NOW, whole=False)
    watched.client(encode(V5, Connect("c")) + b"\xc1\x00", NOW)
    assert rules(judge) == ["MQTT5-2.1.3-1"]


def test_behind_a_gap_in_what_the_server_sent_nothing_is_accused_that_depends_on_it() -> None:
    judge = Judge()
    watched = begun(judge)
    watched.hole(SERVER)
    watched.client(encode(V5, Puback(4)) + encode(V5, Publish("a", b"", 1, False, True, 1)), NOW + SETTLE)
    assert not judge.findings
    watched.client(b"\xc1\x00", NOW + SETTLE)
    assert rules(judge) == ["MQTT5-2.1.3-1"]


def test_behind_a_gap_in_what_the_client_sent_nothing_is_accused() -> None:
    judge = Judge()
    watched = begun(judge)
    watched.hole(CLIENT)
    watched.client(b"\xc1\x00", NOW + SETTLE)
    assert not judge.findings


def test_a_server_that_breaks_the_wire_format_makes_the_rest_uncertain() -> None:
    judge = Judge()
    watched = begun(judge)
    watched.server(b"\x41\x02\x00\x01", NOW + SETTLE)
    watched.client(encode(V5, Puback(4)), NOW + SETTLE)
    assert not judge.findings


def test_a_bridge_that_tries_a_private_version_speaks_none_of_ours() -> None:
    for name, version in ((b"\x00\x06MQIsdp", 0x83), (b"\x00\x04MQTT", 0x84), (b"\x00\x04MQTT", 0x85)):
        judge = Judge()
        watched = judge.open("1", NOW)
        body = name + bytes([version]) + b"\x02\x00\x3c\x00\x01b"
        watched.client(bytes([0x10, len(body)]) + body, NOW)
        watched.closed(NOW + 1)
        assert not judge.findings
        assert judge.unjudged == 1


def test_a_remaining_length_of_five_bytes_ends_it() -> None:
    judge = Judge()
    watched = begun(judge)
    watched.client(b"\x30\xff\xff\xff\xff\x01", NOW + SETTLE)
    watched.client(b"\xc1\x00", NOW + SETTLE)
    assert rules(judge) == ["X5-vbi-four-bytes"]


def test_a_huge_packet_is_not_held() -> None:
    judge = Judge()
    watched = begun(judge)
    watched.client(b"\x30\xff\xff\xff\x7f" + bytes(100), NOW + SETTLE)
    assert watched.blind
    assert not judge.findings
    assert watched.sent.buffered < 1000


# ---------------------------------------------------------------- how it goes on, and what it keeps


def test_it_goes_on_behind_a_broken_packet() -> None:
    judge = Judge()
    watched = begun(judge)
    subscribe = Subscribe(1, [Subscription("a#")])
    watched.client(b"\xc1\x00" + encode(V5, subscribe) + b"\xd0\x00", NOW + SETTLE)
    assert rules(judge) == ["MQTT5-2.1.3-1", "MQTT5-4.7.1-1", "X5-packet-direction"]


def test_any_chunking_gives_the_same() -> None:
    data = encode(V5, Connect("c")) + b"\xc1\x00" + encode(V5, Publish("a", b"x" * 300, 1, False, True, 1))
    whole, parts = Judge(), Judge()
    one, many = whole.open("1", NOW), parts.open("1", NOW)
    one.client(data, NOW)
    for at in range(len(data)):
        many.client(data[at : at + 1], NOW)
    for watched in (one, many):
        watched.server(encode(V5, Connack()), NOW + SETTLE)
        watched.client(b"\xe0\x00\xc0\x00", NOW + 2 * SETTLE)
    assert rules(whole) == rules(parts)
    assert [finding.data for finding in whole.findings] == [finding.data for finding in parts.findings]


def test_a_finding_shows_the_packet_and_what_went_before() -> None:
    stage = Stage(client_id="lamp")
    interrupted(stage, ("a", 1))
    stage.client.faults = frozenset({"no-dup"})
    stage.connect(RESUMED, **lasting(stage))
    stage.turn()
    (finding,) = stage.findings
    assert (finding.rule, finding.level, finding.client_id, finding.connection) == (
        "MQTT5-3.3.1-1", "must", "lamp", "2"
    )  # fmt: skip
    assert finding.data == encode(V5, Publish("a", b"a", 1, packet_id=1))
    assert [event.sender for event in finding.history] == [CLIENT, SERVER, CLIENT]
    assert finding.history[-1].data == finding.data


def test_a_rule_broken_again_and_again_is_counted_and_not_kept() -> None:
    judge = Judge()
    watched = begun(judge)
    for _ in range(100):
        watched.client(b"\xc1\x00", NOW + SETTLE)
    assert len(judge.findings) == REPEATED
    assert judge.counts == {"MQTT5-2.1.3-1": 100}


def test_an_alias_that_is_set_may_be_used_and_set_anew() -> None:
    stage = Stage()
    stage.limited(topic_alias_maximum=1)
    for topic in ("a", "", "b", ""):
        stage.client.publish(topic, b"", properties=PublishProperties(topic_alias=1))
    assert not stage.rules()


# ---------------------------------------------------------------- keep alive


def test_a_keep_alive_is_not_missed_while_nobody_listened() -> None:
    judge = Judge()
    watched = judge.open("1", NOW)
    watched.client(encode(V5, Connect("c", keep_alive=10)), NOW)
    watched.server(encode(V5, Connack()), NOW + QUIET)
    judge.excuse(NOW + 30 * SECOND)
    watched.client(encode(V5, Pingreq()), NOW + 30 * SECOND)
    assert not judge.findings


def test_a_client_that_is_far_away_may_be_gone() -> None:
    for how, late in (("vanished", 0), ("closed", 1), ("spoke", 1)):
        judge = Judge()
        watched = judge.open("1", NOW)
        watched.client(encode(V5, Connect("c", keep_alive=10)), NOW)
        watched.server(encode(V5, Connack()), NOW + QUIET)
        judge.passed(NOW + 30 * SECOND)
        assert not judge.findings
        if how == "spoke":
            watched.client(encode(V5, Pingreq()), NOW + 31 * SECOND)
        watched.closed(NOW + 31 * SECOND, by_client=how == "closed")
        assert len(judge.findings) == late


def test_a_packet_that_takes_long_to_come_is_a_packet_that_comes() -> None:
    judge = Judge()
    watched = judge.open("1", NOW, local=True)
    watched.client(encode(V5, Connect("c", keep_alive=10)), NOW)
    watched.server(encode(V5, Connack()), NOW + QUIET)
    data = encode(V5, Publish("a", bytes(100)))
    watched.client(data[:10], NOW + 9 * SECOND)
    judge.passed(NOW + 15 * SECOND)
    watched.client(data[10:], NOW + 18 * SECOND)
    judge.passed(NOW + 28 * SECOND)
    assert not judge.findings
    judge.passed(NOW + 30 * SECOND)
    assert rules(judge) == ["MQTT5-3.1.2-20"]


def test_while_the_server_authenticates_nobody_pings() -> None:
    judge = Judge()
    watched = judge.open("1", NOW, local=True)
    properties = ConnectProperties(authentication_method="slow")  # and then a PINGREQ is forbidden [MQTT5-3.1.2-30]
    watched.client(encode(V5, Connect("c", keep_alive=5, properties=properties)), NOW)
    judge.passed(NOW + 9 * SECOND)
    watched.server(encode(V5, Connack()), NOW + 9 * SECOND)
    watched.client(encode(V5, Pingreq()), NOW + 13 * SECOND)
    assert not judge.findings
    watched.client(encode(V5, Pingreq()), NOW + 21 * SECOND)
    assert rules(judge) == ["MQTT5-3.1.2-20"]


def test_who_waits_for_a_pingresp_in_vain_may_leave() -> None:
    for answered, late in ((False, []), (True, ["MQTT5-3.1.2-20"])):
        judge = Judge()
        watched = judge.open("1", NOW, local=True)
        watched.client(encode(V5, Connect("c", keep_alive=10)), NOW)
        watched.server(encode(V5, Connack()), NOW + QUIET)
        watched.client(encode(V5, Pingreq()), NOW + 10 * SECOND)
        if answered:
            watched.server(encode(V5, Pingresp()), NOW + 11 * SECOND)
        judge.passed(NOW + 24 * SECOND)
        watched.closed(NOW + 25 * SECOND, by_client=True)
        assert rules(judge) == late


def test_without_times_nobody_is_late() -> None:
    judge = Judge()
    watched = judge.open("1", 0)
    watched.client(encode(V5, Connect("c", keep_alive=1)), 0)
    watched.server(encode(V5, Connack()), 0)
    watched.client(encode(V5, Pingreq()), 0)
    watched.closed(0)
    assert not judge.findings

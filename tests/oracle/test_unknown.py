# SPDX-License-Identifier: MIT
"""What the judge cannot know: what was lost, what crossed on the way, what was left from earlier, what stood still.

Each history here is one that a client may take part in; next to it, where there is one, the breach that looks like it.
"""

from __future__ import annotations

import pytest

from mqtt_ref.oracle.faults.sending import RESUMED, interrupted, lasting
from mqtt_ref.oracle.faults.stage import SECOND, Stage
from mqtt_ref.oracle.judge import Judge, Watched
from mqtt_ref.oracle.state import FAR, QUIET, SETTLE
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
    Packet,
    Pingreq,
    Puback,
    Pubcomp,
    Publish,
    PublishProperties,
    Pubrec,
    Pubrel,
    Subscribe,
    Subscription,
)
from mqtt_ref.wire.primitives import V5, V31, V311

NOW = 1000 * SECOND
LONG = ConnectProperties(session_expiry_interval=3600)


class Line:
    """A client on one connection after the other, each line said by hand; the time goes on by itself."""

    def __init__(self, version: int = V5, local: bool = True) -> None:
        self.version = version
        self.local = local
        self.judge = Judge()
        self.now = NOW
        self.watched: Watched | None = None
        self.count = 0

    def open(self, connack: Connack | None = None, keep_alive: int = 0, **fields: object) -> Line:
        """A new connection; the one before it is gone."""
        if self.watched is not None:
            self.watched.closed(self.now)
        return self.over(connack, keep_alive, **fields)

    def over(self, connack: Connack | None = None, keep_alive: int = 0, **fields: object) -> Line:
        """A new connection, while the one before it is still there."""
        self.count += 1
        self.watched = self.judge.open(str(self.count), self.now, "client", local=self.local)
        more = {"clean_start": False} | ({"properties": LONG} if self.version == V5 else {}) | fields
        self.sent(Connect("c", protocol_version=self.version, keep_alive=keep_alive, **more))  # type: ignore[arg-type]
        if connack is not None:
            self.got(connack)
        return self

    def sent(self, *packets: Packet) -> None:
        """They come in one piece."""
        assert self.watched is not None
        self.now += 2 * QUIET
        self.watched.client(b"".join(encode(self.version, one) for one in packets), self.now)

    def got(self, *packets: Packet) -> None:
        assert self.watched is not None
        self.now += 2 * QUIET
        self.watched.server(b"".join(encode(self.version, one) for one in packets), self.now)

    def wait(self, seconds: float) -> None:
        for _ in range(int(seconds * 5)):
            self.now += SECOND // 5
            self.judge.passed(self.now)

    @property
    def rules(self) -> list[str]:
        return [finding.rule for finding in self.judge.findings]

    @property
    def seen(self) -> list[str]:
        return [finding.seen for finding in self.judge.findings]


def one(number: int, dup: bool = False, qos: int = 1, payload: bytes = b"") -> Publish:
    """A message whose content follows from its number."""
    return Publish("a", payload or b"%d" % number, qos, False, dup, number)


# ---------------------------------------------------------------- in which order


@pytest.mark.parametrize("version", [V5, V311])
def test_a_message_whose_acknowledgement_was_lost_has_no_place_in_the_order(version: int) -> None:
    line = Line(version).open(Connack())
    line.sent(one(1), one(2))
    line.got(Puback(1))
    for _ in range(2):
        line.open(RESUMED)
        line.sent(one(1, True), one(2, True))
    assert not line.rules


def test_a_message_that_was_lost_itself_has_no_place_in_the_order() -> None:
    line = Line().open(Connack())
    line.sent(one(1), one(3))  # and 2 between them on a connection of which nothing came
    line.open(RESUMED)
    line.sent(one(1, True), one(3, True))
    line.open(RESUMED)
    line.sent(one(1, True), one(2, True), one(3, True))
    line.open(RESUMED)
    line.sent(one(1, True), one(2, True), one(3, True))
    assert not line.rules


def test_packets_of_a_connection_that_was_given_up_may_come_behind_those_of_the_next_one() -> None:
    line = Line(local=False).open(Connack())
    line.sent(one(1))  # on the second connection of the client
    line.over(RESUMED)
    line.sent(one(2))  # on its first one: it took longer
    line.open(RESUMED)
    line.sent(one(2, True), one(1, True))
    assert not line.rules


def test_what_was_sent_with_the_connack_at_hand_is_behind_what_came_before_that() -> None:
    line = Line().open(Connack())
    line.sent(one(1))
    line.open(RESUMED)
    line.sent(one(2))
    line.open(RESUMED)
    line.sent(one(2, True), one(1, True))
    assert line.seen == ["Packet Identifier 1 after a later message"]


def test_the_others_are_still_compared() -> None:
    line = Line().open(Connack())
    line.sent(one(1), one(2), one(3))
    line.got(Puback(1))
    line.open(RESUMED)
    line.sent(one(1, True), one(2, True), one(3, True))
    line.open(RESUMED)
    line.sent(one(3, True), one(1, True), one(2, True))
    assert line.seen == ["Packet Identifier 2 after a later message"]


# ---------------------------------------------------------------- what an earlier connection left


def test_one_message_that_came_on_two_connections_may_be_answered_twice() -> None:
    for answers in ((Puback(3), Puback(3)), (Pubrec(3), Pubrec(3))):
        line = Line().open(Connack())
        line.got(Publish("t", b"", 1 if isinstance(answers[0], Puback) else 2, packet_id=3))
        line.open(RESUMED)
        line.got(Publish("t", b"", 1 if isinstance(answers[0], Puback) else 2, False, True, 3))
        line.sent(*answers)
        assert not line.rules


def test_what_an_earlier_connection_brought_is_answered_in_no_order_with_what_this_one_brings() -> None:
    line = Line().open(Connack())
    line.got(Publish("t", b"", 1, packet_id=1), Publish("t", b"", 1, packet_id=2))
    line.open(RESUMED)
    line.got(Publish("t", b"", 1, False, True, 1), Publish("t", b"", 1, False, True, 2))
    line.sent(Puback(2))  # of the one that came earlier: its PUBACK 1 was lost with that connection
    assert not line.rules


def test_an_answer_may_cross_the_connack_that_says_there_is_no_session() -> None:
    line = Line().open(Connack())
    line.got(Publish("t", b"", 1, packet_id=1))
    line.open(Connack())
    line.got(Publish("t", b"other", 1, packet_id=1))
    line.sent(Puback(1), Puback(1))
    assert not line.rules


def test_a_client_that_never_heard_that_its_session_was_lost_goes_on_with_it() -> None:
    line = Line().open(Connack())
    line.sent(one(1), one(2, qos=2))
    line.got(Publish("t", b"", 1, packet_id=7), Pubrec(2))
    line.open(Connack())  # which is lost
    line.open(RESUMED)
    line.sent(one(1, True), Pubrel(2), Puback(7))
    assert not line.rules


def test_a_refused_connect_ends_no_session() -> None:
    line = Line().open(Connack())
    line.got(Publish("t", b"", 1, packet_id=7))
    line.open(Connack(0x87), clean_start=True, properties=None)
    line.open(RESUMED)
    line.sent(Puback(7))
    assert not line.rules


def test_an_answer_to_what_may_have_come_earlier_shows_nothing_of_the_connack() -> None:
    line = Line().open(Connack())
    line.got(Publish("t", b"", 1, packet_id=7))
    line.open()
    line.sent(Pingreq())
    line.got(Connack(session_present=True, properties=ConnackProperties(maximum_qos=0)))
    line.got(Publish("t", b"", 1, False, True, 7))
    line.sent(Puback(7), one(1))
    assert not line.rules
    line.got(Publish("t", b"", 1, packet_id=8))
    line.sent(Puback(8), one(2))
    assert line.rules == ["MQTT5-3.2.2-11"]


def test_a_client_that_lost_its_session_takes_any_identifier_until_it_hears_of_it() -> None:
    line = Line().open(Connack())
    line.sent(one(1), one(2))
    line.open()
    line.sent(one(1, payload=b"new"))
    line.got(RESUMED)
    line.sent(one(2, payload=b"new"))
    assert not line.rules
    line.sent(Disconnect())
    assert not line.rules


def test_a_session_that_is_over_by_the_clients_clock_is_owed_nothing() -> None:
    short = ConnectProperties(session_expiry_interval=5)
    for properties, left in ((short, None), (LONG, DisconnectProperties(session_expiry_interval=5))):
        line = Line().open(Connack(), properties=properties)
        line.sent(one(1), Disconnect(0, left))
        line.wait(1)
        line.open(None)
        line.judge.findings.clear()
        line = Line().open(Connack(), properties=properties)
        line.sent(one(1), Disconnect(0, left))
        assert line.watched is not None
        line.watched.closed(line.now)
        line.watched = None
        line.wait(6)
        line.open(RESUMED)
        line.wait(12)
        line.sent(Pingreq())
        assert not line.rules


def test_what_expired_may_be_left_out_at_qos_1_and_not_at_qos_2() -> None:
    for qos, broken in ((1, []), (2, ["MQTT5-4.3.3-7"])):
        line = Line().open(Connack())
        message = one(1, qos=qos)
        message.properties = PublishProperties(message_expiry_interval=2)
        line.sent(message)
        line.wait(5)
        line.open(RESUMED)
        line.wait(12)
        line.sent(Pingreq())
        assert line.rules == broken


def test_who_waits_for_an_answer_is_not_yet_through_with_sending_again() -> None:
    for waits in (Pubrel(1), Subscribe(9, [Subscription("a")])):
        line = Line().open(Connack())
        line.sent(one(1, qos=2), one(2))
        line.got(Pubrec(1))
        line.open(RESUMED)
        line.sent(waits)  # and what answers it is lost, or held by a script
        line.wait(12)
        line.sent(Pingreq())
        assert not line.rules


def test_an_old_connection_may_bring_answers_when_there_is_a_new_one() -> None:
    line = Line().open(Connack())
    line.sent(one(1), one(2, qos=2))
    old = line.watched
    assert old is not None
    line.over()
    old.server(encode(V5, Puback(1)) + encode(V5, Pubrec(2)) + encode(V5, Publish("t", b"", 1, packet_id=9)), line.now)
    line.got(RESUMED)
    line.sent(Pubrel(2), Puback(9), one(1, payload=b"new"))
    assert not line.rules


def test_what_has_to_be_sent_again_is_not_held_against_the_limits_of_a_later_connack() -> None:
    """4.4 asks for it, 3.2.2 forbids it: whichever the client does, it keeps a rule."""
    less = Connack(session_present=True, properties=ConnackProperties(maximum_qos=0, retain_available=0))
    line = Line().open(Connack())
    line.sent(Publish("a", b"", 1, True, False, 1))
    line.open(less)
    line.sent(Publish("a", b"", 1, True, True, 1))
    assert not line.rules
    line.sent(Publish("b", b"", 1, False, False, 2))
    assert line.rules == ["MQTT5-3.2.2-11"]


# ---------------------------------------------------------------- what a near address does not say

LESS = Connack(properties=ConnackProperties(receive_maximum=1, maximum_qos=1))
BEYOND = [Publish("a", b"", 1, packet_id=1), Publish("a", b"", 1, packet_id=2), Publish("a", b"", 2, packet_id=3)]


def play_near(judge: Judge, name: str, opened: float, gaps: list[float], early: bool = False) -> list[str]:
    """A client on this machine sends its CONNECT so many seconds after it opened, and more than the CONNACK allows."""
    before = len(judge.findings)
    watched = judge.open(name, NOW, "127.0.0.1:1", local=True)
    now = NOW + int(opened * SECOND)
    watched.client(encode(V5, Connect("c", properties=LONG)) + (encode(V5, BEYOND[0]) if early else b""), now)
    now += QUIET
    watched.server(encode(V5, LESS), now)
    for gap, packet in zip(gaps, BEYOND[early:], strict=False):
        now += int(gap * SECOND)
        judge.passed(now)
        watched.client(encode(V5, packet), now)
    watched.closed(now)
    return [finding.rule for finding in list(judge.findings)[before:]]


def test_a_client_that_sends_at_once_and_waits_for_its_connack_is_judged_by_it() -> None:
    assert play_near(Judge(), "1", 0.001, [0.001, 0, 0]) == ["MQTT5-3.3.4-7", "MQTT5-3.3.4-7", "MQTT5-3.2.2-11"]


def test_what_comes_through_a_proxy_that_delays_is_judged_as_from_far_away() -> None:
    """It takes the connection at once, and passes on the CONNECT later: the address says nothing."""
    assert play_near(Judge(), "1", 0.7, [0.1, 0.5, 0.7]) == []
    assert play_near(Judge(), "1", 0.7, [0.1, 0.5, 17]) == ["MQTT5-3.3.4-7", "MQTT5-3.2.2-11"]


def test_one_delay_is_remembered_of_the_client() -> None:
    judge = Judge()
    assert play_near(judge, "1", 0.7, []) == []
    assert play_near(judge, "2", 0.0, [0.5, 0.5, 0.5]) == []


def test_a_client_that_does_not_wait_is_not_known_to_have_its_connack() -> None:
    judge = Judge()
    assert play_near(judge, "1", 0.0, [0.1, 1.5], early=True) == []
    assert play_near(judge, "2", 0.0, [0.1, 1.5]) == []  # and who did not once may not do so again


def test_the_judge_can_be_told_that_no_client_is_near() -> None:
    judge = Judge(far=True)
    assert play_near(judge, "1", 0.0, [0.1, 1.5]) == []


def test_the_keep_alive_of_a_client_behind_a_proxy() -> None:
    for opened, broken in ((0, ["MQTT5-3.1.2-20"]), (0.5, [])):
        line = Line()
        line.watched = line.judge.open("1", line.now, "127.0.0.1:1", local=True)
        line.wait(opened)
        line.sent(Connect("c", keep_alive=2))
        line.got(Connack())
        line.wait(4)  # what it sent is on its way, or lost with the link
        line.sent(Pingreq())
        assert line.rules == broken


# ---------------------------------------------------------------- what crossed on one connection


@pytest.mark.parametrize("version", [V5, V311])
def test_a_limit_is_not_known_because_a_second_has_passed_on_a_long_way(version: int) -> None:
    line = Line(version, local=False).open()
    line.sent(Pingreq())
    line.got(Connack(0, False, ConnackProperties(maximum_qos=0) if version == V5 else None))
    line.now += 2 * SETTLE
    line.sent(one(1))
    assert not line.rules
    line.now += FAR
    line.sent(one(2))
    assert line.rules == (["MQTT5-3.2.2-11"] if version == V5 else [])


def test_311_may_use_the_identifier_of_what_it_sent_once_too_often() -> None:
    line = Line(V311).open(Connack(), clean_start=True)
    line.sent(one(1))
    line.got(Puback(1))
    line.sent(one(1, True), one(1, payload=b"next"))  # the first was on its way when the PUBACK came
    assert not line.rules


def test_a_second_authentication_may_cross_the_servers_question() -> None:
    method = ConnectProperties(authentication_method="m", session_expiry_interval=3600)
    again = Auth(0x19, AuthProperties(authentication_method="m"))
    line = Line().open(Connack(0, False, ConnackProperties(authentication_method="m")), properties=method)
    line.got(Publish("t", b"", 1, packet_id=1))
    line.sent(Puback(1), again)
    line.got(Auth(0x18, AuthProperties(authentication_method="m")))
    line.sent(again)
    assert not line.rules
    line.got(Auth(0x18, AuthProperties(authentication_method="m")), Publish("t", b"", 1, packet_id=2))
    line.sent(Puback(2), again)
    assert line.rules == ["MQTT5-4.12.0-3"]


# ---------------------------------------------------------------- what a script does


def test_a_message_that_comes_twice_is_answered_once_or_twice() -> None:
    for answers in ((1, 2), (1, 1, 2), (1, 2, 1)):
        line = Line().open(Connack())
        line.got(*(Publish("t", b"", 1, packet_id=number) for number in (1, 1, 2)))
        line.sent(*map(Puback, answers))
        assert not line.rules
    line = Line().open(Connack())
    line.got(*(Publish("t", b"", 1, packet_id=number) for number in (1, 1, 2)))
    line.sent(Puback(2), Puback(1))
    assert line.rules == ["MQTT5-4.6.0-2"]


def test_a_pubrec_that_comes_twice_is_answered_once_or_twice() -> None:
    for answers in ((1, 2), (1, 1, 2), (1, 2, 1)):
        line = Line().open(Connack())
        line.sent(one(1, qos=2), one(2, qos=2))
        line.got(Pubrec(1), Pubrec(1), Pubrec(2))
        line.sent(*map(Pubrel, answers))
        assert not line.rules


def test_an_answer_out_of_nowhere_crosses_what_is_sent_again() -> None:
    for strange in (Puback(1), Pubrec(2), Pubrec(2, 0x97), Pubcomp(2)):
        line = Line().open(Connack())
        line.sent(one(1), one(2, qos=2))
        line.got(Pubrec(2))
        line.open(RESUMED)
        line.got(strange)
        line.sent(one(1, True), Pubrel(2))
        if isinstance(strange, Pubrec) and not strange.reason_code:
            line.sent(Pubrel(2))
        assert not line.rules


def test_what_comes_before_the_connack_may_be_answered() -> None:
    method = ConnectProperties(authentication_method="m")
    for version, more in ((V31, {}), (V5, {"properties": method})):
        line = Line(version).open(**more)
        line.got(Publish("t", b"", 1, packet_id=1))
        line.sent(Puback(1))
        assert not line.rules


def test_a_session_that_was_to_end_goes_on_for_a_client_that_never_had_its_connack() -> None:
    line = Line().open(Connack())
    line.got(Publish("t", b"", 1, packet_id=3))
    line.open(properties=None)
    line.sent(Pingreq())
    line.got(RESUMED)  # which is lost, and the session ends with this connection
    line.open(Connack())  # which is lost too
    line.open(RESUMED)
    line.sent(Puback(3))
    assert not line.rules


def test_one_message_that_came_on_three_connections_may_be_answered_three_times() -> None:
    line = Line()
    for _ in range(3):
        line.open(Connack() if not line.count else RESUMED)
        line.got(Publish("t", b"", 1, False, line.count > 1, 3))
    line.sent(Puback(3), Puback(3), Puback(3))
    assert not line.rules
    line.sent(Puback(3))
    assert line.rules == ["MQTT5-2.2.1-5"]


def test_a_second_connack_is_not_the_clients_mistake() -> None:
    line = Line().open(Connack())
    line.open(RESUMED)
    line.got(Connack(0x87), Connack(0, False, ConnackProperties(server_keep_alive=1)))
    line.sent(Pingreq())
    line.wait(5)
    line.sent(Pingreq())
    assert not line.rules


def test_an_alias_whose_setting_was_lost_may_be_refused() -> None:
    asked = ConnectProperties(topic_alias_maximum=5)
    alone = Publish("", b"", properties=PublishProperties(topic_alias=1))
    for lost in (True, False):
        line = Line().open(Connack(), properties=asked)
        if not lost:
            line.got(Publish("t", b"", properties=PublishProperties(topic_alias=1)))
        line.got(alone)
        line.sent(Disconnect(0x94))
        assert line.rules == ([] if lost else ["MQTT5-3.3.2-10"])


def test_a_broken_message_of_the_server_excuses_what_follows() -> None:
    line = Line().open(Connack())
    assert line.watched is not None
    broken = bytearray(encode(V5, Publish("t", b"", 1, packet_id=1)))
    broken[4] = 0xFF
    line.watched.server(bytes(broken), line.now)
    line.got(Publish("t", b"", 1, packet_id=2))
    line.sent(Puback(2))
    assert not line.rules


# ---------------------------------------------------------------- who was late, and who stood still


def test_who_was_sent_away_has_nothing_to_keep_alive() -> None:
    for last in (Connack(0x87), Disconnect(0x8B)):
        line = Line()
        if isinstance(last, Connack):
            line.open(last, keep_alive=5)
        else:
            line.open(Connack(), keep_alive=5)
            line.got(last)
        line.wait(20)
        assert line.watched is not None
        line.watched.closed(line.now, by_client=True)
        assert not line.rules


def test_a_link_that_stands_still_makes_nobody_late() -> None:
    line = Line(local=False).open(Connack(), keep_alive=5)
    line.sent(Pingreq())
    line.wait(5 + 10)
    line.sent(Pingreq())
    assert not line.rules
    line.wait(5 + 20)
    line.sent(Pingreq())
    assert line.rules == ["MQTT5-3.1.2-20"]


def test_who_is_not_read_is_not_seen_to_close_or_to_send_again() -> None:
    line = Line().open(Connack())
    line.sent(one(1), Disconnect())
    assert line.watched is not None
    for _ in range(50):
        line.wait(0.2)
        line.watched.excuse(line.now)
    line.open(RESUMED)
    for _ in range(60):
        line.wait(0.2)
        line.watched.excuse(line.now)
    line.sent(Pingreq(), one(1, True))
    assert not line.rules


def test_of_a_client_far_away_it_is_not_known_whether_it_has_closed() -> None:
    for local, broken in ((True, ["MQTT5-3.14.4-2"]), (False, [])):
        line = Line(local=local).open(Connack())
        line.sent(Disconnect())
        line.wait(30)
        assert line.rules == broken


def test_a_ping_without_answer_may_be_followed_by_a_message_and_the_end() -> None:
    line = Line().open(Connack(), keep_alive=5)
    line.sent(Pingreq())
    line.sent(Publish("a", b""))
    line.wait(20)
    assert not line.rules


# ---------------------------------------------------------------- what is said


@pytest.mark.parametrize("version", [V5, V311])
def test_a_pubrel_says_what_is_wrong_with_it(version: int) -> None:
    unasked = {V5: "MQTT5-4.3.3-4", V311: "MQTT311-4.3.3-1"}[version]
    for before, acknowledgement, seen in (
        (one(1), None, "PUBREL 1: the message with this identifier is of QoS 1"),
        (one(1), Puback(1), "PUBREL 1: the message with this identifier was of QoS 1, and is acknowledged"),
        (one(1, qos=2), None, "PUBREL 1: the message with this identifier has no PUBREC yet"),
    ):
        line = Line(version).open(Connack(), clean_start=True)
        line.sent(before)
        if acknowledgement is not None:
            line.got(acknowledgement)
        line.sent(Pubrel(1))
        assert line.rules == [unasked]
        assert line.seen == [seen]


def test_a_pubrel_that_is_sent_twice_is_sent_once_more() -> None:
    line = Line().open(Connack())
    line.sent(one(1, qos=2))
    line.got(Pubrec(1))
    line.open(RESUMED)
    line.sent(Pubrel(1))
    assert not line.rules
    line.sent(Pubrel(1))
    assert line.rules == ["MQTT5-4.4.0-1"]
    assert line.seen == ["PUBREL 1 again"]


def test_a_message_with_the_payload_of_another_is_not_that_one() -> None:
    stage = Stage()
    interrupted(stage, ("a", 1))
    stage.connect(Connack(), **lasting(stage))
    stage.client.send(Publish("b", b"a", 1, packet_id=1))
    stage.says(Puback(1))
    stage.client.send(Publish("c", b"a", 1, False, True, 1))
    assert "MQTT5-4.3.2-2" in stage.rules()
    assert "MQTT5-4.4.0-1" not in stage.rules()

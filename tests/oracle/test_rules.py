# SPDX-License-Identifier: MIT
"""Rules without a socket or a clock: what passes, when, and what a rule is about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqtt_ref.oracle.actions import (
    Action,
    Answer,
    Close,
    Delay,
    Drop,
    Duplicate,
    HalfOpen,
    Limit,
    Reorder,
    Replace,
    Split,
)
from mqtt_ref.oracle.flow import FOREVER, Flow, Pause, Reply, Step, Stop
from mqtt_ref.oracle.illegal import illegal, illegal_packets
from mqtt_ref.oracle.matching import Match, Passing, filter_matches
from mqtt_ref.oracle.recorder import Condition
from mqtt_ref.oracle.rules import Disturbance, Rule, Script
from mqtt_ref.wire.fast import decode, encode
from mqtt_ref.wire.packets import (
    Connack,
    Connect,
    Packet,
    Pingreq,
    Pingresp,
    Puback,
    Publish,
    PublishProperties,
    Pubrec,
    Pubrel,
    Suback,
)
from mqtt_ref.wire.primitives import CLIENT, SERVER
from mqtt_ref.wire.violation import Violation

SECOND = 1_000_000_000


def begun(*rules: Rule, name: str = "X", version: int = 5) -> Disturbance:
    """A connection whose client has been accepted."""
    found = Disturbance(Script(rules))
    for sender, packet in ((CLIENT, Connect(name, version)), (SERVER, Connack())):
        found.feed(sender, encode(version, packet), 0)
    return found


def sent(disturbance: Disturbance, *packets: Packet, sender: int = SERVER, now: int = 0) -> list[Step]:
    return disturbance.feed(sender, b"".join(encode(disturbance.version, packet) for packet in packets), now)


@given(st.data())
def test_without_rules_every_byte_passes_however_it_comes(data: st.DataObject) -> None:
    stream = b"".join(encode(5, packet) for packet in (Connack(), Publish("a", b"x" * 200), Puback(1), Pingresp()))
    stream += data.draw(st.binary(max_size=20))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    disturbance = begun()
    out = b""
    for start, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        steps = disturbance.feed(SERVER, stream[start:stop], 0)
        out += b"".join(step for step in steps if isinstance(step, bytes))
    assert stream.startswith(out)
    whole = len(encode(5, Connack()) + encode(5, Publish("a", b"x" * 200)) + encode(5, Puback(1))) + 2
    assert len(out) >= whole


def test_each_client_is_counted_by_itself_over_all_its_connections() -> None:
    script = Script([Rule(when=Match(packet="PUBACK", to="*", nth=2), do=Drop())])
    passed = Counter[str]()
    for name in ("A", "B", "A"):
        disturbance = Disturbance(script)
        disturbance.feed(CLIENT, encode(5, Connect(name)), 0)
        passed[name] += len(sent(disturbance, Puback(1)))
    assert passed == {"A": 1, "B": 1}
    assert script.fired == {"1": 1}


@pytest.mark.parametrize(
    ("match", "packet", "holds"),
    [
        (Match(), Puback(1), True),
        (Match(packet="PUBACK"), Puback(1), True),
        (Match(packet="PUBREC"), Puback(1), False),
        (Match(to="X"), Puback(1), True),
        (Match(to="?"), Puback(1), True),
        (Match(to="Y*"), Puback(1), False),
        (Match(by="X"), Puback(1), False),
        (Match(packet_id=1), Puback(1), True),
        (Match(packet_id=2), Puback(1), False),
        (Match(reason_code=0x10), Puback(1, 0x10), True),
        (Match(reason_code=0x80), Suback(1, [0, 0x80]), True),
        (Match(reason_code=0x80), Suback(1, [0]), False),
        (Match(qos=1), Publish("a", b"", 1, packet_id=1), True),
        (Match(qos=2), Publish("a", b"", 1, packet_id=1), False),
        (Match(dup=True), Publish("a", b"", 1, packet_id=1), False),
        (Match(retain=True), Publish("a", b"", retain=True), True),
        (Match(topic="a/+"), Publish("a/b", b""), True),
        (Match(topic="a/#"), Publish("b", b""), False),
        (Match(topic="#"), Puback(1), False),
        (Match(listener="other"), Puback(1), False),
        (Match(connection=2), Puback(1), False),
    ],
)
def test_what_a_match_is_about(match: Match, packet: Packet, holds: bool) -> None:
    topic = packet.topic if isinstance(packet, Publish) else ""
    assert match.holds(Passing(SERVER, encode(5, packet), packet, 5, "X", topic)) is holds


def test_a_topic_is_known_behind_its_alias() -> None:
    disturbance = begun(Rule(when=Match(packet="PUBLISH", topic="a"), do=Drop()))
    alias = PublishProperties(topic_alias=1)
    assert sent(disturbance, Publish("a", b"", properties=alias), Publish("", b"", properties=alias)) == []


@pytest.mark.parametrize(
    ("topic_filter", "topic", "matches"),
    [("#", "a/b", True), ("#", "$SYS/a", False), ("a/#", "a", True), ("+/b", "a/b", True), ("a/+", "a/b/c", False)],
)
def test_filters(topic_filter: str, topic: str, matches: bool) -> None:
    assert filter_matches(topic_filter, topic) is matches


def test_actions_work_on_what_the_one_before_made() -> None:
    both: list[Action] = [Replace(hex="ff"), Duplicate(times=2)]
    disturbance = begun(Rule(when=Match(packet="PUBACK"), do=both))
    assert sent(disturbance, Puback(1)) == [b"\xff"] * 3


def test_all_rules_that_fit_act_in_their_order() -> None:
    disturbance = begun(
        Rule(when=Match(packet="PUBACK"), do=Duplicate()), Rule(when=Match(to="X", packet_id=1), do=Delay(seconds=1))
    )
    assert sent(disturbance, Puback(1), Puback(2)) == []
    assert disturbance.due() == SECOND
    first, second = encode(5, Puback(1)), encode(5, Puback(2))
    assert disturbance.take(SERVER, SECOND) == [first, first, second, second]


def test_what_is_to_be_overtaken_passes_in_the_end() -> None:
    disturbance = begun(Rule(when=Match(packet="PUBACK", nth=1), do=Reorder(behind=2, within=3)))
    assert sent(disturbance, Puback(1)) == []
    assert sent(disturbance, Puback(2)) == [encode(5, Puback(2))]
    assert disturbance.due() == 3 * SECOND
    assert disturbance.take(SERVER, 3 * SECOND) == [encode(5, Puback(1))]


def test_pieces_have_their_pauses() -> None:
    disturbance = begun(Rule(when=Match(packet="PINGRESP"), do=Split(pause=1)))
    assert sent(disturbance, Pingresp()) == [b"\xd0"]
    assert disturbance.take(SERVER, SECOND) == [b"\x00"]


def test_a_half_open_link_holds_both_ways_until_it_comes_back() -> None:
    flow = Flow()
    flow.put([Stop("half_open"), b"a"])
    flow.put([b"b"])
    assert flow.take(0) == [Stop("half_open")]
    flow.hold(FOREVER)
    assert (flow.take(FOREVER - 1), flow.due()) == ([], None)
    flow.hold(5)
    assert flow.due() == 5
    assert flow.take(5) == [b"a", b"b"]


def test_what_waits_when_the_client_leaves_is_not_lost() -> None:
    flow = Flow()
    flow.put([Pause(SECOND), b"a", Pause(SECOND), b"b"])
    flow.put([b"c"])
    assert flow.take(0) == []
    assert flow.rest() == [b"a", b"b", b"c"]
    assert flow.idle


def test_what_is_no_packet_passes_as_it_is() -> None:
    disturbance = begun(Rule(when=Match(), do=Drop()))
    junk = b"\x30\xff\xff\xff\xff\xff"
    assert disturbance.feed(CLIENT, junk, 0) == [junk]
    assert disturbance.feed(CLIENT, b"more", 0) == [b"more"]


def test_every_illegal_packet_is_illegal() -> None:
    found = list(illegal_packets())
    assert len(found) > 1000
    for one in found:
        assert illegal(one.name, one.version) is one
    for one in [one for one in found if one.version == 4 and len(one.data) == one.data[1] + 2 and one.data[1] < 128]:
        assert isinstance(decode(4, SERVER, one.data, 0, 2, len(one.data)), Violation), one


def test_an_illegal_packet_that_a_version_does_not_have() -> None:
    with pytest.raises(KeyError, match="no illegal packet 'PUBACK/none'"):
        illegal("PUBACK/none", 5)
    only_v5 = "PUBLISH/properties.topic_alias/0"
    disturbance = begun(Rule(when=Match(packet="PINGRESP"), do=Replace(illegal=only_v5)), version=4)
    assert sent(disturbance, Pingresp()) == [encode(4, Pingresp())]


def test_an_answer_goes_back_and_what_it_answers_does_not_pass() -> None:
    answer = Answer(packet={"type": "PUBREL", "packet_id": 7})
    disturbance = begun(Rule(when=Match(packet="PUBREC"), do=[answer, Delay(seconds=2)]))
    assert sent(disturbance, Pubrec(7), sender=CLIENT) == []
    assert disturbance.take(CLIENT, 2 * SECOND) == [Reply(encode(5, Pubrel(7)))]


def test_an_answer_that_a_version_does_not_have_is_none() -> None:
    rule = Rule(when=Match(packet="PINGREQ"), do=Answer(illegal="PUBLISH/properties.topic_alias/0"))
    steps = sent(begun(rule, version=4), Pingreq(), sender=CLIENT)
    assert steps == [encode(4, Pingreq())]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Match(packet="PUBREK"), r"packet of Match: .*'PUBREK'; did you mean PUBREL"),
        (lambda: Match(nth=-1), r"nth of Match: Expected `int` >= 0 .*-1"),
        (lambda: Match(qos="1"), "qos of Match: "),
        (lambda: Delay(seconds=-1), "seconds of Delay: "),
        (lambda: Close(place="befor"), "did you mean before"),
        (lambda: Limit(receive_maximum=0), "receive_maximum of Limit: "),
        (lambda: Rule(when=Match(), do="drop"), "do of Rule: "),
        (lambda: Rule(when={"packet": "PUBACK"}, do=Drop(), times="2"), "times of Rule: "),
        (lambda: Condition(connected="X", count=0), "count of Condition: "),
    ],
)
def test_objects_built_in_python_are_validated_like_a_file(make: Callable[[], object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make()


def test_a_half_open_link_is_a_step_of_its_own() -> None:
    disturbance = begun(Rule(when=Match(packet="PINGRESP"), do=HalfOpen(seconds=1)))
    assert sent(disturbance, Pingresp(), Puback(1)) == [Stop("half_open", SECOND)]

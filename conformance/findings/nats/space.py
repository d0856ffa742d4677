#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""MQTT311-3.3.2-3/matching

A filter gets the messages of the topics that it matches, and no others.

MQTT311-3.3.2-3: The Topic Name of a PUBLISH from the Server to a subscribing Client matches the Topic Filter of the Subscription by the matching process of section 4.7.
X311-multi-level-wildcard: The number sign (# U+0023) in a Topic Filter matches the parent level and any number of child levels below it.
X311-single-level-wildcard: The plus sign (+ U+002B) in a Topic Filter matches exactly one topic level, which may be of zero length.
X311-topic-case: Topic Names and Topic Filters that differ in letter case only are different.
X311-topic-empty-level: Two topic level separators side by side enclose a topic level of zero length.
X311-topic-match-exact: A Topic Filter matches only if each of its levels without wildcard equals the corresponding level of the Topic Name character for character.
X311-topic-outer-slash: A forward slash at the beginning or the end makes a Topic Name or Topic Filter distinct from the one without it.
X311-topic-separator: The forward slash (U+002F) separates the levels of a Topic Name or Topic Filter and may stand anywhere in it.
X311-topic-space: A Topic Name or Topic Filter may contain spaces.
X311-wildcards-supported: The Server supports Topic Filters with the wildcard characters of section 4.7.1.

Expected: PINGRESP
Seen:     the connection closed
"""

import socket
import sys
import time

HOST = sys.argv[1] if len(sys.argv) > 1 else '127.0.0.1'
PORT = int(sys.argv[2]) if len(sys.argv) > 2 else 21886
STEPS = [
    (0.0, "publisher", "opened", ""),
    (0.0, "publisher", "out", "102000044d5154540402003c001463383266363539356531377075626c6973686572"),  # Connect(client_id='c82f6595e17publisher', protocol_version=4, keep_alive=60)
    (0.0, "publisher", "in", "20020000"),  # Connack()
    (0.0, "client", "opened", ""),
    (0.0, "client", "out", "101d00044d5154540402003c00116338326636353935653137636c69656e74"),  # Connect(client_id='c82f6595e17client', protocol_version=4, keep_alive=60)
    (0.0, "client", "in", "20020000"),  # Connack()
    (0.0, "client", "out", "82210001001c636f6e666f726d616e63652f383266363539356531372f742f302f2300"),  # Subscribe(packet_id=1, subscriptions=[Subscription(topic_filter='conformance/82f6595e17/t/0/#')])
    (0.0, "client", "in", "9003000100"),  # Suback(packet_id=1, reason_codes=[0])
    (0.0, "publisher", "out", "301f001c636f6e666f726d616e63652f383266363539356531372f742f302f616d"),  # Publish(topic='conformance/82f6595e17/t/0/a', payload=b'm')
    (0.0, "publisher", "out", "c000"),  # Pingreq()
    (0.0, "client", "in", "301f001c636f6e666f726d616e63652f383266363539356531372f742f302f616d"),  # Publish(topic='conformance/82f6595e17/t/0/a', payload=b'm')
    (0.0, "publisher", "in", "d000"),  # Pingresp()
    (0.0, "client", "out", "a2200002001c636f6e666f726d616e63652f383266363539356531372f742f302f23"),  # Unsubscribe(packet_id=2, topic_filters=['conformance/82f6595e17/t/0/#'])
    (0.0, "client", "in", "b0020002"),  # Unsuback(packet_id=2)
    (0.0, "client", "out", "82230003001e636f6e666f726d616e63652f383266363539356531372f742f312f612f2300"),  # Subscribe(packet_id=3, subscriptions=[Subscription(topic_filter='conformance/82f6595e17/t/1/a/#')])
    (0.0, "client", "in", "9003000300"),  # Suback(packet_id=3, reason_codes=[0])
    (0.0, "publisher", "out", "301f001c636f6e666f726d616e63652f383266363539356531372f742f312f616d"),  # Publish(topic='conformance/82f6595e17/t/1/a', payload=b'm')
    (0.0, "publisher", "out", "c000"),  # Pingreq()
    (0.0, "client", "in", "301f001c636f6e666f726d616e63652f383266363539356531372f742f312f616d"),  # Publish(topic='conformance/82f6595e17/t/1/a', payload=b'm')
    (0.0, "publisher", "in", "d000"),  # Pingresp()
    (0.0, "client", "out", "a2220004001e636f6e666f726d616e63652f383266363539356531372f742f312f612f23"),  # Unsubscribe(packet_id=4, topic_filters=['conformance/82f6595e17/t/1/a/#'])
    (0.1, "client", "in", "b0020004"),  # Unsuback(packet_id=4)
    (0.1, "client", "out", "82230005001e636f6e666f726d616e63652f383266363539356531372f742f322f612f2300"),  # Subscribe(packet_id=5, subscriptions=[Subscription(topic_filter='conformance/82f6595e17/t/2/a/#')])
    (0.1, "client", "in", "9003000500"),  # Suback(packet_id=5, reason_codes=[0])
    (0.1, "publisher", "out", "3021001e636f6e666f726d616e63652f383266363539356531372f742f322f612f626d"),  # Publish(topic='conformance/82f6595e17/t/2/a/b', payload=b'm')
    (0.1, "publisher", "out", "c000"),  # Pingreq()
    (0.1, "client", "in", "3021001e636f6e666f726d616e63652f383266363539356531372f742f322f612f626d"),  # Publish(topic='conformance/82f6595e17/t/2/a/b', payload=b'm')
    (0.1, "publisher", "in", "d000"),  # Pingresp()
    (0.1, "client", "out", "a2220006001e636f6e666f726d616e63652f383266363539356531372f742f322f612f23"),  # Unsubscribe(packet_id=6, topic_filters=['conformance/82f6595e17/t/2/a/#'])
    (0.1, "client", "in", "b0020006"),  # Unsuback(packet_id=6)
    (0.1, "client", "out", "82230007001e636f6e666f726d616e63652f383266363539356531372f742f332f612f2300"),  # Subscribe(packet_id=7, subscriptions=[Subscription(topic_filter='conformance/82f6595e17/t/3/a/#')])
    (0.1, "client", "in", "9003000700"),  # Suback(packet_id=7, reason_codes=[0])
    (0.1, "publisher", "out", "30230020636f6e666f726d616e63652f383266363539356531372f742f332f612f622f636d"),  # Publish(topic='conformance/82f6595e17/t/3/a/b/c', payload=b'm')
    (0.1, "publisher", "out", "c000"),  # Pingreq()
    (0.1, "client", "in", "30230020636f6e666f726d616e63652f383266363539356531372f742f332f612f622f636d"),  # Publish(topic='conformance/82f6595e17/t/3/a/b/c', payload=b'm')
    (0.1, "publisher", "in", "d000"),  # Pingresp()
    (0.1, "client", "out", "a2220008001e636f6e666f726d616e63652f383266363539356531372f742f332f612f23"),  # Unsubscribe(packet_id=8, topic_filters=['conformance/82f6595e17/t/3/a/#'])
    (0.1, "client", "in", "b0020008"),  # Unsuback(packet_id=8)
    (0.1, "client", "out", "82230009001e636f6e666f726d616e63652f383266363539356531372f742f342f612f2300"),  # Subscribe(packet_id=9, subscriptions=[Subscription(topic_filter='conformance/82f6595e17/t/4/a/#')])
    (0.1, "client", "in", "9003000900"),  # Suback(packet_id=9, reason_codes=[0])
    (0.1, "publisher", "out", "3020001d636f6e666f726d616e63652f383266363539356531372f742f342f61626d"),  # Publish(topic='conformance/82f6595e17/t/4/ab', payload=b'm')
    (0.1, "publisher", "out", "c000"),  # Pingreq()
    (0.1, "publisher", "in", "d000"),  # Pingresp()
    (0.1, "client", "out", "c000"),  # Pingreq()
    (0.1, "client", "in", "d000"),  # Pingresp()
    (0.1, "client", "out", "a222000a001e636f6e666f726d616e63652f383266363539356531372f742f342f612f23"),  # Unsubscribe(packet_id=10, topic_filters=['conformance/82f6595e17/t/4/a/#'])
    (0.1, "client", "in", "b002000a"),  # Unsuback(packet_id=10)
    (0.1, "client", "out", "8223000b001e636f6e666f726d616e63652f383266363539356531372f742f352f612f2b00"),  # Subscribe(packet_id=11, subscriptions=[Subscription(topic_filter='conformance/82f6595e17/t/5/a/+')])
    (0.1, "client", "in", "9003000b00"),  # Suback(packet_id=11, reason_codes=[0])
    (0.1, "publisher", "out", "3021001e636f6e666f726d616e63652f383266363539356531372f742f352f612f626d"),  # Publish(topic='conformance/82f6595e17/t/5/a/b', payload=b'm')
    (0.1, "publisher", "out", "c000"),  # Pingreq()
    (0.1, "client", "in", "3021001e636f6e666f726d616e63652f383266363539356531372f742f352f612f626d"),  # Publish(topic='conformance/82f6595e17/t/5/a/b', payload=b'm')
    (0.1, "publisher", "in", "d000"),  # Pingresp()
    (0.1, "client", "out", "a222000c001e636f6e666f726d616e63652f383266363539356531372f742f352f612f2b"),  # Unsubscribe(packet_id=12, topic_filters=['conformance/82f6595e17/t/5/a/+'])
    (0.1, "client", "in", "b002000c"),  # Unsuback(packet_id=12)
    (0.1, "client", "out", "8223000d001e636f6e666f726d616e63652f383266363539356531372f742f362f612f2b00"),  # Subscribe(packet_id=13, subscriptions=[Subscription(topic_filter='conformance/82f6595e17/t/6/a/+')])
    (0.1, "client", "in", "9003000d00"),  # Suback(packet_id=13, reason_codes=[0])
    (0.1, "publisher", "out", "301f001c636f6e666f726d616e63652f383266363539356531372f742f362f616d"),  # Publish(topic='conformance/82f6595e17/t/6/a', payload=b'm')
    (0.1, "publisher", "out", "c000"),  # Pingreq()
    (0.1, "publisher", "in", "d000"),  # Pingresp()
    (0.1, "client", "out", "c000"),  # Pingreq()
    (0.1, "client", "in", "d000"),  # Pingresp()
    (0.2, "client", "out", "a222000e001e636f6e666f726d616e63652f383266363539356531372f742f362f612f2b"),  # Unsubscribe(packet_id=14, topic_filters=['conformance/82f6595e17/t/6/a/+'])
    (0.2, "client", "in", "b002000e"),  # Unsuback(packet_id=14)
    (0.2, "client", "out", "8223000f001e636f6e666f726d616e63652f383266363539356531372f742f372f612f2b00"),  # Subscribe(packet_id=15, subscriptions=[Subscription(topic_filter='conformance/82f6595e17/t/7/a/+')])
    (0.2, "client", "in", "9003000f00"),  # Suback(packet_id=15, reason_codes=[0])
    (0.2, "publisher", "out", "30230020636f6e666f726d616e63652f383266363539356531372f742f372f612f622f636d"),  # Publish(topic='conformance/82f6595e17/t/7/a/b/c', payload=b'm')
    (0.2, "publisher", "out", "c000"),  # Pingreq()
    (0.2, "publisher", "in", "d000"),  # Pingresp()
    (0.2, "client", "out", "c000"),  # Pingreq()
    (0.2, "client", "in", "d000"),  # Pingresp()
    (0.2, "client", "out", "a2220010001e636f6e666f726d616e63652f383266363539356531372f742f372f612f2b"),  # Unsubscribe(packet_id=16, topic_filters=['conformance/82f6595e17/t/7/a/+'])
    (0.2, "client", "in", "b0020010"),  # Unsuback(packet_id=16)
    (0.2, "client", "out", "82230011001e636f6e666f726d616e63652f383266363539356531372f742f382f612f2b00"),  # Subscribe(packet_id=17, subscriptions=[Subscription(topic_filter='conformance/82f6595e17/t/8/a/+')])
    (0.2, "client", "in", "9003001100"),  # Suback(packet_id=17, reason_codes=[0])
    (0.2, "publisher", "out", "3020001d636f6e666f726d616e63652f383266363539356531372f742f382f612f6d"),  # Publish(topic='conformance/82f6595e17/t/8/a/', payload=b'm')
    (0.2, "publisher", "out", "c000"),  # Pingreq()
    (0.2, "client", "in", "3020001d636f6e666f726d616e63652f383266363539356531372f742f382f612f6d"),  # Publish(topic='conformance/82f6595e17/t/8/a/', payload=b'm')
    (0.2, "publisher", "in", "d000"),  # Pingresp()
    (0.2, "client", "out", "a2220012001e636f6e666f726d616e63652f383266363539356531372f742f382f612f2b"),  # Unsubscribe(packet_id=18, topic_filters=['conformance/82f6595e17/t/8/a/+'])
    (0.2, "client", "in", "b0020012"),  # Unsuback(packet_id=18)
    (0.2, "client", "out", "82230013001e636f6e666f726d616e63652f383266363539356531372f742f392f2b2f6200"),  # Subscribe(packet_id=19, subscriptions=[Subscription(topic_filter='conformance/82f6595e17/t/9/+/b')])
    (0.2, "client", "in", "9003001300"),  # Suback(packet_id=19, reason_codes=[0])
    (0.2, "publisher", "out", "3021001e636f6e666f726d616e63652f383266363539356531372f742f392f612f626d"),  # Publish(topic='conformance/82f6595e17/t/9/a/b', payload=b'm')
    (0.2, "publisher", "out", "c000"),  # Pingreq()
    (0.2, "client", "in", "3021001e636f6e666f726d616e63652f383266363539356531372f742f392f612f626d"),  # Publish(topic='conformance/82f6595e17/t/9/a/b', payload=b'm')
    (0.2, "publisher", "in", "d000"),  # Pingresp()
    (0.2, "client", "out", "a2220014001e636f6e666f726d616e63652f383266363539356531372f742f392f2b2f62"),  # Unsubscribe(packet_id=20, topic_filters=['conformance/82f6595e17/t/9/+/b'])
    (0.2, "client", "in", "b0020014"),  # Unsuback(packet_id=20)
    (0.2, "client", "out", "82240015001f636f6e666f726d616e63652f383266363539356531372f742f31302f2b2f2b00"),  # Subscribe(packet_id=21, subscriptions=[Subscription(topic_filter='conformance/82f6595e17/t/10/+/+')])
    (0.2, "client", "in", "9003001500"),  # Suback(packet_id=21, reason_codes=[0])
    (0.2, "publisher", "out", "3021001e636f6e666f726d616e63652f383266363539356531372f742f31302f2f626d"),  # Publish(topic='conformance/82f6595e17/t/10//b', payload=b'm')
    (0.2, "publisher", "out", "c000"),  # Pingreq()
    (0.2, "client", "in", "3021001e636f6e666f726d616e63652f383266363539356531372f742f31302f2f626d"),  # Publish(topic='conformance/82f6595e17/t/10//b', payload=b'm')
    (0.2, "publisher", "in", "d000"),  # Pingresp()
    (0.2, "client", "out", "a2230016001f636f6e666f726d616e63652f383266363539356531372f742f31302f2b2f2b"),  # Unsubscribe(packet_id=22, topic_filters=['conformance/82f6595e17/t/10/+/+'])
    (0.2, "client", "in", "b0020016"),  # Unsuback(packet_id=22)
    (0.2, "client", "out", "822600170021636f6e666f726d616e63652f383266363539356531372f742f31312f612f2b2f6300"),  # Subscribe(packet_id=23, subscriptions=[Subscription(topic_filter='conformance/82f6595e17/t/11/a/+/c')])
    (0.2, "client", "in", "9003001700"),  # Suback(packet_id=23, reason_codes=[0])
    (0.2, "publisher", "out", "30240021636f6e666f726d616e63652f383266363539356531372f742f31312f612f622f636d"),  # Publish(topic='conformance/82f6595e17/t/11/a/b/c', payload=b'm')
    (0.2, "publisher", "out", "c000"),  # Pingreq()
    (0.2, "client", "in", "30240021636f6e666f726d616e63652f383266363539356531372f742f31312f612f622f636d"),  # Publish(topic='conformance/82f6595e17/t/11/a/b/c', payload=b'm')
    (0.2, "publisher", "in", "d000"),  # Pingresp()
    (0.2, "client", "out", "a22500180021636f6e666f726d616e63652f383266363539356531372f742f31312f612f2b2f63"),  # Unsubscribe(packet_id=24, topic_filters=['conformance/82f6595e17/t/11/a/+/c'])
    (0.2, "client", "in", "b0020018"),  # Unsuback(packet_id=24)
    (0.2, "client", "out", "822600190021636f6e666f726d616e63652f383266363539356531372f742f31322f612f2b2f6300"),  # Subscribe(packet_id=25, subscriptions=[Subscription(topic_filter='conformance/82f6595e17/t/12/a/+/c')])
    (0.2, "client", "in", "9003001900"),  # Suback(packet_id=25, reason_codes=[0])
    (0.2, "publisher", "out", "30240021636f6e666f726d616e63652f383266363539356531372f742f31322f612f622f646d"),  # Publish(topic='conformance/82f6595e17/t/12/a/b/d', payload=b'm')
    (0.2, "publisher", "out", "c000"),  # Pingreq()
    (0.2, "publisher", "in", "d000"),  # Pingresp()
    (0.2, "client", "out", "c000"),  # Pingreq()
    (0.2, "client", "in", "d000"),  # Pingresp()
    (0.3, "client", "out", "a225001a0021636f6e666f726d616e63652f383266363539356531372f742f31322f612f2b2f63"),  # Unsubscribe(packet_id=26, topic_filters=['conformance/82f6595e17/t/12/a/+/c'])
    (0.3, "client", "in", "b002001a"),  # Unsuback(packet_id=26)
    (0.3, "client", "out", "8226001b0021636f6e666f726d616e63652f383266363539356531372f742f31332f612f2b2f2300"),  # Subscribe(packet_id=27, subscriptions=[Subscription(topic_filter='conformance/82f6595e17/t/13/a/+/#')])
    (0.3, "client", "in", "9003001b00"),  # Suback(packet_id=27, reason_codes=[0])
    (0.3, "publisher", "out", "3022001f636f6e666f726d616e63652f383266363539356531372f742f31332f612f626d"),  # Publish(topic='conformance/82f6595e17/t/13/a/b', payload=b'm')
    (0.3, "publisher", "out", "c000"),  # Pingreq()
    (0.3, "client", "in", "3022001f636f6e666f726d616e63652f383266363539356531372f742f31332f612f626d"),  # Publish(topic='conformance/82f6595e17/t/13/a/b', payload=b'm')
    (0.3, "publisher", "in", "d000"),  # Pingresp()
    (0.3, "client", "out", "a225001c0021636f6e666f726d616e63652f383266363539356531372f742f31332f612f2b2f23"),  # Unsubscribe(packet_id=28, topic_filters=['conformance/82f6595e17/t/13/a/+/#'])
    (0.3, "client", "in", "b002001c"),  # Unsuback(packet_id=28)
    (0.3, "client", "out", "8226001d0021636f6e666f726d616e63652f383266363539356531372f742f31342f612f2b2f2300"),  # Subscribe(packet_id=29, subscriptions=[Subscription(topic_filter='conformance/82f6595e17/t/14/a/+/#')])
    (0.3, "client", "in", "9003001d00"),  # Suback(packet_id=29, reason_codes=[0])
    (0.3, "publisher", "out", "3020001d636f6e666f726d616e63652f383266363539356531372f742f31342f616d"),  # Publish(topic='conformance/82f6595e17/t/14/a', payload=b'm')
    (0.3, "publisher", "out", "c000"),  # Pingreq()
    (0.3, "publisher", "in", "d000"),  # Pingresp()
    (0.3, "client", "out", "c000"),  # Pingreq()
    (0.3, "client", "in", "d000"),  # Pingresp()
    (0.3, "client", "out", "a225001e0021636f6e666f726d616e63652f383266363539356531372f742f31342f612f2b2f23"),  # Unsubscribe(packet_id=30, topic_filters=['conformance/82f6595e17/t/14/a/+/#'])
    (0.3, "client", "in", "b002001e"),  # Unsuback(packet_id=30)
    (0.3, "client", "out", "8225001f0020636f6e666f726d616e63652f383266363539356531372f742f31352f612f2f6200"),  # Subscribe(packet_id=31, subscriptions=[Subscription(topic_filter='conformance/82f6595e17/t/15/a//b')])
    (0.3, "client", "in", "9003001f00"),  # Suback(packet_id=31, reason_codes=[0])
    (0.3, "publisher", "out", "30230020636f6e666f726d616e63652f383266363539356531372f742f31352f612f2f626d"),  # Publish(topic='conformance/82f6595e17/t/15/a//b', payload=b'm')
    (0.3, "publisher", "out", "c000"),  # Pingreq()
    (0.3, "client", "in", "30230020636f6e666f726d616e63652f383266363539356531372f742f31352f612f2f626d"),  # Publish(topic='conformance/82f6595e17/t/15/a//b', payload=b'm')
    (0.3, "publisher", "in", "d000"),  # Pingresp()
    (0.3, "client", "out", "a22400200020636f6e666f726d616e63652f383266363539356531372f742f31352f612f2f62"),  # Unsubscribe(packet_id=32, topic_filters=['conformance/82f6595e17/t/15/a//b'])
    (0.3, "client", "in", "b0020020"),  # Unsuback(packet_id=32)
    (0.3, "client", "out", "822500210020636f6e666f726d616e63652f383266363539356531372f742f31362f612f2f6200"),  # Subscribe(packet_id=33, subscriptions=[Subscription(topic_filter='conformance/82f6595e17/t/16/a//b')])
    (0.3, "client", "in", "9003002100"),  # Suback(packet_id=33, reason_codes=[0])
    (0.3, "publisher", "out", "3022001f636f6e666f726d616e63652f383266363539356531372f742f31362f612f626d"),  # Publish(topic='conformance/82f6595e17/t/16/a/b', payload=b'm')
    (0.3, "publisher", "out", "c000"),  # Pingreq()
    (0.3, "publisher", "in", "d000"),  # Pingresp()
    (0.3, "client", "out", "c000"),  # Pingreq()
    (0.3, "client", "in", "d000"),  # Pingresp()
    (0.3, "client", "out", "a22400220020636f6e666f726d616e63652f383266363539356531372f742f31362f612f2f62"),  # Unsubscribe(packet_id=34, topic_filters=['conformance/82f6595e17/t/16/a//b'])
    (0.3, "client", "in", "b0020022"),  # Unsuback(packet_id=34)
    (0.3, "client", "out", "822600230021636f6e666f726d616e63652f383266363539356531372f742f31372f612f2b2f6200"),  # Subscribe(packet_id=35, subscriptions=[Subscription(topic_filter='conformance/82f6595e17/t/17/a/+/b')])
    (0.3, "client", "in", "9003002300"),  # Suback(packet_id=35, reason_codes=[0])
    (0.3, "publisher", "out", "30230020636f6e666f726d616e63652f383266363539356531372f742f31372f612f2f626d"),  # Publish(topic='conformance/82f6595e17/t/17/a//b', payload=b'm')
    (0.3, "publisher", "out", "c000"),  # Pingreq()
    (0.3, "client", "in", "30230020636f6e666f726d616e63652f383266363539356531372f742f31372f612f2f626d"),  # Publish(topic='conformance/82f6595e17/t/17/a//b', payload=b'm')
    (0.3, "publisher", "in", "d000"),  # Pingresp()
    (0.3, "client", "out", "a22500240021636f6e666f726d616e63652f383266363539356531372f742f31372f612f2b2f62"),  # Unsubscribe(packet_id=36, topic_filters=['conformance/82f6595e17/t/17/a/+/b'])
    (0.3, "client", "in", "b0020024"),  # Unsuback(packet_id=36)
    (0.3, "client", "out", "82220025001d636f6e666f726d616e63652f383266363539356531372f742f31382f6100"),  # Subscribe(packet_id=37, subscriptions=[Subscription(topic_filter='conformance/82f6595e17/t/18/a')])
    (0.3, "client", "in", "9003002500"),  # Suback(packet_id=37, reason_codes=[0])
    (0.3, "publisher", "out", "3020001d636f6e666f726d616e63652f383266363539356531372f742f31382f416d"),  # Publish(topic='conformance/82f6595e17/t/18/A', payload=b'm')
    (0.3, "publisher", "out", "c000"),  # Pingreq()
    (0.3, "publisher", "in", "d000"),  # Pingresp()
    (0.3, "client", "out", "c000"),  # Pingreq()
    (0.3, "client", "in", "d000"),  # Pingresp()
    (0.4, "client", "out", "a2210026001d636f6e666f726d616e63652f383266363539356531372f742f31382f61"),  # Unsubscribe(packet_id=38, topic_filters=['conformance/82f6595e17/t/18/a'])
    (0.4, "client", "in", "b0020026"),  # Unsuback(packet_id=38)
    (0.4, "client", "out", "82220027001d636f6e666f726d616e63652f383266363539356531372f742f31392f6100"),  # Subscribe(packet_id=39, subscriptions=[Subscription(topic_filter='conformance/82f6595e17/t/19/a')])
    (0.4, "client", "in", "9003002700"),  # Suback(packet_id=39, reason_codes=[0])
    (0.4, "publisher", "out", "3021001e636f6e666f726d616e63652f383266363539356531372f742f31392f61206d"),  # Publish(topic='conformance/82f6595e17/t/19/a ', payload=b'm')
    (0.4, "publisher", "out", "c000"),  # Pingreq()
    (0.4, "publisher", "closed", ""),
]
NAMES = (
    "RESERVED CONNECT CONNACK PUBLISH PUBACK PUBREC PUBREL PUBCOMP "
    "SUBSCRIBE SUBACK UNSUBSCRIBE UNSUBACK PINGREQ PINGRESP DISCONNECT AUTH"
).split()
links, rest = {}, {}
then, now = {}, {}  # Packet Identifiers that the broker chose, when this was recorded and now


def chosen(packet):
    """The Packet Identifier of a PUBLISH of QoS 1 or 2."""
    if packet[0] >> 4 != 3 or not packet[0] & 6:
        return []
    at = next(i for i in range(1, len(packet)) if packet[i] < 128) + 1
    at += 2 + int.from_bytes(packet[at : at + 2], "big")
    return [packet[at : at + 2]]


def adapted(name, raw):
    """An acknowledgement with the Packet Identifier that the broker chose now."""
    known = dict(zip(then.get(name, []), now.get(name, [])))
    if raw and raw[0] >> 4 in (4, 5, 7) and raw[2:4] in known:
        return raw[:2] + known[raw[2:4]] + raw[4:]
    return raw


def packets(name):
    """Whole packets in what has come on this link; the remaining bytes are kept."""
    data = rest[name]
    while len(data) >= 2:
        size, shift, at = 0, 0, 1
        while at < len(data):
            size |= (data[at] & 127) << shift
            at += 1
            shift += 7
            if data[at - 1] < 128 or at == 5:
                break
        else:
            break
        if len(data) < at + size:
            break
        yield data[: at + size]
        data = data[at + size :]
    rest[name] = data


def show(name, seconds):
    """Print what comes within a time, or until the broker closes."""
    link = links.get(name)
    if link is None:
        return
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        link.settimeout(left)
        try:
            data = link.recv(65536)
        except socket.timeout:
            break
        except OSError as error:
            data = b""
            print(f"{name}: {error}")
        if not data:
            print(f"{name} -- the broker closed the connection")
            links.pop(name).close()
            return
        rest[name] += data
        for packet in packets(name):
            print(f"{name} <- {NAMES[packet[0] >> 4]} {packet.hex(' ')}")
            now.setdefault(name, []).extend(chosen(packet))


before = 0
for at, name, what, data in STEPS:
    if what != "in" and at - before > 0.5:
        print(f"-- {at - before:.1f} seconds pass")
        time.sleep(at - before)
    before = at
    if what == "opened":
        links[name] = socket.create_connection((HOST, PORT), 5)
        rest[name] = b""
    elif what == "out":
        raw = adapted(name, bytes.fromhex(data))
        print(f"{name} -> {NAMES[raw[0] >> 4] if raw else ''} {raw.hex(' ')}")
        try:
            links[name].sendall(raw)
        except (KeyError, OSError):
            print(f"{name}: closed already")
    elif what == "in":
        then.setdefault(name, []).extend(chosen(bytes.fromhex(data)))
        show(name, 0.3)
    elif what in ("dropped", "reset") and name in links:
        links.pop(name).close()
for name in list(links):
    show(name, 3)

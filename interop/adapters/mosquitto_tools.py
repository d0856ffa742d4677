# SPDX-License-Identifier: MIT
"""Adapter for mosquitto_sub and mosquitto_pub: one process per link of a subscriber, one per published message."""

import shutil
import subprocess
from pathlib import Path

from interop.peer import (
    DEADLINE,
    KEPT_FOR,
    NO_PROPERTIES,
    TAGS,
    V5,
    ClientFailure,
    Inbox,
    Message,
    Options,
    Properties,
    Unsupported,
)
from interop.process import Process, ProcessFailure

#: Fields of a received message, one line each. The payload is in hex, because it may hold any bytes.
_MARK = "=interop="
_FORMAT = "|".join([_MARK, "%t", "%q", "%r", "%C", "%R", "%D", "%F", "%E", "%S", "%P", "%x"])

#: mosquitto_sub needs at least one filter, even if it only resumes its session.
_NOTHING = "interop/no/such/topic"

_VERSION_FLAGS = {tag: tag.removeprefix("v") for tag in TAGS.values()}


def program(name: str) -> str | None:
    """Return the path of a mosquitto tool, or None if it is not installed."""
    return shutil.which(name) or next((str(p) for p in [Path("/usr/sbin") / name] if p.exists()), None)


def version_flag(version: int) -> list[str]:
    """Return `-V 31`, `-V 311` or `-V 5`."""
    return ["-V", _VERSION_FLAGS[TAGS[version]]]


def property_flags(packet: str, properties: Properties) -> list[str]:
    """Return the properties as `-D` options."""
    named: list[tuple[str, object]] = [
        ("payload-format-indicator", properties.payload_format_indicator),
        ("message-expiry-interval", properties.message_expiry_interval),
        ("content-type", properties.content_type),
        ("response-topic", properties.response_topic),
        (
            "correlation-data",
            None if properties.correlation_data is None else properties.correlation_data.decode(),
        ),
    ]
    flags = []
    for name, value in named:
        if value is not None:
            flags += ["-D", packet, name, str(value)]
    for key, text in properties.user_property:
        flags += ["-D", packet, "user-property", key, text]
    return flags


def parse(line: str) -> Message:
    """Parse a line of `_FORMAT` into a message."""
    _, topic, qos, retain, content, response, data, indicator, expiry, identifiers, user, payload = line.split("|")
    properties = Properties(
        payload_format_indicator=int(indicator) if indicator else None,
        message_expiry_interval=int(expiry) if expiry else None,
        content_type=content or None,
        response_topic=response or None,
        correlation_data=data.encode() if data else None,
        user_property=tuple((pair.partition(":")[0], pair.partition(":")[2]) for pair in user.split()),
        subscription_identifier=tuple(int(number) for number in identifiers.split()),
    )
    return Message(topic, bytes.fromhex(payload), int(qos), retain == "1", None, properties)


class MosquittoTools:
    """Implements `interop.peer.Client` with the command-line tools of Debian's mosquitto-clients."""

    def __init__(self) -> None:
        self.inbox = Inbox()
        self._options: Options | None = None
        self._subscriber: Process | None = None
        self._sent = 0
        self._connects = 0

    def connect(self, options: Options) -> bool | None:
        """Store the options. A session that is resumed starts at once, others with `subscribe`."""
        self.close()
        self._options = options
        if options.session == "resume":
            self._start([_NOTHING], 0, None)
        return None

    def subscribe(self, filters: list[str], qos: int, identifier: int | None = None) -> list[int]:
        """Start mosquitto_sub and wait for its SUBACK."""
        return self._start(filters, qos, identifier)

    def unsubscribe(self, topic_filter: str) -> None:
        """Not possible while mosquitto_sub runs: it unsubscribes (`-U`) only at its start."""
        raise Unsupported("mosquitto_sub unsubscribes only when it starts")

    def publish(self, message: Message) -> None:
        """Run mosquitto_pub. The payload goes through its stdin."""
        options = self._connected()
        self._sent += 1
        command = ["mosquitto_pub", *self._address(options), "-i", f"{options.client_id}p{self._sent}"]
        command += ["-t", message.topic, "-q", str(message.qos)]
        if message.retain:
            command.append("-r")
        if options.version == V5:
            command += property_flags("publish", message.properties)
        command.append("-s" if message.payload else "-n")
        try:
            done = subprocess.run(command, input=message.payload, capture_output=True, timeout=DEADLINE, check=False)
        except subprocess.TimeoutExpired:
            raise ClientFailure(f"mosquitto_pub did not end within {DEADLINE:g} s: {command}") from None
        if done.returncode != 0 or done.stderr:
            raise ClientFailure(f"mosquitto_pub ended with {done.returncode}: {done.stderr.decode(errors='replace')}")

    def disconnect(self) -> None:
        """Send SIGTERM: mosquitto_sub sends DISCONNECT (in 5.0 the one with Will Message)."""
        if self._subscriber is not None:
            self._subscriber.terminate()
            self._subscriber = None

    def drop(self) -> None:
        """Send SIGKILL: the kernel closes the link."""
        if self._subscriber is not None:
            self._subscriber.kill()
            self._subscriber = None

    def close(self) -> None:
        """End mosquitto_sub if it runs."""
        self.drop()

    def _connected(self) -> Options:
        if self._options is None:
            raise ClientFailure("not connected")
        return self._options

    @staticmethod
    def _address(options: Options) -> list[str]:
        flags = ["-h", options.host, "-p", str(options.port), *version_flag(options.version)]
        return [*flags, "-k", str(options.keep_alive)]

    def _start(self, filters: list[str], qos: int, identifier: int | None) -> list[int]:
        options = self._connected()
        if self._subscriber is not None:
            raise Unsupported("mosquitto_sub subscribes only when it starts")
        command = ["mosquitto_sub", *self._address(options), "-i", options.client_id]
        command += ["-d", "-F", _FORMAT, "-q", str(qos)]
        for name in filters:
            command += ["-t", name]
        if options.session != "clean":
            command.append("-c")
            if options.version == V5:
                command += ["-x", str(KEPT_FOR)]
        if identifier is not None:
            command += ["-D", "subscribe", "subscription-identifier", str(identifier)]
        if options.will is not None:
            will = options.will
            command += ["--will-topic", will.topic, "--will-payload", will.payload.decode()]
            command += ["--will-qos", str(will.qos)]
            if will.retain:
                command.append("--will-retain")
            if will.properties != NO_PROPERTIES:
                command += property_flags("will", will.properties)
        self._connects = 0
        self._subscriber = Process(command, on_line=self._on_line, by_line=True)
        try:
            granted = self._subscriber.wait_line(r"^Subscribed \(mid: \d+\): (.*)$").group(1)
        except ProcessFailure as failure:
            raise ClientFailure(str(failure)) from None
        return [int(number) for number in granted.split(",")]

    def _on_line(self, line: str) -> None:
        if line.startswith(_MARK):
            self.inbox.put(parse(line))
        elif line.endswith(" sending CONNECT"):
            # mosquitto_sub reconnects by itself, which would hide that the broker had closed the link.
            self._connects += 1
            if self._connects > 1:
                self.inbox.link_lost("mosquitto_sub connected again")

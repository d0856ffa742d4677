# SPDX-License-Identifier: MIT
"""Adapter for MQTT.js: a Node process that executes commands (`tests/js/peer.mjs`). Speaks 5.0, 3.1.1 and 3.1."""

import base64
import itertools
import json
import subprocess
import threading
from pathlib import Path
from typing import Any

from interop.adapters.mosquitto_tools import program
from interop.peer import DEADLINE, KEPT_FOR, V5, V31, ClientFailure, Inbox, Message, Options, Properties

FOLDER = Path(__file__).resolve().parents[2] / "tests" / "js"


def missing() -> str | None:
    """Return what is not installed."""
    if program("node") is None:
        return "node is not installed"
    if not (FOLDER / "node_modules" / "mqtt").is_dir():
        return "MQTT.js is not installed: npm ci --prefix tests/js"
    return None


def to_json(properties: Properties) -> dict[str, Any]:
    """Return the properties, without those that are not set."""
    data = properties.correlation_data
    named = {
        "payload_format_indicator": properties.payload_format_indicator,
        "message_expiry_interval": properties.message_expiry_interval,
        "content_type": properties.content_type,
        "response_topic": properties.response_topic,
        "correlation_data": None if data is None else base64.b64encode(data).decode(),
        "user_property": list(properties.user_property) or None,
    }
    return {name: value for name, value in named.items() if value is not None}


def from_json(record: dict[str, Any]) -> Message:
    """Convert a received message."""
    properties = dict(record["properties"])
    data = properties["correlation_data"]
    properties["correlation_data"] = None if data is None else base64.b64decode(data)
    properties["user_property"] = tuple((name, value) for name, value in properties["user_property"])
    properties["subscription_identifier"] = tuple(properties["subscription_identifier"])
    return Message(
        record["topic"],
        base64.b64decode(record["payload"]),
        record["qos"],
        record["retain"],
        record["dup"],
        Properties(**properties),
    )


class MqttJs:
    """`interop.peer.Client` on MQTT.js."""

    def __init__(self) -> None:
        self.inbox = Inbox()
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._connected = False
        self._ids = itertools.count(1)
        self._answers: dict[int, dict[str, Any]] = {}
        self._changed = threading.Condition()
        self._ended = False

    def connect(self, options: Options) -> bool | None:
        """Connect and wait for the CONNACK."""
        self._drop_quietly()
        version = options.version
        settings: dict[str, Any] = {
            "protocolVersion": version,
            "protocolId": "MQIsdp" if version == V31 else "MQTT",
            "clientId": options.client_id,
            "keepalive": options.keep_alive,
            "clean": options.session != "resume" if version == V5 else options.session == "clean",
        }
        if version == V5 and options.session != "clean":
            settings["properties"] = {"sessionExpiryInterval": KEPT_FOR}
        will = options.will
        more: dict[str, Any] = {}
        if will is not None:
            payload = base64.b64encode(will.payload).decode()
            more["will"] = {"topic": will.topic, "payload": payload, "qos": will.qos, "retain": will.retain}
            more["will_properties"] = to_json(will.properties)
        scheme = "ws" if options.websocket else "mqtt"
        present = self._do("connect", url=f"{scheme}://{options.host}:{options.port}", options=settings, **more)
        self._connected = True
        return bool(present)

    def subscribe(self, filters: list[str], qos: int, identifier: int | None = None) -> list[int]:
        """Subscribe to all filters with one SUBSCRIBE."""
        codes: list[int] = self._do("subscribe", filters=filters, qos=qos, identifier=identifier)
        return codes

    def unsubscribe(self, topic_filter: str) -> None:
        """Unsubscribe from one filter."""
        self._do("unsubscribe", filter=topic_filter)

    def publish(self, message: Message) -> None:
        """Publish and wait for PUBACK or PUBCOMP. A negative one is a failure."""
        self._do(
            "publish",
            topic=message.topic,
            payload=base64.b64encode(message.payload).decode(),
            qos=message.qos,
            retain=message.retain,
            properties=to_json(message.properties),
        )

    def disconnect(self) -> None:
        """Send DISCONNECT and close."""
        self._connected = False
        self._do("disconnect")

    def drop(self) -> None:
        """Destroy the socket under MQTT.js."""
        self._connected = False
        self._do("drop")

    def close(self) -> None:
        """Drop the link if it is still there, and end the process."""
        self._drop_quietly()
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(DEADLINE)
            if self._reader is not None:
                self._reader.join(DEADLINE)
            assert process.stdin is not None
            process.stdin.close()

    def _drop_quietly(self) -> None:
        if self._connected:
            try:
                self.drop()
            except ClientFailure:
                pass

    def _start(self) -> subprocess.Popen[str]:
        node = program("node")
        assert node is not None
        process = subprocess.Popen(
            [node, str(FOLDER / "peer.mjs")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )
        self._ended = False
        self._reader = threading.Thread(target=self._read, args=(process,), daemon=True)
        self._reader.start()
        return process

    def _do(self, command: str, **more: Any) -> Any:
        if self._process is None:
            self._process = self._start()
        number = next(self._ids)
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"id": number, "command": command, **more}) + "\n")
            self._process.stdin.flush()
        except OSError as error:
            raise ClientFailure(f"node: {error}") from None
        with self._changed:
            self._changed.wait_for(lambda: number in self._answers or self._ended, DEADLINE)
            answer = self._answers.pop(number, None)
        if answer is None:
            if self._ended:
                raise ClientFailure(f"node ended with {self._process.wait(DEADLINE)} during {command}")
            raise ClientFailure(f"waited {DEADLINE:g} s for the end of {command}")
        if "error" in answer:
            raise ClientFailure(f"{command}: {answer['error']}")
        return answer["value"]

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                record = json.loads(line)
                if "message" in record:
                    self.inbox.put(from_json(record["message"]))
                elif "lost" in record:
                    if self._connected:
                        self.inbox.link_lost(record["lost"])
                else:
                    with self._changed:
                        self._answers[record["id"]] = record
                        self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

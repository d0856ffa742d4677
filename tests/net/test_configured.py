# SPDX-License-Identifier: MIT
"""`mqtt-ref serve` with a configuration: what holds, what is refused, and what changes while it runs."""

from __future__ import annotations

import argparse
import json
import signal
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from mqtt_ref.cli import serve as serve_command
from mqtt_ref.cli.main import main
from mqtt_ref.cli.planning import plan
from mqtt_ref.http.listener import HttpListener
from mqtt_ref.net.tcp import TcpListener
from mqtt_ref.wire.packets import Connack, Connect

Serve = Callable[..., Any]
LISTENERS = """\
listeners:
  - {type: tcp, id: plain, address: "127.0.0.1:0"}
  - {type: sysinfo, id: http, address: "127.0.0.1:0", token: open sesame}
"""
LEDGER = """\
hooks:
  auth:
    ledger:
      users:
        alice: {password: first, acl: {"mine/#": readwrite, "#": deny}}
"""


def run(serve: Serve, tmp_path: Path, text: str, *more: str) -> Any:
    """A broker with this configuration."""
    file = tmp_path / "broker.yaml"
    file.write_text(text)
    return serve("--config", str(file), *more, port=None).wait_ready()


def code(running: Any, username: str | None = None, password: str = "") -> int:
    """The Reason Code of the CONNACK for this user."""
    with running.client() as client:
        client.send(Connect("c", username=username, password=password.encode() if username else None))
        return client.expect(Connack).reason_code


def http(running: Any, path: str, method: str = "GET", token: str = "open sesame") -> tuple[int, str]:
    url = running.out.wait(r"^listening on (http://127\.0\.0\.1:\d+)$")[1]
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(url + path, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_users_and_topics_are_those_of_the_file(serve: Serve, tmp_path: Path) -> None:
    running = run(serve, tmp_path, LISTENERS + LEDGER, "-v")
    assert code(running) == 0x87
    assert code(running, "alice", "wrong") == 0x86
    with running.client() as client:
        client.connect("c", username="alice", password=b"first")
        assert client.subscribe("mine/a", "others/a") == [0, 0x87]
        client.publish("mine/a", b"x", 1)
        assert client.message().payload == b"x"
    assert running.err.wait("login refused.*not the password of this user")


def test_options_are_those_of_the_file(serve: Serve, tmp_path: Path) -> None:
    text = LISTENERS + (
        "hooks: {auth: {allow_all: true}}\n"
        "options: {capabilities: {maximum_qos: 1, maximum_keep_alive: 60, refused_filters: [no]}}\n"
        "logging: {level: INFO, format: json}\n"
    )
    running = run(serve, tmp_path, text)
    with running.client() as client:
        connack = client.connect("c", keep_alive=120)
        assert connack.properties is not None
        assert connack.properties.maximum_qos == 1
        assert connack.properties.server_keep_alive == 60
        assert client.subscribe("no") == [0x87]
    running.err.wait("connected, MQTT 5.0")
    records = [json.loads(row) for row in running.err.having("connected, MQTT 5.0")]
    assert [record["level"] for record in records] == ["info"]


def test_a_file_that_names_nobody_lets_nobody_in(serve: Serve, tmp_path: Path) -> None:
    running = run(serve, tmp_path, LISTENERS)
    assert code(running) == 0x87
    assert running.err.wait("no client may connect: the configuration has no hooks.auth")


def test_a_file_without_listeners_is_warned_of(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "broker.yaml"
    file.write_text("listeners: []\nhooks: {auth: {allow_all: true}}\n")
    running = serve("--config", str(file), port=None)
    assert running.err.wait("no client can reach the broker: the configuration has no listeners")


def test_allow_all_on_the_command_line_lets_everybody_in(serve: Serve, tmp_path: Path) -> None:
    assert code(run(serve, tmp_path, LISTENERS, "--allow-all")) == 0


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no SIGHUP here")
def test_a_hangup_changes_rules_and_disconnects_nobody(serve: Serve, tmp_path: Path) -> None:
    running = run(serve, tmp_path, LISTENERS + LEDGER, "-v")
    file = tmp_path / "broker.yaml"
    with running.client() as client:
        client.connect("stays", username="alice", password=b"first")
        assert client.subscribe("others/a") == [0x87]
        file.write_text((LISTENERS + LEDGER).replace("first", "second").replace('"#": deny', '"others/#": read'))
        running.process.send_signal(signal.SIGHUP)
        running.err.wait("read the configuration again")
        client.ping()
        assert client.subscribe("others/a") == [0]
    assert code(running, "alice", "first") == 0x86
    assert code(running, "alice", "second") == 0


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no SIGHUP here")
def test_a_hangup_with_a_wrong_file_changes_nothing(serve: Serve, tmp_path: Path) -> None:
    running = run(serve, tmp_path, LISTENERS + LEDGER)
    file = tmp_path / "broker.yaml"
    file.write_text((LISTENERS + LEDGER).replace("first", "second").replace("deny", "dany"))
    running.process.send_signal(signal.SIGHUP)
    running.err.wait(r"stays as it was: .*broker\.yaml:8:\d+: .*is 'dany'; it must be one of deny")
    assert code(running, "alice", "first") == 0


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no SIGHUP here")
def test_what_needs_a_restart_is_named(serve: Serve, tmp_path: Path) -> None:
    running = run(serve, tmp_path, LISTENERS + LEDGER)
    (tmp_path / "broker.yaml").write_text(LISTENERS + LEDGER + "options: {capabilities: {maximum_qos: 0}}\n")
    running.process.send_signal(signal.SIGHUP)
    running.err.wait(r"only a restart will change options\.capabilities\.maximum_qos$")
    with running.client() as client:
        connack = client.connect("c", username="alice", password=b"first")
        assert connack.properties is None or connack.properties.maximum_qos is None


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no SIGHUP here")
def test_a_hangup_takes_new_certificates(serve: Serve, tmp_path: Path, authority: Any) -> None:
    file = tmp_path / "server.pem"

    def renew() -> bytes:
        issued = authority.ca.issue_cert("127.0.0.1")
        issued.private_key_and_cert_chain_pem.write_to_path(file)
        return ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode())

    def shown(port: int) -> bytes | None:
        with authority.connect(port) as client:
            client.connect("c", username="alice", password=b"first")
            return client.socket.getpeercert(True)

    first = renew()
    secure = f'  - {{type: tcp, address: "127.0.0.1:0", tls: {{certificate: "{file}"}}}}\n'
    running = run(serve, tmp_path, LISTENERS + secure + LEDGER, "-v")
    port = int(running.out.wait(r"^listening on mqtts://127\.0\.0\.1:(\d+)$")[1])
    assert shown(port) == first
    with authority.connect(port) as stays:
        stays.connect("stays", username="alice", password=b"first")
        second = renew()
        running.process.send_signal(signal.SIGHUP)
        running.err.wait("read the configuration again")
        assert shown(port) == second
        stays.ping()
        file.write_text("no certificate")
        (tmp_path / "broker.yaml").write_text((LISTENERS + secure + LEDGER).replace("first", "other"))
        running.process.send_signal(signal.SIGHUP)
        running.err.wait(r"stays as it was: .*listeners\[\d\]\.tls: mqtts:.*server\.pem is not a certificate")
        stays.ping()
    assert shown(port) == second  # with the password of before


def test_the_api_reads_it_again_too(serve: Serve, tmp_path: Path) -> None:
    running = run(serve, tmp_path, LISTENERS + LEDGER)
    file = tmp_path / "broker.yaml"
    file.write_text((LISTENERS + LEDGER).replace("first", "second"))
    assert http(running, "/api/v1/reload", "POST", "wrong")[0] == 401
    assert http(running, "/api/v1/reload", "POST")[0] == 204
    assert code(running, "alice", "second") == 0
    file.write_text("listeners: 1\n")
    status, text = http(running, "/api/v1/reload", "POST")
    assert status == 422
    assert "listeners: must be a list, not 1" in text
    assert code(running, "alice", "second") == 0


def test_a_hook_of_one_s_own(serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shouting.py").write_text(
        "from mqtt_ref.hooks import Hook\n"
        "from mqtt_ref.wire.packets import Publish\n"
        "class Shout(Hook):\n"
        "    def __init__(self, mark): self.mark = mark\n"
        "    def on_publish(self, client, packet):\n"
        "        return Publish(packet.topic, packet.payload.upper() + self.mark.encode(), packet.qos)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    text = LISTENERS + (
        "hooks:\n  auth: {allow_all: true}\n  custom: [{hook: 'shouting:Shout', arguments: {mark: '!'}}]\n"
    )
    running = run(serve, tmp_path, text)
    with running.client() as client:
        client.connect("c")
        client.subscribe("a")
        client.publish("a", b"hello")
        assert client.message().payload == b"HELLO!"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("broken:Hook", r"cannot be imported: ValueError\('no database'\)"),
        ("unfit:Sends", "cannot be added: hook Sends: on_packet_sent cannot be async def"),
        ("unfit:Reads", "cannot be added: hook Reads: on_acl_check is async def"),
        ("unfit:Raises", r"arguments: are not accepted by unfit:Raises: OSError\('nobody there'\)"),
    ],
)
def test_a_hook_of_one_s_own_that_does_not_work(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, said: str
) -> None:
    (tmp_path / "broken.py").write_text("raise ValueError('no database')\n")
    (tmp_path / "unfit.py").write_text(
        "from mqtt_ref.hooks import Hook\n"
        "class Sends(Hook):\n"
        "    async def on_packet_sent(self, client, packet, data): pass\n"
        "class Reads(Hook):\n"
        "    async def on_acl_check(self, client, topic, write): return True\n"
        "class Raises(Hook):\n"
        "    def __init__(self): raise OSError('nobody there')\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    file = tmp_path / "broker.yaml"
    file.write_text(f"hooks: {{auth: {{allow_all: true}}, custom: [{{hook: '{name}'}}]}}\n")
    refused = serve("--config", str(file), port=None)
    assert refused.wait() == 2
    assert refused.err.having(said)
    assert not refused.err.having("Traceback")


def test_the_environment_alone_is_a_configuration(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MQTT_REF__OPTIONS__CAPABILITIES__RETAIN_AVAILABLE", "false")
    running = serve().wait_ready()
    with running.client() as client:
        connack = client.connect("c")
        assert connack.properties is not None
        assert connack.properties.retain_available == 0


def test_strangers_are_let_in_by_rules_only(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MQTT_REF__LISTENERS", "[{type: tcp, address: ':0'}]")
    refused = serve(port=None)
    assert refused.wait() == 2
    assert refused.err.having("Use --allow-all if this is wanted")
    monkeypatch.setenv("MQTT_REF__HOOKS__AUTH__ALLOW_ALL", "true")
    running = serve(port=None)
    running.port = int(running.out.wait(r"^listening on mqtt://0\.0\.0\.0:(\d+)$")[1])
    assert code(running) == 0


@pytest.mark.parametrize("flags", [["--no-ws"], ["--no-http"], ["--no-ws", "--no-http"], []])
def test_the_usual_listeners_can_be_left_out(serve: Serve, flags: list[str]) -> None:
    running = serve(*flags).wait_ready()
    running.end()
    found = {line.split("://")[0].removeprefix("listening on ") for line in running.out.lines}
    assert found == {"mqtt", "ws", "http"} - {flag.removeprefix("--no-") for flag in flags}


def test_websocket_and_http_serve_without_a_configuration(serve: Serve) -> None:
    running = serve().wait_ready()
    assert http(running, "/healthz")[0] == 200
    assert http(running, "/api/v1/reset", "POST")[0] == 403  # no token, no change
    assert running.out.wait(r"^listening on ws://127\.0\.0\.1:\d+$")


@pytest.mark.parametrize(("flags", "strangers"), [([], 403), (["--allow-all"], 101)])
def test_pages_of_other_sites_get_nothing_out_of_it(serve: Serve, flags: list[str], strangers: int) -> None:
    """A page that somebody looks at could read and write everything otherwise."""
    running = serve(*flags).wait_ready()
    port = int(running.out.wait(r"^listening on ws://127\.0\.0\.1:(\d+)$")[1])
    for origin, status in (("http://localhost:3000", 101), ("https://site.example", strangers)):
        link = HTTPConnection("127.0.0.1", port, timeout=10)
        link.request(
            "GET",
            "/",
            headers={
                "Connection": "Upgrade",
                "Upgrade": "websocket",
                "Sec-WebSocket-Version": "13",
                "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
                "Sec-WebSocket-Protocol": "mqtt",
                "Origin": origin,
            },
        )
        assert link.getresponse().status == status
        link.close()


@pytest.mark.parametrize(
    ("text", "arguments", "said"),
    [
        ("listeners: 1", [], r"broker\.yaml:1:1: listeners: must be a list, not 1"),
        (
            "listeners: [{type: tcp, address: here}]",
            [],
            r"listeners\[0\]\.address: is 'here'; it must be host:port",
        ),
        ("listeners: [{type: unix}]", [], r"listeners\[0\]: lacks address"),
        ("options: {decisions: {overlapping: all}}", [], "is 'all'; it must be one of one, each"),
        ("{}", ["--port", "0"], "--port: the configuration says where to listen, under `listeners`"),
        ("{}", ["--host", "::1", "--no-ws"], "--host, --no-ws: the configuration says where"),
        ("hooks: {custom: [{hook: 'no_such_module:X'}]}", [], "cannot be imported: No module named"),
        ("hooks: {custom: [{hook: 'json:loads'}]}", [], "is not a subclass of"),
        ("listeners: [{type: tcp, tls: {certificate: none.pem}}]", [], r"listeners\[0\]\.tls: .*none\.pem"),
        ("hooks: {auth: {ledger: {users: {a: {password: '$argon2id$x'}}}}}", [], r"ledger\.users\.a\.password"),
        ("hooks: {auth: {scram: {a: 'SCRAM-SHA-256$1'}}}", [], r"hooks\.auth\.scram\.a"),
        ("listeners: [{type: net, address: 'fd:987654'}]", [], "Bad file descriptor"),
        (
            "listeners: [{type: ws, origins: [example.org]}]",
            [],
            r"listeners\[0\]\.origins\[0\]: 'example.org' is not a web site; write scheme and host",
        ),
        ("listeners: [{type: net, address: 'systemd:x'}]", [], "the sockets from systemd are: none"),
        (
            "listeners: [{type: tcp, id: a}, {type: ws, id: a}]",
            [],
            r"listeners\[1\]\.id: is 'a', like that of listeners\[0\]",
        ),
    ],
)
def test_what_is_wrong_is_said_before_anything_starts(
    serve: Serve, tmp_path: Path, text: str, arguments: list[str], said: str
) -> None:
    file = tmp_path / "broker.yaml"
    file.write_text(text)
    refused = serve("--config", str(file), *arguments, port=None)
    assert refused.wait() == 2
    assert refused.err.having(said), refused.err.lines
    assert refused.out.lines == []


def test_a_configuration_can_be_checked_and_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "broker.yaml"
    file.write_text(LISTENERS + LEDGER)
    assert main(["check-config", str(file)]) == 0
    assert capsys.readouterr().out == f"{file}: fine\n"
    assert main(["check-config", str(file), "--print"]) == 0
    shown = capsys.readouterr().out
    assert "maximum_qos: 2" in shown
    assert "first" not in shown
    assert "open sesame" not in shown
    file.write_text(LISTENERS.replace("tcp", "tcq") + "foo: 1\n")
    assert main(["check-config", str(file)]) == 1
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith(f"{file}:2:6: listeners[0].type: is 'tcq'; it must be one of tcp, ws")
    assert said[1] == f"{file}:4:1: foo: is not known here"


def test_serve_shows_what_would_hold(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MQTT_REF__LOGGING__LEVEL", "DEBUG")
    shown = serve("--print-config", port=None)
    assert shown.wait() == 0
    assert "  level: DEBUG" in shown.out.lines


def test_nothing_of_the_configuration_is_imported_where_there_is_none() -> None:
    program = (
        "import argparse, sys\n"
        "from mqtt_ref.cli import serve, planning\n"
        "parser = argparse.ArgumentParser(); serve.configure(parser)\n"
        "planning.plan(parser.parse_args(['--no-http', '--no-ws']), {})\n"
        "print(*sys.modules)\n"
    )
    names = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not {"yaml", "msgspec", "websockets", "h11", "mqtt_ref.config.model"} & set(names)


def test_without_anything_it_listens_where_everybody_looks() -> None:
    parser = argparse.ArgumentParser()
    serve_command.configure(parser)
    made = plan(parser.parse_args([]), {})
    assert [(one.host, one.port) for one in made.listeners if isinstance(one, TcpListener | HttpListener)] == [
        ("localhost", 1883),
        ("localhost", 1882),
        ("localhost", 8080),
    ]

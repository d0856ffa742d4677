#!/bin/sh
# SPDX-License-Identifier: MIT
# With curl: start a broker that loses a PUBACK together with the link, let a client connect, read the verdict.
#   mqtt-ref oracle control --token secret &
#   ORACLE=http://127.0.0.1:8090 TOKEN=secret CLIENT='your_client --port' sh examples/oracle/lost_puback.sh
# CLIENT is a command that gets the broker's port as its last argument, and connects as `sensor`. Default: a ping.
set -eu
ORACLE=${ORACLE:-http://127.0.0.1:8090}

call() { # METHOD PATH [BODY]
    curl -sS --fail-with-body -X "$1" "$ORACLE$2" -H "Authorization: Bearer ${TOKEN:-}" \
        ${3:+-H "Content-Type: application/json" -d "$3"}
}
field() { sed -n "s/.*\"$1\":\"\{0,1\}\([^,\"}]*\).*/\1/p"; }

broker=$(call POST /v1/brokers '{"rules": [{"when": {"packet": "PUBACK", "to": "*", "nth": 1}, "do": {"type": "close"}}]}')
id=$(echo "$broker" | field id)
port=$(echo "$broker" | field port)
trap 'call DELETE "/v1/brokers/$id"' EXIT

if [ -n "${CLIENT:-}" ]; then
    $CLIENT "$port"
else
    mqtt-ref ping "mqtt://127.0.0.1:$port"
fi
call POST "/v1/brokers/$id/wait" '{"disconnected": "*", "within": 5}' > /dev/null
call GET "/v1/brokers/$id/trace"
verdict=$(call GET "/v1/brokers/$id/verdict")
echo "$verdict"
[ "$(echo "$verdict" | field clean)" = true ]

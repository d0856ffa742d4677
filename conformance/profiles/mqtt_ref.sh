#!/bin/sh
# SPDX-License-Identifier: MIT
# mqtt_ref.sh start|stop|restart|kill: one mqtt-ref on PORT, with its files in DIRECTORY, configured by SETTING_...
set -eu
port=${PORT:-1886}
directory=${DIRECTORY:-${TMPDIR:-/tmp}/mqtt-conformance-mqtt_ref-$port}
store=${STORE:-sqlite:$directory/store.db}
program=${PROGRAM:-mqtt-ref}

set_option() { # capability, value: of the broker that is started next; without a value its default
    if [ -n "$2" ]; then export "MQTT_REF__OPTIONS__CAPABILITIES__$1=$(echo "$2" | tr TF tf)"; fi
}

start() {
    set_option MAXIMUM_QOS "${SETTING_MAXIMUM_QOS-}"
    set_option MAXIMUM_PACKET_SIZE "${SETTING_MAXIMUM_PACKET_SIZE-}"
    set_option MAXIMUM_SESSION_EXPIRY_INTERVAL "${SETTING_MAXIMUM_SESSION_EXPIRY-}"
    set_option RETAIN_AVAILABLE "${SETTING_RETAIN_AVAILABLE-}"
    set_option SHARED_SUB_AVAILABLE "${SETTING_SHARED_SUB_AVAILABLE-}"
    set_option SUB_ID_AVAILABLE "${SETTING_SUB_ID_AVAILABLE-}"
    set_option WILDCARD_SUB_AVAILABLE "${SETTING_WILDCARD_SUB_AVAILABLE-}"
    set_option ZERO_LENGTH_CLIENT_IDS "${SETTING_EMPTY_CLIENT_ID-}"
    export MQTT_REF__LISTENERS__0__ADDRESS="127.0.0.1:$port" PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"
    rm -f "$directory/pid" "$directory/ended"
    # The shell in the background waits for the broker: a process is over only when its parent knows.
    (
        sh -c 'echo $$ > "$0/pid"; exec "$@"' "$directory" $program serve --config mqtt_ref.yaml --store "$store" || true
        touch "$directory/ended"
    ) > "$directory/log" 2>&1 &
    while [ ! -s "$directory/pid" ]; do sleep 0.01; done
}

end() { # send this signal, and wait until the broker has ended
    kill "-$1" "$(cat "$directory/pid")" 2> /dev/null || true
    while [ ! -e "$directory/ended" ]; do sleep 0.02; done
}

case $1 in
    start) rm -rf "$directory"; mkdir -p "$directory"; start ;;
    stop) end TERM; rm -rf "$directory" ;;
    restart) end TERM; start ;;
    kill) end KILL; start ;;
    *) echo "$0 start|stop|restart|kill" >&2; exit 2 ;;
esac

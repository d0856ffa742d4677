#!/bin/sh
# SPDX-License-Identifier: MIT
# mosquitto.sh start|stop|restart|kill: one Mosquitto on PORT, with its files in DIRECTORY, configured by SETTING_...
set -eu
port=${PORT:-1885}
directory=${DIRECTORY:-${TMPDIR:-/tmp}/mqtt-conformance-mosquitto-$port}
PATH=$PATH:/usr/sbin

configure() {
    mkdir -p "$directory"
    {
        echo "listener $port 127.0.0.1"
        echo "allow_anonymous true"
        echo "persistence true"
        echo "persistence_location $directory/"
        if [ "$(id -u)" = 0 ]; then echo "user root"; fi
        if [ -n "${SETTING_MAXIMUM_QOS-}" ]; then echo "max_qos $SETTING_MAXIMUM_QOS"; fi
        if [ -n "${SETTING_MAXIMUM_PACKET_SIZE-}" ]; then echo "max_packet_size $SETTING_MAXIMUM_PACKET_SIZE"; fi
        if [ "${SETTING_RETAIN_AVAILABLE-}" = False ]; then echo "retain_available false"; fi
        if [ "${SETTING_EMPTY_CLIENT_ID-}" = False ]; then echo "allow_zero_length_clientid false"; fi
    } > "$directory/mosquitto.conf"
}

start() {
    configure
    mosquitto -c "$directory/mosquitto.conf" > "$directory/log" 2>&1 &
    echo $! > "$directory/pid"
}

end() { # send this signal, and wait until the broker has ended
    pid=$(cat "$directory/pid")
    kill "-$1" "$pid"
    while kill -0 "$pid" 2> /dev/null; do sleep 0.05; done
}

case $1 in
    start) rm -rf "$directory"; start ;;
    stop) end TERM; rm -rf "$directory" ;;
    restart) end TERM; start ;;
    kill) end KILL; start ;;
    *) echo "$0 start|stop|restart|kill" >&2; exit 2 ;;
esac

# SPDX-License-Identifier: MIT
"""A second set of faults, by an author who knew neither the cases nor the first set."""

from mqtt_conformance.proxy.second import (
    acks,
    alias,
    auth,
    before_5_0,
    close,
    connack,
    keepalive,
    limits,
    live,
    malformed,
    malformed_connect,
    matching,
    qos2,
    queued,
    refusal,
    resent,
    retained,
    session,
    shared,
    suback,
    subscription,
    takeover,
    will,
)
from mqtt_conformance.proxy.second.tools import FAULTS

__all__ = ["FAULTS"]

MODULES = (
    live,
    queued,
    resent,
    retained,
    matching,
    subscription,
    suback,
    connack,
    acks,
    qos2,
    session,
    takeover,
    will,
    shared,
    limits,
    alias,
    keepalive,
    close,
    refusal,
    malformed,
    malformed_connect,
    auth,
    before_5_0,
)
"""Each adds its rows to `FAULTS`."""

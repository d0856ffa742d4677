# SPDX-License-Identifier: MIT
# Written by `python -m codegen` from the tables in `spec/`. Change those, then run it again.
"""The properties of a message in the HTTP API."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, field

from mqtt_ref.http.values import Bytes, Text, Topic

__all__ = ["PublishProperties"]


class PublishProperties(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The properties of a message."""

    payload_format_indicator: Annotated[int, Meta(ge=0, le=1)] | None = None
    message_expiry_interval: Annotated[int, Meta(ge=0, le=4_294_967_295)] | None = None
    content_type: Text | None = None
    response_topic: Topic | None = None
    correlation_data: Bytes | None = None
    user_property: list[tuple[Text, Text]] = field(default_factory=list)

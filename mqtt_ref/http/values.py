# SPDX-License-Identifier: MIT
"""The types of strings and bytes in the API, and their conversion."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from mqtt_ref.wire.jsonform import bytes_to_json

__all__ = ["Bytes", "Form", "Text", "Topic", "bytes_form", "bytes_of"]

Text = Annotated[str, Meta(max_length=65_535, pattern=r"^[^\u0000]*$", description="At most 65535 bytes as UTF-8")]
Topic = Annotated[
    str,
    Meta(
        min_length=1, max_length=65_535, pattern=r"^[^+#\u0000]*$", description="A Topic Name, at most 65535 bytes long"
    ),
]


class Form(msgspec.Struct, forbid_unknown_fields=True):
    """Bytes that are not printable text, in hex."""

    hex: Annotated[str, Meta(pattern="^([0-9a-fA-F]{2})*$")]


Bytes = str | Form


def bytes_form(data: bytes) -> str | Form:
    """Return the API form of bytes: text if they are printable UTF-8, else hex."""
    form = bytes_to_json(data)
    return form if isinstance(form, str) else Form(form["hex"])


def bytes_of(form: str | Form) -> bytes:
    """Return the bytes of an API form."""
    return form.encode() if isinstance(form, str) else bytes.fromhex(form.hex)

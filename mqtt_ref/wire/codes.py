# SPDX-License-Identifier: MIT
"""The Reason Codes and packet types as plain integers: `from mqtt_ref.wire.codes import NOT_AUTHORIZED`."""

from mqtt_ref.wire.generated.codes import *  # noqa: F403
from mqtt_ref.wire.generated.codes import __all__ as __all__

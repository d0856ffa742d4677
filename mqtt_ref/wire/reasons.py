# SPDX-License-Identifier: MIT
"""The Reason Codes, to be imported from here: `from mqtt_ref.wire.reasons import ReasonCode`."""

from mqtt_ref.wire.generated.reasons import *  # noqa: F403
from mqtt_ref.wire.generated.reasons import __all__ as __all__

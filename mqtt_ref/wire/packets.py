# SPDX-License-Identifier: MIT
"""The packet classes, to be imported from here: `from mqtt_ref.wire.packets import Publish`."""

from mqtt_ref.wire.generated.packets import *  # noqa: F403
from mqtt_ref.wire.generated.packets import __all__ as __all__

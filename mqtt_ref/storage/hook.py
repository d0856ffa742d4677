# SPDX-License-Identifier: MIT
"""A store as a hook: a server starts with what it holds, and writes nothing to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mqtt_ref.hooks import Hook
from mqtt_ref.ports import (
    InflightPut,
    QueuePut,
    ReceivedPut,
    Record,
    RetainedPut,
    SessionPut,
    Storage,
    SubscriptionPut,
    TotalsPut,
)

__all__ = ["StoredEvents"]


class StoredEvents(Hook):
    """Answers the `stored_*` events from a store. For a test that starts from a known state, say.

    What happens afterwards is stored only if the server has a `storage` of its own.
    """

    id = "stored"

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._records: list[Record] = []

    def stored_clients(self) -> Iterable[SessionPut]:
        """Read the store. The other events are asked after this one.

        Raises:
            OSError: it cannot be read.
        """
        self._storage.open()
        try:
            self._records = list(self._storage.load())
        finally:
            self._storage.close()
        return [record for record in self._records if isinstance(record, SessionPut)]

    def stored_subscriptions(self) -> Iterable[SubscriptionPut]:
        return [record for record in self._records if isinstance(record, SubscriptionPut)]

    def stored_inflight_messages(self) -> Iterable[InflightPut | QueuePut | ReceivedPut]:
        return [record for record in self._records if isinstance(record, InflightPut | QueuePut | ReceivedPut)]

    def stored_retained_messages(self) -> Iterable[RetainedPut]:
        return [record for record in self._records if isinstance(record, RetainedPut)]

    def stored_sys_info(self) -> Mapping[str, int]:
        """The last of the five: what was read is let go."""
        records, self._records = self._records, []
        return dict(pair for record in records if isinstance(record, TotalsPut) for pair in record.totals)

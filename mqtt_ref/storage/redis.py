# SPDX-License-Identifier: MIT
"""A Redis server as a back end: a hash with the values, and a sorted set that has their keys in order."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator, Sequence
from typing import Any, Final

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from mqtt_ref.storage.port import Changes, Durability, Passing, StoreError, nowhere

__all__ = ["Redis"]

LOG = logging.getLogger("mqtt_ref.storage")
PAGE: Final = 1000
"""Pairs that are read at once."""
UNLIMITED: Final = 1 << 62
TIMEOUT: Final = 10.0
"""Seconds that the server may take for one answer."""
CHANGE: Final = """
if redis.call('GET', KEYS[3]) ~= ARGV[1] then return 0 end
local at = 3
for i = 1, tonumber(ARGV[2]) do
    redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 1])
    redis.call('ZADD', KEYS[2], 0, ARGV[at])
    at = at + 2
end
for i = at, #ARGV do
    redis.call('HDEL', KEYS[1], ARGV[i])
    redis.call('ZREM', KEYS[2], ARGV[i])
end
return 1
"""
"""Makes all changes, if the store still belongs to this broker. A script is atomic."""


class Redis:
    """Three keys of a server: `PREFIXvalues`, `PREFIXkeys`, and `PREFIXowner`, the broker that writes.

    How durable a write is, the server's `appendfsync` says. `full` needs `always`, `normal` needs `appendonly yes`; a
    server that has less is warned of.
    """

    def __init__(
        self,
        url: str,
        durability: Durability = "normal",
        prefix: str = "mqtt_ref:",
        username: str | None = None,
        password: str | None = None,
        ca: str | None = None,
    ) -> None:
        self.passing: Passing = nowhere
        self._durability = durability
        self._values, self._keys, self._owner = prefix + "values", prefix + "keys", prefix + "owner"
        self._token = secrets.token_hex(8)
        more: dict[str, Any] = {}
        if username is not None:
            more["username"] = username
        if password is not None:
            more["password"] = password
        if ca is not None:
            more["ssl_ca_certs"] = ca
        try:
            pool = redis.ConnectionPool.from_url(
                url,
                client_name=self._client_name(self._token),
                socket_timeout=TIMEOUT,
                socket_connect_timeout=TIMEOUT,
                retry=Retry(NoBackoff(), 1),
                **more,
            )
        except ValueError as error:
            raise ValueError(f"{error}; a store in Redis is written like redis://HOST:PORT/DATABASE") from error
        parts = pool.connection_kwargs
        secure = "s" if url.startswith("rediss:") else ""
        where = parts.get("path") or f"{parts.get('host', 'localhost')}:{parts.get('port', 6379)}"
        self.name = f"redis{secure}://{where}/{parts.get('db', 0)}"
        self._pool = pool
        self._client: Any = None
        self._change: Any = None
        self._writes = False

    @staticmethod
    def _client_name(token: str) -> str:
        return f"mqtt_ref-{token}"

    def open(self, *, write: bool, create: bool) -> None:
        """Connect, and take the store unless a broker that is connected has it."""
        client = redis.Redis(connection_pool=self._pool)
        try:
            client.ping()
            if not create and not client.exists(self._values):
                raise StoreError(f"{self.name} holds no store of this name")
            for key, kind in ((self._values, b"hash"), (self._keys, b"zset"), (self._owner, b"string")):
                found = client.type(key)
                if found not in (b"none", kind):
                    raise StoreError(f"{self.name}: the key {key} belongs to another program; choose another prefix")
            if write:
                self._take(client)
                self._compare(client)
        except redis.RedisError as error:
            raise self._explained(error) from error
        self._change = client.register_script(CHANGE)
        self._client = client
        self._writes = write

    def _take(self, client: Any) -> None:
        """Become the broker that writes.

        The connection of each broker has its token as a name: the server knows who is alive.
        """
        owner = client.get(self._owner)
        if owner is not None and owner.decode() != self._token:
            name = self._client_name(owner.decode())
            if any(one.get("name") == name for one in client.client_list()):
                raise StoreError(f"{self.name} is in use by another broker; stop that one, or choose another prefix")
        client.set(self._owner, self._token)

    def _compare(self, client: Any) -> None:
        """Warn of a server that keeps less than what was asked for."""
        try:
            found = client.config_get("append*")
            found.update(client.config_get("maxmemory*"))
        except redis.RedisError as error:
            LOG.warning("%s does not say how it writes to disk: %s", self.name, error)
            return
        fsync = found.get("appendfsync") if found.get("appendonly") == "yes" else "never"
        wanted = {"full": ("always",), "normal": ("always", "everysec", "no"), "off": (fsync,)}[self._durability]
        if fsync not in wanted:
            have = "appendonly no" if fsync == "never" else f"appendfsync {fsync}"
            need = "appendonly yes, appendfsync always" if self._durability == "full" else "appendonly yes"
            LOG.warning(
                "%s is less durable than asked for: it has %s, and `%s` needs %s",
                self.name,
                have,
                self._durability,
                need,
            )
        policy = found.get("maxmemory-policy", "noeviction")
        if policy != "noeviction" and found.get("maxmemory", "0") != "0" and not policy.startswith("volatile"):
            LOG.warning("%s may drop what it holds: set maxmemory-policy noeviction instead of %s", self.name, policy)

    def _explained(self, error: Exception) -> StoreError:
        if isinstance(error, redis.AuthenticationError):
            return StoreError(f"{self.name} does not accept the user name and password: {error}")
        if isinstance(error, redis.ConnectionError | redis.TimeoutError):
            return StoreError(f"{self.name} cannot be reached: {error}")
        return StoreError(f"{self.name}: {error}")

    @property
    def _connected(self) -> Any:
        if self._client is None:
            raise StoreError(f"{self.name} is not open")
        return self._client

    def get(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """The values of those keys that exist."""
        if not keys:
            return {}
        try:
            values = self._connected.hmget(self._values, list(keys))
        except redis.RedisError as error:
            raise self._explained(error) from error
        return {key: value for key, value in zip(keys, values, strict=True) if value is not None}

    def write(self, changes: Changes) -> None:
        """Make all changes with one script."""
        puts: list[bytes] = []
        deletes: list[bytes] = []
        for key, value in changes.items():
            if value is None:
                deletes.append(key)
            else:
                puts += (key, value)
        if self._client is None:
            raise StoreError(f"{self.name} is not open")
        self.passing("between write and commit")
        try:
            done = self._change(
                keys=[self._values, self._keys, self._owner], args=[self._token, len(puts) // 2, *puts, *deletes]
            )
        except redis.RedisError as error:
            raise self._explained(error) from error
        if not done:
            raise StoreError(f"{self.name} was taken over by another broker; this one must not write any more")

    def scan(self, prefix: bytes, after: bytes = b"", most: int = 0) -> Iterator[tuple[bytes, bytes]]:
        """Keys that begin with `prefix`, in order. Of a store that changes meanwhile it is no picture of one moment."""
        start = b"[" + prefix if prefix else b"-"
        if after:
            start = b"(" + after
        left = most or UNLIMITED
        end = b"[" + prefix + b"\xff" * (502 - len(prefix))
        try:
            while left:
                page = min(PAGE, left)
                left -= page
                keys = self._connected.zrangebylex(self._keys, start, end, 0, page)
                if not keys:
                    return
                values = self._connected.hmget(self._values, keys)
                for key, value in zip(keys, values, strict=True):
                    if value is not None:
                        yield key, value
                start = b"(" + keys[-1]
        except redis.RedisError as error:
            raise self._explained(error) from error

    def check(self) -> list[str]:
        """Compare the two keys."""
        try:
            values, keys = self._connected.hlen(self._values), self._connected.zcard(self._keys)
        except redis.RedisError as error:
            raise self._explained(error) from error
        return [] if values == keys else [f"{values} values and {keys} keys"]

    def compact(self) -> None:
        """Have the server write its log anew, if it has one."""
        try:
            self.passing("during compaction")
            self._connected.bgrewriteaof()
        except redis.RedisError as error:
            raise self._explained(error) from error

    def size(self) -> int:
        """Bytes that the server needs for it."""
        try:
            return sum(self._connected.memory_usage(key) or 0 for key in (self._values, self._keys))
        except redis.RedisError as error:
            raise self._explained(error) from error

    def close(self) -> None:
        """Let others have the store, and end the connection."""
        client, self._client = self._client, None
        if client is None:
            return
        try:
            if self._writes and client.get(self._owner) == self._token.encode():
                client.delete(self._owner)
        except redis.RedisError as error:
            LOG.info("%s could not be told goodbye: %s", self.name, error)
        self._pool.disconnect()

"""redis.clear_prefix: the keys of a cache that begin with a prefix, removed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING

from receiver.domain.action import Order, Parameter, Plan, Result, Signature, Type
from receiver.errors import DeliveryFailed
from receiver.remediation.named_database import ANSWER_SECONDS, CONNECT_SECONDS, DatabaseAction

if TYPE_CHECKING:
    from redis import Redis

MISSING = "the Redis client is not installed: pip install 'alert-receiver[remediation]'"
SHORTEST_PREFIX, LONGEST_PREFIX = 3, 200
DEFAULT_MOST, MOST_KEYS = 10_000, 1_000_000
_BATCH = 500


class ClearRedisPrefix(DatabaseAction):
    """Looks for the keys with SCAN and removes them with UNLINK, neither of which holds the server up."""

    engine = "redis"
    schemes = ("redis", "rediss")
    signature = Signature(
        name="redis.clear_prefix",
        help="Removes the keys of a Redis that begin with a prefix.",
        required=("database",),
        parameters=(
            Parameter("prefix", Type.TEXT, "how the keys begin; at least 3 characters", is_required=True),
            Parameter(
                "most",
                Type.INTEGER,
                "with more keys than this nothing is removed; 10000 by default",
                least=1,
                most=MOST_KEYS,
            ),
        ),
    )

    def more_problems(self, order: Order) -> list[str]:
        """A prefix that leaves something of the rest, and is no pattern."""
        prefix = order.parameters["prefix"]
        if not SHORTEST_PREFIX <= len(prefix) <= LONGEST_PREFIX:
            return [f"prefix: must have {SHORTEST_PREFIX} to {LONGEST_PREFIX} characters"]
        if re.search(r"[*?\[\]\\^]", prefix):
            return ["prefix: is no pattern: * ? [ ] ^ and \\ are not allowed"]
        return []

    def plan(self, order: Order) -> Plan:
        """Counts the keys. Raises DeliveryFailed if they are more than `most`."""
        prefix, most = order.parameters["prefix"], order.parameters.get("most", DEFAULT_MOST)
        with self._connected(order) as (client, _):
            count = sum(1 for _ in islice(_keys(client, prefix), most + 1))
        place = f"{self.target_text(order)} that begin with {prefix}"
        if count > most:
            raise DeliveryFailed(f"there are more than {most} keys of {place}", permanent=True)
        states = {"keys": count}, {"keys": 0}
        if not count:
            return Plan(f"there are no keys of {place}", *states, is_noop=True)
        return Plan(f"remove {count} keys of {place}", *states)

    def run(self, order: Order, plan: Plan) -> Result:
        """UNLINK in batches, of no more than `most` keys. Removing a key twice changes nothing."""
        if plan.is_noop:
            return Result(plan.text, plan.to_state)
        prefix, most = order.parameters["prefix"], order.parameters.get("most", DEFAULT_MOST)
        removed = 0
        with self._connected(order) as (client, progress):
            found = islice(_keys(client, prefix), most)
            while batch := list(islice(found, _BATCH)):
                progress.has_begun = True
                removed += int(client.unlink(*batch))
        return Result(f"removed {removed} keys that begin with {prefix}", {"removed": removed})

    @contextmanager
    def _connected(self, order: Order) -> Iterator[tuple[Redis, _Progress]]:
        failure = None
        progress = _Progress()
        try:
            import redis
            from redis.backoff import NoBackoff
            from redis.retry import Retry
        except ImportError:
            failure = DeliveryFailed(MISSING, permanent=True)
        if failure is not None:
            raise failure
        client = redis.Redis.from_url(
            self.url(order),
            socket_connect_timeout=CONNECT_SECONDS,
            socket_timeout=ANSWER_SECONDS,
            retry=Retry(
                NoBackoff(), 0
            ),  # whether a request may be sent again is not for the client to decide
        )
        try:
            yield client, progress
        except redis.AuthenticationError:
            failure = DeliveryFailed("Redis does not accept the password", permanent=True)
        except redis.ResponseError:
            failure = DeliveryFailed("Redis refuses it: may its user SCAN and UNLINK?", permanent=True)
        except (redis.RedisError, OSError) as error:
            failure = _failure(error, progress)
        finally:
            client.close()
        if failure is not None:
            # Raised here and not in the `except`: the client's texts name the host.
            raise failure


class _Progress:
    """Whether an UNLINK has been sent."""

    has_begun = False


def _keys(client: Redis, prefix: str) -> Iterator[bytes]:
    start = prefix.encode()
    for key in client.scan_iter(match=f"{prefix}*", count=1000):
        if key.startswith(start):
            yield key


def _failure(error: Exception, progress: _Progress) -> DeliveryFailed:
    if progress.has_begun:
        return DeliveryFailed("the connection was lost while keys were removed", outcome_unknown=True)
    return DeliveryFailed(f"no answer from Redis ({type(error).__name__})")

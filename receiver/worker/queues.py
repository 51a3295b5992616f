"""Which queues a worker serves. Each has threads of its own, so that a slow one holds up no other."""

from __future__ import annotations

from collections.abc import Iterable

from receiver.domain.jobs import JobKind, notify_queue
from receiver.worker.handlers import HANDLERS

# Kinds whose jobs are spread over several queues, by what may be slow; all others have one queue, named as the kind.
_DIVIDED: frozenset[JobKind] = frozenset({JobKind.NOTIFY})


def queues_of(channels: Iterable[str]) -> tuple[str, ...]:
    """The queues of a worker with these notification channels.

    Jobs of other queues (a channel that is configured elsewhere, a kind of a newer release) are left alone.
    """
    whole = tuple(kind.value for kind in HANDLERS if kind not in _DIVIDED)
    return (*map(notify_queue, channels), *whole)

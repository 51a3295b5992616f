"""Which handler does which kind of job."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from receiver.domain.jobs import JobKind
from receiver.runtime import Runtime
from receiver.services.job_handler import Handler
from receiver.services.notify import NotifyHandler

HANDLERS: Mapping[JobKind, Callable[[Runtime], Handler]] = {
    JobKind.NOTIFY: NotifyHandler,
}


def build_handlers(runtime: Runtime) -> dict[str, Handler]:
    """A handler for each kind of job that this release knows."""
    return {kind.value: build(runtime) for kind, build in HANDLERS.items()}

"""Which handler does which kind of job."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from receiver.domain.jobs import JobKind
from receiver.runtime import Runtime
from receiver.services.diagnose import DiagnoseHandler
from receiver.services.escalate import EscalateHandler
from receiver.services.housekeeping import HousekeepingHandler
from receiver.services.job_handler import Handler
from receiver.services.notify import NotifyHandler
from receiver.services.publish import PublishHandler
from receiver.services.remediation.handler import RemediateHandler
from receiver.services.rollup import RollupHandler

HANDLERS: Mapping[JobKind, Callable[[Runtime], Handler]] = {
    JobKind.NOTIFY: NotifyHandler,
    JobKind.PUBLISH: PublishHandler,
    JobKind.HOUSEKEEPING: HousekeepingHandler,
    JobKind.ROLLUP: RollupHandler,
    JobKind.DIAGNOSE: DiagnoseHandler,
    JobKind.ESCALATE: EscalateHandler,
    JobKind.REMEDIATE: RemediateHandler,
}


def build_handlers(runtime: Runtime) -> dict[str, Handler]:
    """A handler for each kind of job that this release knows."""
    return {kind.value: build(runtime) for kind, build in HANDLERS.items()}

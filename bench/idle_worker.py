"""A worker process whose jobs do nothing: `python -m bench.idle_worker`, set up by RECEIVER_ variables like any other.

What it shows is the price of a job itself: claimed, started, recorded.
"""

from __future__ import annotations

import signal
import sys
import threading

from sqlalchemy import Connection

from receiver import logs
from receiver.config import load
from receiver.domain.jobs import ClaimedJob, JobKind, Outcome, Verdict
from receiver.runtime import build_runtime
from receiver.services.job_handler import Completion
from receiver.worker.loop import Worker, connections_needed

QUEUE = "bench"
_DRAIN_SECONDS = 10.0


class _Nothing:
    """Does nothing."""

    def run(self, job: ClaimedJob) -> Completion:
        return Completion(Outcome(Verdict.DONE))

    def bury(self, connection: Connection, job: ClaimedJob, reason: str) -> None:
        raise AssertionError(f"a job that does nothing has failed: {reason}")


def main() -> None:
    """Work until SIGTERM."""
    settings = load()
    logs.configure(settings.log_level, settings.secrets())
    runtime = build_runtime(settings, pool_size=connections_needed(settings, 1))
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: stopped.set())
    worker = Worker(runtime, handlers={JobKind.NOTIFY.value: _Nothing()}, queues=(QUEUE,))
    worker.start()
    while not stopped.wait(0.5):
        pass
    sys.exit(0 if worker.stop(_DRAIN_SECONDS) else 1)


if __name__ == "__main__":
    main()

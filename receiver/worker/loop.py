"""The worker as a process: puts its parts together, runs until it is told to stop, and ends in good order."""

from __future__ import annotations

import os
import queue
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import FrameType

from sqlalchemy.exc import DBAPIError

from receiver.config import Settings
from receiver.domain.retry import Backoff
from receiver.errors import SettingsError, StorageUnavailable
from receiver.ids import new_ulid
from receiver.logs import event_logger
from receiver.runtime import Runtime
from receiver.services import housekeeping, rollup
from receiver.services.job_handler import Handler
from receiver.services.publish import stand_by
from receiver.storage.engine import is_unreachable
from receiver.storage.migrate import require_newest
from receiver.worker.attempt import attempt
from receiver.worker.bulkhead import Bulkhead
from receiver.worker.dispatcher import Dispatcher, claim
from receiver.worker.handlers import build_handlers
from receiver.worker.hangup import heed_hangup
from receiver.worker.lease import Heartbeat, Leases
from receiver.worker.queues import queues_of
from receiver.worker.reaper import Reaper, reap
from receiver.worker.recorder import settle
from receiver.worker.schema_watch import SchemaWatch

_log = event_logger("worker")

# A service that is well again hears of everything within a minute.
DEFAULT_BACKOFF = Backoff(cap_seconds=60.0)
DATABASE_PAUSE_SECONDS = 2.0
# Ctrl-C reaches a whole process group, and whoever started us may pass it on: that is one wish, told twice.
SAME_WISH_SECONDS = 1.0


class Worker:
    """A dispatcher, a heartbeat, a reaper, and a bulkhead for each queue. Several processes may run one each."""

    def __init__(
        self,
        runtime: Runtime,
        *,
        handlers: Mapping[str, Handler] | None = None,
        queues: Sequence[str] | None = None,
        backoff: Backoff = DEFAULT_BACKOFF,
    ) -> None:
        settings, engine = runtime.settings, runtime.engine
        self.name = _new_name()
        self._threads = settings.worker_threads
        self._engine = engine
        self._backoff = backoff
        self._is_started = False
        self._handlers = build_handlers(runtime) if handlers is None else handlers
        self._leases = Leases(settings.worker_lease_seconds)
        self._heartbeat = Heartbeat(engine, self._leases)
        self._reaper = Reaper(engine, self._handlers)
        self._dispatcher = Dispatcher(
            engine,
            self._handlers,
            self._leases,
            worker=self.name,
            poll_seconds=settings.worker_poll_seconds,
        )
        self._bulkheads = [
            self._bulkhead(name) for name in (queues_of(runtime.notifiers) if queues is None else queues)
        ]

    def start(self) -> None:
        """Begin to look for jobs."""
        queues = [bulkhead.queue for bulkhead in self._bulkheads]
        _log.info("worker.started", extra={"worker": self.name, "queues": queues})
        for bulkhead in self._bulkheads:
            bulkhead.start()
        self._heartbeat.start()
        self._reaper.start()
        self._dispatcher.start(tuple(self._bulkheads))
        self._is_started = True

    def serve(self, queues: Sequence[str]) -> None:
        """Look for jobs of these queues too, from now on: those of channels that new rules name."""
        for name in sorted({*queues} - {bulkhead.queue for bulkhead in self._bulkheads}):
            bulkhead = self._bulkhead(name)
            self._bulkheads.append(bulkhead)
            if self._is_started:
                bulkhead.start()
                self._dispatcher.add(bulkhead)
                _log.info("worker.serving", extra={"worker": self.name, "queue": name})

    def _bulkhead(self, queue: str) -> Bulkhead:
        return Bulkhead(
            queue,
            self._threads,
            self._engine,
            self._handlers,
            self._leases,
            self._backoff,
            self._dispatcher.look_again,
        )

    def stop(self, drain_seconds: float) -> bool:
        """Take no more jobs, give back those not started, and wait up to `drain_seconds` for those that run.

        Returns whether all of them ended. One that did not is repeated by another worker when its lease is over.
        """
        deadline = time.monotonic() + drain_seconds
        for bulkhead in self._bulkheads:
            bulkhead.stop()
        self._reaper.stop()
        self._dispatcher.stop(drain_seconds)
        while not self._is_idle() and time.monotonic() < deadline:
            time.sleep(0.05)
        drained = self._is_idle()
        self._heartbeat.stop()
        for bulkhead in self._bulkheads:
            bulkhead.abandon()
        _log.info("worker.stopped", extra={"worker": self.name, "drained": drained})
        return drained

    def _is_idle(self) -> bool:
        return all(bulkhead.is_idle() for bulkhead in self._bulkheads)


def run_worker(runtime: Runtime, *, is_supervised: bool = False) -> int:
    """Work until SIGTERM or SIGINT, then drain; returns the exit status. To be called from the main thread.

    A second signal ends the process at once. SIGHUP reads the rules file again. Waits for a database that is away.
    Raises SchemaOutOfDate. When the schema becomes another release's later on, it drains, then raises that too; under
    `receiver up` (`is_supervised`) it stays, idle: its end would be that of the web part, which still takes alerts.
    """
    worker = Worker(runtime)
    signals = _Signals(partial(_read_rules_again, runtime, worker))
    heed_hangup()
    if not _await_database(runtime, signals):
        return 0
    watch = SchemaWatch(runtime.engine)
    worker.start()
    watch.start()
    is_outdated = signals.wait(watch.has_changed)
    watch.stop()
    worker.stop(runtime.settings.worker_drain_seconds)
    if is_outdated:
        _log.error("worker.outdated", extra={"worker": worker.name, "reason": str(watch.error())})
        if not is_supervised:
            raise watch.error()
        signals.wait(lambda: False)
    return 0


def connections_needed(settings: Settings, queues: int) -> int:
    """How many database connections a worker with so many queues uses at once: what its pool should hold."""
    # Threads of each, and its recorder's two; dispatcher, heartbeat, reaper, and the watch over the schema.
    return queues * (settings.worker_threads + 2) + 4


def run_due(
    runtime: Runtime,
    *,
    handlers: Mapping[str, Handler] | None = None,
    queues: Sequence[str] | None = None,
    backoff: Backoff = DEFAULT_BACKOFF,
) -> int:
    """Do every job that is due, one after the other in this thread, and return how many attempts that were."""
    known = build_handlers(runtime) if handlers is None else handlers
    name, never, attempts = _new_name(), threading.Event(), 0
    reap(runtime.engine, known)
    for served in queues_of(runtime.notifiers) if queues is None else queues:
        while claimed := claim(runtime.engine, served, 1, runtime.settings.worker_lease_seconds, name):
            settle(runtime.engine, known, [(job, attempt(known, job, backoff)) for job in claimed], never)
            attempts += 1
    return attempts


class _Signals:
    """SIGTERM and SIGINT: the first says stop, a later one ends the process. SIGHUP calls `on_hangup` from `wait`."""

    def __init__(self, on_hangup: Callable[[], None]) -> None:
        self._on_hangup = on_hangup
        # The one queue that may be filled from a signal handler while the same thread waits for it.
        self._taken: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._since: float | None = None
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._take)
        signal.signal(signal.SIGHUP, self._take_hangup)

    def wait(self, has_cause: Callable[[], bool]) -> bool:
        """Return once it is time to stop, or `has_cause`, which is asked each second: whether that was it."""
        # In turns: Python runs a handler in the main thread, which a signal that another thread took does not wake.
        while not self.stop_within(1.0):
            if has_cause():
                return True
        return False

    def stop_within(self, seconds: float) -> bool:
        """Whether it is time to stop: waits up to `seconds` for it, and for hangups."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            try:
                number = self._taken.get(timeout=left)
            except queue.Empty:
                return False
            if number != signal.SIGHUP:
                return True
            self._on_hangup()
        return False

    def _take(self, number: int, frame: FrameType | None) -> None:
        if self._since is None:
            self._since = time.monotonic()
            self._taken.put(number)
        elif time.monotonic() - self._since > SAME_WISH_SECONDS:
            os._exit(128 + number)

    def _take_hangup(self, number: int, frame: FrameType | None) -> None:
        self._taken.put(number)


def _read_rules_again(runtime: Runtime, worker: Worker) -> None:
    """The rules file as it is now comes into force, unless it is wrong: then it is told why, and nothing changes."""
    try:
        runtime.read_rules_again()
    except SettingsError as error:  # wrong rules, or a new channel needs what is not installed
        _log.warning("rules.refused", extra={"problems": error.problems})
    else:
        _log.info("rules.reloaded", extra={"rules": len(runtime.rules.rules)})
        worker.serve(queues_of(runtime.notifiers))


def _await_database(runtime: Runtime, signals: _Signals) -> bool:
    """Wait until the database answers; whether it did before it was time to stop. Raises SchemaOutOfDate."""
    while True:
        try:
            require_newest(runtime.engine)
            stand_by(runtime)
            housekeeping.stand_by(runtime)
            rollup.stand_by(runtime)
        except (DBAPIError, StorageUnavailable) as error:
            if isinstance(error, DBAPIError) and not is_unreachable(error):
                raise
            _log.warning("worker.no_database", extra={"pause_seconds": DATABASE_PAUSE_SECONDS})
        else:
            return True
        if signals.stop_within(DATABASE_PAUSE_SECONDS):
            return False


def _new_name() -> str:
    """Who we are in the job table: for people the host and process, and new at each start."""
    host = socket.gethostname().encode("ascii", "replace").decode()[:24]
    return f"{host}-{os.getpid()}-{new_ulid()[-8:]}"

"""The threads of one queue, with the jobs that wait for them. What happens in here holds up no other queue."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import Engine

from receiver.domain.jobs import ClaimedJob, Outcome
from receiver.domain.retry import Backoff
from receiver.logs import event_logger
from receiver.services.job_handler import Attempt, Completion, Handler
from receiver.worker.attempt import attempt, prepare
from receiver.worker.lease import Leases
from receiver.worker.outage import Outage
from receiver.worker.pace import Pace
from receiver.worker.recorder import Recorder, settle

_log = event_logger("worker")

# What has been done and is not recorded is done again if the worker dies. So threads do not run far ahead of the
# recorder; but where each waited for its own record, there would be nothing to record together.
STARTED_PER_THREAD = 2

_Offered = tuple[ClaimedJob, float]  # and since when it waits


class Bulkhead:
    """Runs the jobs of `queue` on `threads` threads. `on_room` is called when it could take more of them."""

    def __init__(
        self,
        queue: str,
        threads: int,
        engine: Engine,
        handlers: Mapping[str, Handler],
        held: Leases,
        backoff: Backoff,
        on_room: Callable[[], None],
    ) -> None:
        self.queue = queue
        self.is_hungry = False  # the last claim brought all that was asked for, so there may be more
        self._engine = engine
        self._handlers = handlers
        self._leases = held
        self._backoff = backoff
        self._on_room = on_room
        self._pace = Pace(threads)
        self._changed = threading.Condition()
        self._waiting: deque[_Offered] = deque()
        self._handfuls: list[deque[_Offered]] = [
            deque() for _ in range(threads)
        ]  # what each thread does next
        self._held = 0  # waiting, running, or not recorded yet
        self._running: dict[tuple[int, str], float] = {}  # since when, by claim
        self._unrecorded: set[tuple[int, str]] = set()  # done, and left to the recorder
        self._outage = Outage()
        self._silent_until = 0.0
        self._stopping = False
        self._abandoned = threading.Event()
        self._recorder = Recorder(engine, handlers, self._settled, self._abandoned, name=f"{queue}-recorder")
        self._threads = [
            threading.Thread(
                target=self._run, args=(self._handfuls[number],), name=f"{queue}-{number}", daemon=True
            )
            for number in range(threads)
        ]

    def start(self) -> None:
        """Begin."""
        self._recorder.start()
        for thread in self._threads:
            thread.start()

    def room(self) -> int:
        """How many jobs to claim for it now; 0 while a handful is not worth a transaction, or it must keep silent."""
        with self._changed:
            now = time.monotonic()
            width = self._pace.width(now - min(self._running.values(), default=now))
            is_low = self._held <= width // 2 or self._held < len(self._threads)
            return width - self._held if is_low and not self._is_silent() else 0

    def offer(self, jobs: Sequence[ClaimedJob]) -> None:
        """Take claimed jobs, whose leases are held."""
        now = time.monotonic()
        with self._changed:
            self._held += len(jobs)
            self._waiting.extend((job, now) for job in jobs)
            self._changed.notify_all()

    def take_unstarted(self, longer_than_seconds: float = 0.0) -> list[ClaimedJob]:
        """Take back the jobs that have waited so long without being started. Their leases are held no more."""
        since = time.monotonic() - longer_than_seconds
        taken = []
        with self._changed:
            for line in (*self._handfuls, self._waiting):
                while line and line[0][1] <= since:
                    taken.append(line.popleft()[0])
            self._held -= len(taken)
        self._leases.drop(taken)
        return taken

    def stop(self) -> None:
        """Start no more jobs; running ones go on."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def is_idle(self) -> bool:
        """Whether nothing runs, waits or is yet to be recorded."""
        with self._changed:
            return self._held == 0

    def abandon(self) -> None:
        """Stop recording, too, also in the middle of waiting for the database: the process is about to end.

        What is not recorded by now, another worker repeats.
        """
        self._abandoned.set()
        self._recorder.wake()

    def _run(self, handful: deque[_Offered]) -> None:
        while jobs := self._take(handful):
            ready = dict(zip(map(_claim, jobs), prepare(self._handlers, jobs), strict=True))
            while (job := self._next(handful)) is not None:
                self._do(job, ready[_claim(job)])

    def _take(self, handful: deque[_Offered]) -> list[ClaimedJob]:
        """Wait for jobs and take a handful of them; none when it is time to stop."""
        with self._changed:
            while not self._stopping and (not self._waiting or self._is_silent()):
                # While it is silent nobody notifies of its end; what waits is taken back meanwhile anyway.
                self._changed.wait(timeout=1.0 if self._waiting else None)
            if not self._stopping:
                for _ in range(self._pace.handful(len(self._waiting))):
                    handful.append(self._waiting.popleft())
            return [job for job, _ in handful]

    def _next(self, handful: deque[_Offered]) -> ClaimedJob | None:
        """The next job of the handful, once enough is recorded; None when it is empty, or nothing must be started."""
        with self._changed:
            most = STARTED_PER_THREAD * len(self._threads)
            while handful and len(self._running) + len(self._unrecorded) >= most and not self._stopping:
                self._changed.wait()  # some of these are unrecorded, whose record notifies
            if handful and (self._stopping or self._is_silent()):
                self._waiting.extendleft(reversed(handful))
                handful.clear()
            if not handful:
                return None
            job, _ = handful.popleft()
            self._running[_claim(job)] = time.monotonic()
            return job

    def _do(self, job: ClaimedJob, ready: Attempt | None) -> None:
        if self._leases.may_start(job):
            self._record(job, attempt(self._handlers, job, self._backoff, ready))
        else:
            # Others may have it by now. Its lease is left to run out: whoever owns the job then is sure of it.
            _log.warning("lease.doubtful", extra=job.facts())
            self._settled([job])
        with self._changed:
            self._pace.note(time.monotonic() - self._running.pop(_claim(job)))

    def _record(self, job: ClaimedJob, completion: Completion) -> None:
        self._heed(job, completion.outcome)
        if completion.is_plain or completion.shared:
            if not completion.is_plain:
                with self._changed:
                    self._unrecorded.add(_claim(job))
            self._recorder.submit(job, completion)
            return
        # Before this thread does anything else.
        settle(self._engine, self._handlers, [(job, completion)], self._abandoned)
        self._settled([job])

    def _heed(self, job: ClaimedJob, outcome: Outcome) -> None:
        """Keep silent for as long as this end of an attempt says."""
        with self._changed:
            pause = self._outage.note(job.job_id, outcome.is_reached)
            hush_seconds = max(outcome.hush_seconds, pause)
            if hush_seconds:
                self._silent_until = max(self._silent_until, time.monotonic() + hush_seconds)
        if pause:
            facts = {"queue": self.queue, "pause_seconds": pause, "reason": outcome.reason}
            _log.warning("channel.paused", extra=facts)

    def _settled(self, jobs: Sequence[ClaimedJob]) -> None:
        self._leases.drop(jobs)
        with self._changed:
            self._held -= len(jobs)
            if self._unrecorded:
                self._unrecorded.difference_update(map(_claim, jobs))
                self._changed.notify_all()
        if self.is_hungry and self.room():
            self._on_room()

    def _is_silent(self) -> bool:
        return time.monotonic() < self._silent_until


def _claim(job: ClaimedJob) -> tuple[int, str]:
    return job.job_id, job.lease_token

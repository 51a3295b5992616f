"""`receiver doctor`: looks at settings and all that they lead to, and says in plain words what is missing."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from receiver.clock import Clock, utc_now
from receiver.config import Settings
from receiver.domain import database
from receiver.domain.finding import Finding, bad, ok, warn
from receiver.domain.jobs import JobState, QueueDepth
from receiver.httpclient import HttpClient
from receiver.services.actions_check import check_actions
from receiver.services.broker_check import check_broker
from receiver.services.channel_check import check_channels
from receiver.services.diagnostics_check import check_diagnostics
from receiver.services.folders_check import check_folders, obstacle_of
from receiver.smtpclient import SmtpClient
from receiver.storage import database_clock, jobs
from receiver.storage.engine import create_engine, reading
from receiver.storage.inspect import facts_of, place_of
from receiver.storage.refusals import explain

# Work starts within a second; after this long nobody is there to do it.
WORKER_PATIENCE_SECONDS = 60
_SLOW_ANSWER_SECONDS = 0.05


def examine(settings: Settings, http: HttpClient, clock: Clock = utc_now) -> Iterator[Finding]:
    """One finding after the other, as soon as it is known. Changes nothing, and posts to no channel."""
    yield from credentials(settings)
    yield from _database(settings.database_url, clock)
    yield from check_folders(settings, clock())
    yield from check_channels(settings, http, SmtpClient(read_timeout_seconds=5, total_timeout_seconds=8))
    yield from check_diagnostics(settings)
    yield from check_actions(settings)
    yield from check_broker(settings)


def credentials(settings: Settings) -> Iterator[Finding]:
    """Whether those who can reach the receiver are only those who should."""
    reach = f"{settings.bind} can be reached from other machines"
    if settings.bind.is_loopback:
        yield ok("credentials", f"only this machine can reach {settings.bind}")
    elif not settings.has_webhook_credential and not settings.auth:
        yield warn(
            "credentials",
            f"{reach}, and anybody may post alerts (RECEIVER_AUTH=off)",
            "set RECEIVER_WEBHOOK_TOKEN, unless something in front checks who comes",
        )
    elif not settings.has_webhook_credential:
        yield bad("credentials", f"{reach}, and takes alerts from nobody", "set RECEIVER_WEBHOOK_TOKEN")
    else:
        yield ok("credentials", f"{reach}; senders must show a credential")
    if settings.bind.is_loopback or settings.api_tokens:
        return
    if settings.auth:
        yield warn("API", "nobody can use it: it has no token", "set RECEIVER_API_TOKENS")
    else:
        yield warn(
            "API", "anybody may read and resolve incidents (RECEIVER_AUTH=off)", "set RECEIVER_API_TOKENS"
        )


def _database(url: str, clock: Clock) -> Iterator[Finding]:
    unusable = _unusable_file(url)
    if unusable:
        yield unusable
        return
    engine = create_engine(url, pool_size=1)
    place = place_of(url)
    try:
        with reading(engine) as connection:
            yield _reached(place, _round_trip_seconds(connection))
            facts = facts_of(connection, clock())
            yield from database.findings(facts)
            if facts.is_current:
                queues = jobs.depths(connection)
                yield worker(queues)
                yield from dead_letters(queues)
    except SQLAlchemyError as error:
        advice = "check RECEIVER_DATABASE_URL, and whether the server runs and lets this machine in"
        yield bad("database", f"{place}: {explain(error)}", advice)
    finally:
        engine.dispose()


def _round_trip_seconds(connection: Connection) -> float:
    """The shortest of a few: one alone may have met a busy moment of this machine."""

    def once() -> float:
        started = time.perf_counter()
        database_clock.now(connection)
        return time.perf_counter() - started

    return min(once() for _ in range(5))


def _reached(place: str, seconds: float) -> Finding:
    text = f"{place} answers in {seconds * 1000:.1f} ms"
    if seconds > _SLOW_ANSWER_SECONDS:
        return warn("database", text, "every alert waits for it several times; is it near?")
    return ok("database", text)


def _unusable_file(url: str) -> Finding | None:
    """What keeps an SQLite database from being used, None where nothing does; nothing is created to find out."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or parsed.database in (None, "", ":memory:"):
        return None
    file = Path(str(parsed.database)).absolute()
    # SQLite puts its log beside the file, so the directory must be writable too.
    if obstacle := obstacle_of(file.parent):
        return bad(
            "database", f"{obstacle} cannot be written to", "choose another place in RECEIVER_DATABASE_URL"
        )
    if not file.exists():
        return bad(
            "database",
            f"{file} does not exist",
            "run `receiver db upgrade` (`receiver up` does it by itself)",
        )
    if not os.access(file, os.R_OK | os.W_OK):
        return bad("database", f"{file} cannot be written to", "make it writable for the receiver's user")
    return None


def worker(queues: Sequence[QueueDepth]) -> Finding:
    """Whether somebody does the jobs, told by how long the oldest one has been due."""
    late = max((queue.oldest_due_seconds for queue in queues), default=0.0)
    if late > WORKER_PATIENCE_SECONDS:
        return bad(
            "worker", f"a job has been due for {late:.0f} s: no worker takes it", "start `receiver worker`"
        )
    return ok("worker", "no job is overdue")


def dead_letters(queues: Sequence[QueueDepth]) -> Iterator[Finding]:
    """Jobs that were given up, or of which nobody knows how they ended."""
    for state in (JobState.DEAD, JobState.UNKNOWN):
        number = sum(queue.jobs.get(state, 0) for queue in queues)
        if number:
            advice = f"`receiver jobs list --state {state}` says why, `receiver jobs retry` tries again"
            yield warn("jobs", f"{number} {'is' if number == 1 else 'are'} {state}", advice)

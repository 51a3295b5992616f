"""Many writers at once: processes with threads that post deliveries to one database, all released together."""

from __future__ import annotations

import itertools
import multiprocessing
import threading
import traceback
from collections.abc import Sequence
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier

from receiver.config import load
from receiver.ids import new_trace_id
from receiver.runtime import build_runtime
from receiver.services.intake import Intake


def blow(
    database_url: str | Sequence[str], bodies: Sequence[bytes], *, processes: int, threads: int, grouped: bool
) -> list[str]:
    """Store each body once, from `processes` x `threads` writers; returns the errors that surfaced.

    With several URLs the processes take them in turn. `grouped`: through the process's group commit; otherwise each
    thread runs its own transactions.
    """
    context = multiprocessing.get_context("spawn")
    errors: Queue[list[str]] = context.Queue()
    together = context.Barrier(processes)
    urls = itertools.cycle([database_url] if isinstance(database_url, str) else database_url)
    shares = [bodies[n::processes] for n in range(processes)]
    writers = [
        context.Process(target=_write, args=(url, share, threads, grouped, together, errors))
        for share, url in zip(shares, urls, strict=False)
    ]
    for writer in writers:
        writer.start()
    found = [error for _ in writers for error in errors.get(timeout=110)]
    for writer in writers:
        writer.join(timeout=10)
    return found


def _write(
    database_url: str,
    bodies: Sequence[bytes],
    threads: int,
    grouped: bool,
    together: Barrier,
    errors: Queue[list[str]],
) -> None:
    runtime = build_runtime(load({"RECEIVER_DATABASE_URL": database_url}))
    intake = Intake(runtime)
    found: list[str] = []

    def post(share: Sequence[bytes]) -> None:
        for body in share:
            try:
                delivery = intake.read(body, trace_id=new_trace_id())
                if grouped:
                    intake.accept(delivery)
                else:
                    intake.record([delivery])
            except Exception:  # noqa: BLE001 - whatever it is, the test must see it
                found.append(traceback.format_exc(limit=-2))

    posters = [threading.Thread(target=post, args=(bodies[n::threads],)) for n in range(threads)]
    together.wait(timeout=60)
    for poster in posters:
        poster.start()
    for poster in posters:
        poster.join()
    errors.put(found)
    runtime.close()

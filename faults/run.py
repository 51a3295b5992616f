"""One fault from its beginning to the verdict of the checkers."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import requests
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from faults.checks.evidence import Evidence
from faults.checks.registry import CHECKS
from faults.kinds.base import Fault
from faults.kinds.disks import small_disk
from faults.stack import Stack
from faults.verdict import Effort, Verdict
from faults.waiting import WAITING
from faults.watch import Meter, Sampler
from tests.fakes.polling import TimedOut, wait_until
from tests.fakes.processes import environment
from tests.fakes.tools import ROOT

WARM_UP_SECONDS = 3.0
HEALED_WITHIN_SECONDS = 120.0
SPOOL_EMPTY_WITHIN_SECONDS = 60.0
# After as much as is taken, while the database was away now and then.
SPOOL_EMPTY_AFTER_ALL_SECONDS = 300.0


def run(
    fault: Fault, effort: Effort, folder: Path, tell: Callable[[str], None] = lambda text: None
) -> Verdict:
    """Run one fault. `folder` takes all logs and journals; it is removed if nothing is wrong.

    A fault that breaks off is one with which nobody can be content: never an end of all.
    """
    if left_out := fault.impossible():
        return Verdict(fault, left_out=left_out)
    started = time.monotonic()
    own = folder / fault.name
    shutil.rmtree(own, ignore_errors=True)
    if fault.by_itself is not None:
        verdict = fault.by_itself(fault, effort, own)
    else:
        try:
            verdict = _break_and_check(fault, effort, own, tell)
        except Exception as error:  # noqa: BLE001 - the other faults have their turn
            verdict = Verdict(fault, found={"unfinished": [f"it broke off: {type(error).__name__}: {error}"]})
            (own / "broken-off.txt").write_text(traceback.format_exc())
    verdict.seconds = round(time.monotonic() - started, 1)
    if verdict.is_good:
        shutil.rmtree(own, ignore_errors=True)
    return verdict


def _break_and_check(fault: Fault, effort: Effort, own: Path, tell: Callable[[str], None]) -> Verdict:
    with _stack(fault, own) as stack, Sampler(stack) as sampler:
        evidence = _go_through(fault, effort, stack, sampler, tell)
        verdict = Verdict(fault)
        for check in CHECKS:
            problems = check.run(evidence)
            if problems and (effort.is_timed or not check.is_timed):
                verdict.found[check.name] = problems
                (own / f"{check.name}.txt").write_text("\n".join(problems) + "\n")
        verdict.figures = evidence.figures
    return verdict


@contextmanager
def _stack(fault: Fault, folder: Path) -> Iterator[Stack]:
    with ExitStack() as parts:
        disk = None
        if fault.small_disk:
            disk = parts.enter_context(small_disk(folder.parent / f"{fault.name}.disk", fault.small_disk))
        yield parts.enter_context(
            fault.stack(
                folder,
                lease_seconds=fault.lease_seconds,
                cutter=fault.cutter,
                settings=fault.settings,
                variables=fault.variables(),
                spool=disk if fault.small_disk == "spool" else None,
                place=disk if fault.small_disk == "database" else None,
            )
        )


def _go_through(
    fault: Fault, effort: Effort, stack: Stack, sampler: Sampler, tell: Callable[[str], None]
) -> Evidence:
    meter, unfinished = Meter(), []
    stack.goal = effort.alerts
    with _load(stack, fault, effort):
        time.sleep(WARM_UP_SECONDS)  # processes have just begun
        stack.note("warm")
        time.sleep(effort.calm_seconds)
        meter.begin(stack)
        stack.note("fault.begins")
        tell(f"  {fault.title}")
        try:
            fault.act(stack, fault.seconds * effort.stretch)
        except AssertionError as failed:
            unfinished.append(str(failed))
        stack.note("fault.ends")
        meter.look(stack)
        if not fault.is_saturated:
            unfinished += _until_spool_is_empty(stack, SPOOL_EMPTY_WITHIN_SECONDS)
            time.sleep(2)
            stack.note("fault.settled")
            time.sleep(effort.calm_seconds)
    unfinished += _until_spool_is_empty(
        stack, SPOOL_EMPTY_AFTER_ALL_SECONDS if fault.is_saturated else SPOOL_EMPTY_WITHIN_SECONDS
    )
    healed = time.monotonic()
    if _until(lambda: not _waiting(stack), HEALED_WITHIN_SECONDS, "the end of every job"):
        unfinished += [f"job {row}" for row in _waiting(stack)]
    meter.end(stack)
    evidence = Evidence.gather(
        stack, sampler, meter, unfinished, holds_up=fault.holds_up, is_saturated=fault.is_saturated
    )
    evidence.figures["healed_seconds"] = round(time.monotonic() - healed, 1)
    return evidence


@contextmanager
def _load(stack: Stack, fault: Fault, effort: Effort) -> Iterator[None]:
    command = [sys.executable, "-m", "faults.load", stack.address, str(stack.folder / "history.jsonl")]
    options = [
        f"--rate={fault.rate or effort.rate}",
        f"--largest-group={fault.largest_group or effort.largest_group}",
        *(["--easy"] if fault.is_saturated else []),
    ]
    process = subprocess.Popen([*command, *options], cwd=ROOT, env=environment(), stdin=subprocess.PIPE)
    try:
        yield
    finally:
        process.communicate(timeout=60)
    assert process.returncode == 0, "the load failed"


def _until(holds: Callable[[], bool], seconds: float, what: str) -> list[str]:
    try:
        wait_until(holds, seconds, what)
    except TimedOut as late:
        return [str(late)]
    return []


def _until_spool_is_empty(stack: Stack, seconds: float) -> list[str]:
    return _until(lambda: _spool_depth(stack) == 0, seconds, "an empty spool")


def _spool_depth(stack: Stack) -> int | None:
    try:
        answer = requests.get(f"http://{stack.address}/health", timeout=5).json()
    except (requests.RequestException, ValueError):
        return None
    time.sleep(0.2)
    return int(answer["spool"]["deliveries"])


def _waiting(stack: Stack) -> list[tuple[object, ...]]:
    time.sleep(0.3)
    try:
        with stack.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(WAITING))]
    except SQLAlchemyError as error:
        return [(type(error).__name__,)]

"""Where the receiver's CPU time goes in one scenario: `python -m bench.profile --only group20`.

py-spy samples the web processes while the load runs; a sample counts where a thread holds the interpreter, so waiting
is left out, and so is what happens in the kernel while the interpreter is free. What a sample stands for is worked out
from the CPU time that the system gave the processes: the figures are microseconds of CPU for each alert. Sampling
itself slows the receiver; the shares are what counts.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click

from bench.bodies import Requests
from bench.databases import Database, Databases
from bench.load import Load
from bench.proc import cpu_seconds_of
from bench.report import table
from bench.scenarios import SCENARIOS, Scenario
from bench.series import SCRATCH
from bench.subject import Subject
from tests.fakes.processes import BIN

_SAMPLES_A_SECOND = 200
_LONGER_THAN_LOAD_SECONDS = 30.0


@dataclass(slots=True)
class Samples:
    """How often each place was seen: `own` as the innermost function of a stack, `within` anywhere in one."""

    total: int = 0
    own: Counter[str] = field(default_factory=Counter)
    within: Counter[str] = field(default_factory=Counter)
    parts: Counter[str] = field(
        default_factory=Counter
    )  # by package, a module of the receiver's each for itself

    def add(self, stacks: Iterable[str]) -> None:
        """Count stacks as py-spy writes them: functions from the outermost on with `;` between them, then how often."""
        for stack in stacks:
            text, _, count = stack.rpartition(" ")
            frames = [frame for frame in text.split(";") if not frame.startswith(("process ", "thread "))]
            if not frames:
                continue
            self.total += int(count)
            self.own[frames[-1]] += int(count)
            self.parts[part_of(frames[-1])] += int(count)
            for frame in set(frames):
                self.within[frame] += int(count)


@dataclass(frozen=True, slots=True)
class Profile:
    """What was seen, and how much CPU it stands for."""

    samples: Samples
    receiver_us: float  # of CPU for each alert, all web processes together
    database_us: float
    alerts_per_second: float
    round_trips: float  # statements that the database was asked, for each webhook
    webhooks_per_commit: float


def part_of(frame: str) -> str:
    """To what a function belongs: `pymysql`, `sqlalchemy`, or `receiver/services/intake.py`."""
    _, _, place = frame.rpartition(" (")
    file = place.rstrip(")").partition(":")[0]
    first, _, _ = file.partition("/")
    return (
        file
        if first in ("receiver", "<frozen importlib._bootstrap>")
        else first.removesuffix(".py").partition(":")[0]
    )


def profile(scenario: Scenario, database: Database, folder: Path, *, seconds: float) -> Profile:
    """Run the scenario over an empty database, and sample the web processes meanwhile.

    Raises what run() raises, and RuntimeError where py-spy is missing or may not look.
    """
    url = database.create()
    with Subject(url, folder, {}) as subject:
        requests, serials = Requests(scenario.shape, token=subject.token), scenario.serials()
        with Load(subject.address, 16) as load:
            load.drive(requests, serials, min(2.0, seconds))
        web = [pid for name, pid in subject.pids().items() if name.startswith("web ")]
        with Load(subject.address, 16) as load:
            spies = [_spy(pid, folder / f"{pid}.stacks", seconds) for pid in web]
            asked = database.counters()
            before = (cpu_seconds_of(web), cpu_seconds_of(database.pids()))
            driven = load.drive(requests, serials, seconds)
            after = (cpu_seconds_of(web), cpu_seconds_of(database.pids()))
            counted = {name: count - asked[name] for name, count in database.counters().items()}
            samples = Samples()
            for spy in spies:
                samples.add(_stacks(spy))
    database.drop(url)
    webhooks = len(driven.serials)
    alerts = webhooks * scenario.shape.alerts
    receiver, server = ((now - then) / alerts * 1e6 for now, then in zip(after, before, strict=True))
    return Profile(
        samples,
        receiver,
        server,
        alerts / driven.seconds,
        counted.get("Questions", 0) / webhooks,
        webhooks / max(1, counted.get("Com_commit", 0)),
    )


def text(found: Profile, rows: int) -> str:
    """Tables for people: parts, then functions by their own time, then by all that happens within them."""
    samples = found.samples
    us = found.receiver_us / max(1, samples.total)
    head = (
        f"{found.alerts_per_second:,.0f} alerts/s while being looked at; for each alert {found.receiver_us:.0f} us of "
        f"CPU in the web processes and {found.database_us:.0f} us in the database; {found.round_trips:.1f} statements "
        f"for each webhook, {found.webhooks_per_commit:.1f} webhooks in a transaction; {samples.total:,} samples"
    )
    return "\n\n".join(
        [
            head,
            _ranked("by package or module, own time", samples.parts, us, samples.total, rows),
            _ranked("all functions, own time", samples.own, us, samples.total, rows),
            _ranked(
                "functions of the receiver, with all they call",
                Counter({name: count for name, count in samples.within.items() if "(receiver/" in name}),
                us,
                samples.total,
                2 * rows,
            ),
            _ranked("all functions, with all they call", samples.within, us, samples.total, 2 * rows),
        ]
    )


def _ranked(title: str, counts: Counter[str], us: float, total: int, rows: int) -> str:
    lines = [
        [name, f"{count * us:.1f}", f"{count / max(1, total):.1%}"]
        for name, count in counts.most_common(rows)
    ]
    return table([title, "us/alert", "share"], lines)


@dataclass(frozen=True, slots=True)
class _Spy:
    process: subprocess.Popen[str]
    file: Path


def _spy(pid: int, file: Path, seconds: float) -> _Spy:
    program = shutil.which("py-spy", path=f"{BIN}:{Path('/usr/local/bin')}") or shutil.which("py-spy")
    if program is None:
        raise RuntimeError("py-spy is not installed here: .venv/bin/pip install py-spy")
    command: Sequence[str] = (
        *(
            program,
            "record",
            "--pid",
            str(pid),
            "--output",
            str(file),
            "--format",
            "raw",
            "--function",
            "--gil",
        ),
        *("--rate", str(_SAMPLES_A_SECOND), "--duration", str(max(1, round(seconds)))),
    )
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return _Spy(process, file)


def _stacks(spy: _Spy) -> list[str]:
    told, _ = spy.process.communicate(timeout=_LONGER_THAN_LOAD_SECONDS)
    if not spy.file.exists():
        raise RuntimeError(
            f"py-spy saw nothing (it needs root, or kernel.yama.ptrace_scope=0): {told[-500:]}"
        )
    return spy.file.read_text(encoding="utf-8").splitlines()


@click.command("profile")
@click.option(
    "--only",
    default="group20",
    show_default=True,
    type=click.Choice([one.name for one in SCENARIOS]),
    help="What to run.",
)
@click.option("--seconds", default=6.0, show_default=True, help="How long to look.")
@click.option("--rows", default=20, show_default=True, help="How many lines each table has.")
@click.option(
    "--keep-stacks", type=click.Path(path_type=Path), help="Also copy py-spy's stacks into this folder."
)
def main(only: str, seconds: float, rows: int, keep_stacks: Path | None) -> None:
    """Show what the receiver's web processes spend their CPU time on in one scenario."""
    scenario = next(one for one in SCENARIOS if one.name == only)
    SCRATCH.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="profile-", dir=SCRATCH))
    databases = Databases(folder)
    try:
        found = profile(scenario, databases.get(scenario.database), folder, seconds=seconds)
        if keep_stacks:
            keep_stacks.mkdir(parents=True, exist_ok=True)
            for file in folder.glob("*.stacks"):
                shutil.copy(file, keep_stacks)
    finally:
        databases.stop()
    shutil.rmtree(folder)
    click.echo(text(found, rows))


if __name__ == "__main__":
    main()

"""The command line of the fuzzing."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import click

from fuzz import corpus, unguided
from fuzz.targets import TARGETS

_NICE = 10
_TRIED = re.compile(r"stat::number_of_executed_units:\s*(\d+)")
# Beyond the time that the target itself is given: it imports, and tries what it knows.
_PATIENCE_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one target: how many inputs it was given, and those that broke it."""

    name: str
    tried: int
    found: Sequence[Path]
    said: str = ""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--seconds", default=600.0, show_default=True, help="How long it takes in all.")
@click.option(
    "--only", multiple=True, type=click.Choice(sorted(TARGETS)), help="What to fuzz. Default: everything."
)
@click.option("--unguided", "without_atheris", is_flag=True, help="hypothesis also where atheris is there.")
@click.option("--jobs", default=os.cpu_count() or 1, show_default=True, help="Targets at the same time.")
def main(seconds: float, only: tuple[str, ...], without_atheris: bool, jobs: int) -> None:
    """Give arbitrary bytes to everything that reads what strangers sent.

    Exit status 1: something broke. What broke it is kept in tests/fuzz/corpus, and make test tries it from then on.
    """
    names = [name for name in TARGETS if name in only or not only]
    is_guided = not without_atheris and importlib.util.find_spec("atheris") is not None
    each = seconds * min(jobs, len(names)) / len(names)
    why = "as asked" if without_atheris else "atheris is not there"
    engine = "atheris" if is_guided else f"hypothesis, without regard to coverage: {why}"
    click.echo(f"{len(names)} targets, {each:.0f} s each, by {engine}")
    os.nice(_NICE)
    started = time.monotonic()
    if is_guided:
        with ThreadPoolExecutor(jobs) as pool:
            outcomes = list(pool.map(lambda name: _told(guided(name, each)), names))
    else:
        outcomes = [_told(plain(name, seconds / len(names))) for name in names]
    tried, found = sum(one.tried for one in outcomes), sum(len(one.found) for one in outcomes)
    click.echo(f"{tried:,} inputs in {time.monotonic() - started:.0f} s; {found} broke something")
    sys.exit(1 if found or any(one.said for one in outcomes) else 0)


def guided(name: str, seconds: float) -> Outcome:
    """Fuzz one target with atheris, in a process of its own."""
    fixed, grown = corpus.FIXED / name, corpus.GROWN / name
    for folder in (fixed, grown):
        folder.mkdir(parents=True, exist_ok=True)
    before = set(corpus.inputs(name))
    arguments = [name, str(max(1, round(seconds))), f"{fixed}/{corpus.FOUND}", str(grown), str(fixed)]
    try:
        done = subprocess.run(
            [sys.executable, "-m", "fuzz.guided", *arguments],
            cwd=corpus.ROOT,
            capture_output=True,
            timeout=seconds + _PATIENCE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Outcome(name, 0, (), "it did not end in time")
    said = done.stderr.decode(errors="replace") + done.stdout.decode(errors="replace")
    found = [
        path for path in corpus.inputs(name) if path not in before and path.name.startswith(corpus.FOUND)
    ]
    tried = int(match[1]) if (match := _TRIED.search(said)) else 0
    return Outcome(name, tried, found, _gist(said) if done.returncode else "")


def plain(name: str, seconds: float, folder: Path = corpus.FIXED) -> Outcome:
    """Fuzz one target with hypothesis, in this process."""
    beginnings = [path.read_bytes() for path in corpus.inputs(name, folder)]
    tried, broke = unguided.run(TARGETS[name], beginnings, seconds)
    return Outcome(name, tried, () if broke is None else (corpus.keep(name, broke, folder),))


def _told(outcome: Outcome) -> Outcome:
    click.echo(
        f"  {outcome.name:<14}{outcome.tried:>12,} inputs" + ("" if not outcome.said else f"\n{outcome.said}")
    )
    for path in outcome.found:
        click.echo(f"    broken by {path.relative_to(corpus.ROOT)}")
    return outcome


def _gist(said: str) -> str:
    """The traceback in what a target's process printed, or the end of it."""
    at = said.find("Uncaught Python exception")
    return (said[at : at + 3000] if at >= 0 else said[-1500:]).strip()

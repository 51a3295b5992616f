"""The bench's own load beside wrk (https://github.com/wg/wrk, Debian's package `wrk`): `python -m bench.wrk`.

Both send the same requests over as many connections to the same receiver, in turns. Where they agree, it is the
receiver that is measured, and not the load.
"""

from __future__ import annotations

import resource
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from bench.bodies import Requests
from bench.databases import Databases
from bench.load import Load, LoadFailed
from bench.report import table
from bench.scenarios import SCENARIOS, scenario_named
from bench.series import SCRATCH
from bench.spread import percentile, spread
from bench.subject import Subject

_CONNECTIONS = 16
_PATIENCE_SECONDS = 60.0
# It writes at the end: requests, microseconds, answers that were not 2xx or 3xx, lost connections, p50 and p99 in us.
_SCRIPT = """
local parts = { %s }
local number = %d
function request()
  number = number + 1
  return table.concat(parts, string.format("%%012x", number))
end
function done(summary, latency, requests)
  local lost = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  io.write(string.format("figures %%d %%d %%d %%d %%d %%d\\n", summary.requests, summary.duration,
    summary.errors.status, lost, latency:percentile(50), latency:percentile(99)))
end
"""


@dataclass(frozen=True, slots=True)
class Sent:
    """What one stretch of load gave."""

    per_second: float
    p50_ms: float
    p99_ms: float
    us_per_request: float  # of the load's own CPU


def script(requests: Requests, first: int) -> str:
    """The Lua script that has wrk send these requests, with serial numbers from `first` on."""
    one, other = requests.make(0), requests.make(2**44 - 1)
    assert len(one) == len(other)
    parts = one.split(b"%012x" % 0)
    assert (b"%012x" % (2**44 - 1)).join(parts) == other
    return _SCRIPT % (", ".join(_lua(part) for part in parts), first - 1)


def with_wrk(
    program: str, subject: Subject, requests: Requests, first: int, seconds: float, folder: Path
) -> Sent:
    """Load from wrk. Raises LoadFailed where an answer was a refusal or did not come."""
    file = folder / "requests.lua"
    file.write_text(script(requests, first), encoding="ascii")
    url = "http://{}:{}/".format(*subject.address)
    command = [program, "-t1", f"-c{_CONNECTIONS}", f"-d{round(seconds)}s", "-s", str(file), url]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    told = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=seconds + _PATIENCE_SECONDS
    ).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    line = next(line for line in told.splitlines() if line.startswith("figures "))
    sent, microseconds, refused, lost, p50, p99 = (int(word) for word in line.split()[1:])
    if refused or lost or not sent:
        raise LoadFailed(f"wrk: {sent} answers, {refused} of them refusals, {lost} lost:\n{told[-500:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Sent(sent / microseconds * 1e6, p50 / 1000, p99 / 1000, cpu / sent * 1e6)


def with_ours(subject: Subject, requests: Requests, serials: Iterator[int], seconds: float) -> Sent:
    """Load from load.py."""
    with Load(subject.address, _CONNECTIONS) as load:
        driven = load.drive(requests, serials, seconds)
    sent = len(driven.serials)
    p50, p99 = (percentile(driven.latencies, percent) / 1e6 for percent in (50, 99))
    return Sent(sent / driven.seconds, p50, p99, driven.cpu_seconds / sent * 1e6)


def _lua(part: bytes) -> str:
    plain = b"".join(b"\\%03d" % byte if byte in b'"\\\r\n' else bytes([byte]) for byte in part)
    return f'"{plain.decode("ascii")}"'


def _row(name: str, sent: list[Sent]) -> list[str]:
    row = [name]
    for figure, digits in (("per_second", 0), ("p50_ms", 1), ("p99_ms", 1), ("us_per_request", 0)):
        found = spread([getattr(one, figure) for one in sent])
        row.append(f"{found.median:,.{digits}f} ({found.lowest:,.{digits}f} .. {found.highest:,.{digits}f})")
    return row


@click.command("wrk")
@click.option(
    "--only",
    default="fresh",
    show_default=True,
    type=click.Choice([one.name for one in SCENARIOS if one.name != "repeats"]),
    help="Whose requests are sent.",
)
@click.option("--seconds", default=4.0, show_default=True, help="How long each turn lasts, whole seconds.")
@click.option("--turns", default=3, show_default=True, help="How many turns each has.")
def main(only: str, seconds: float, turns: int) -> None:
    """Compare the bench's load with wrk's over the same receiver."""
    program = shutil.which("wrk")
    if program is None:
        raise click.ClickException("wrk is not on PATH: apt-get install wrk")
    scenario = scenario_named(only)
    SCRATCH.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="wrk-", dir=SCRATCH))
    databases = Databases(folder)
    ours: list[Sent] = []
    wrk: list[Sent] = []
    try:
        with Subject(databases.get(scenario.database).create(), folder, {}) as subject:
            requests, serials = Requests(scenario.shape, token=subject.token), scenario.serials()
            with_ours(subject, requests, serials, 2.0)  # a warm-up
            for turn in range(1, turns + 1):
                ours.append(with_ours(subject, requests, serials, seconds))
                wrk.append(with_wrk(program, subject, requests, turn << 36, seconds, folder))
    finally:
        databases.stop()
    shutil.rmtree(folder)
    head = [f"{scenario.title}, in turns", "webhooks/s", "p50 ms", "p99 ms", "us of its own CPU a request"]
    click.echo(table(head, [_row("the bench's load", ours), _row("wrk, one thread", wrk)]))


if __name__ == "__main__":
    main()

"""The results as text for people, which also fits into docs/performance.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from bench.aims import Aim
from bench.results import Beside, Line, Results, largest
from bench.spread import Spread

# From here on other programs have taken so much of the machine that the figures say more about them.
_CALM_CORES = 0.2
_MICROSECONDS = ("receiver_us_per_alert", "database_us_per_alert", "load_us_per_webhook")
_WORDS = {  # of figures, and how many digits they are told with
    "webhooks_per_second": ("webhooks/s", 0),
    "alerts_per_second": ("alerts/s", 0),
    "p99_ms": ("p99 ms", 1),
    "receiver_us_per_alert": ("us of the receiver's CPU an alert", 0),
}


def text(results: Results) -> str:
    """Conditions, figures, what they should be, CPU and memory, other products."""
    parts = ["\n".join(_conditions(results))]
    if results.lines:
        parts.append(_figures(results.lines))
    if results.lines or results.measured:
        parts.append(_against_aims(results))
    if results.lines:
        parts += [_cpu(results.lines), _memory(results.lines)]
    parts += [_beside(results.lines, other) for other in results.beside]
    failures = (f"No figures of {failure}" for failure in results.failures)
    return "\n\n".join([*parts, *_warnings(results.lines), *failures])


def _conditions(results: Results) -> Iterable[str]:
    machine = results.machine
    yield (
        f"Machine: {machine['cores']} cores of {machine['cpu']}, {machine['memory_gb']} GB, {machine['system']}; "
        f"a flush to disk takes {machine['flush_ms']} ms; load average at the start {machine['load_average']}"
    )
    yield f"Commit: {results.commit}, {results.started_at:%Y-%m-%d %H:%M} UTC"
    yield f"Versions: {_pairs(results.versions)}"
    for name, settings in results.databases.items():
        yield f"Database {name}: {_pairs(settings)}"
    yield f"Options: {_pairs(results.options)}"


def _figures(lines: Sequence[Line]) -> str:
    rows = []
    for line in lines:
        figures = line.figures()
        rows.append(
            [
                line.scenario.title,
                _told(figures["webhooks_per_second"], 0),
                _told(figures["alerts_per_second"], 0),
                _told(figures["p50_ms"], 1),
                _told(figures["p99_ms"], 1),
            ]
        )
    return table(["median (lowest .. highest)", "webhooks/s", "alerts/s", "p50 ms", "p99 ms"], rows)


def _cpu(lines: Sequence[Line]) -> str:
    rows = []
    for line in lines:
        used = line.cpu_cores()
        parts = {"load": used["load"], "database": used["database"], "others": used["others"]}
        receiver = sum(used.values()) - sum(parts.values())
        figures = line.figures()
        rows.append(
            [
                line.scenario.title,
                *(f"{cores:.2f}" for cores in (receiver, line.busiest_web_cores(), *parts.values())),
                *(f"{figures[name].median:,.0f}" for name in _MICROSECONDS),
            ]
        )
    head = ["cores kept busy", "receiver", "its busiest process", "load", "database", "others"]
    return table([*head, "receiver us/alert", "database us/alert", "load us/webhook"], rows)


def _memory(lines: Sequence[Line]) -> str:
    rows = [
        [name, *(f"{megabytes:.0f}" for megabytes in (memory.rss, memory.pss, memory.peak))]
        for name, memory in largest(line.memory_mb() for line in lines).items()
    ]
    return table(["memory of each process, MB, at most", "RSS", "PSS", "peak RSS"], rows)


def _against_aims(results: Results) -> str:
    rows = []
    for line in results.lines:
        figures = line.figures()
        for name, aim in line.scenario.aims.items():
            words, digits = _WORDS[name]
            rows.append([f"{line.scenario.title}, {words}", *_judged(figures[name], aim, digits)])
    for one in results.measured:
        rows += [
            [figure.title, *_judged(values, figure.aim, figure.digits)] for figure, values in one.figures()
        ]
    return table(["figure", "median (lowest .. highest)", "aim", ""], rows)


def _judged(values: Spread, aim: Aim | None, digits: int) -> list[str]:
    told = _told(values, digits)
    return [told, aim.text(), aim.verdict(values.median)] if aim else [told, "", ""]


def _beside(lines: Sequence[Line], other: Beside) -> str:
    ours = {line.scenario.name: line.figures() for line in lines}
    rows = []
    for line in other.lines:
        theirs, own = line.figures(), ours[line.scenario.name]
        for name in (
            "webhooks_per_second" if line.scenario.shape.alerts == 1 else "alerts_per_second",
            "p99_ms",
        ):
            words, digits = _WORDS[name]
            ratio = own[name].median / theirs[name].median
            told = (
                _told(own[name], digits),
                _told(theirs[name], digits),
                f"{ratio:.2f}" if ratio < 1 else f"{ratio:.1f}",
            )
            rows.append([f"{line.scenario.title}, {words}", *told])
    head = ["beside each other, in the same rounds", "receiver", other.name, "receiver : other"]
    return f"{other.name}: {_pairs(other.settings)}\n\n{table(head, rows)}"


def _warnings(lines: Sequence[Line]) -> Iterable[str]:
    others = max((run.cpu_cores["others"] for line in lines for run in line.runs), default=0.0)
    if others > _CALM_CORES:
        yield f"The machine was not calm: other programs kept up to {others:.2f} cores busy. Figures are too low."
    for line in lines:
        yield from _by_the_spool(line)


def _by_the_spool(line: Line) -> Iterable[str]:
    spooled = max((run.spooled for run in line.runs), default=0)
    if spooled:
        yield (
            f"{line.scenario.title}: up to {spooled:,} webhooks of a run went by the spool, since the database did not "
            "take them within the receiver's patience. The figures are no rate of the database."
        )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown whose columns stand under each other; numbers to the right."""
    cells = [list(head), *(list(row) for row in rows)]
    widths = [max(len(row[place]) for row in cells) for place in range(len(head))]
    ruler = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = [cells[0], ruler, *cells[1:]]
    return "\n".join("| " + " | ".join(_aligned(row, widths)) + " |" for row in lines)


def _aligned(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [
        row[0].ljust(widths[0]),
        *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
    ]


def _told(figure: Spread, digits: int) -> str:
    median, lowest, highest = (
        f"{value:,.{digits}f}" for value in (figure.median, figure.lowest, figure.highest)
    )
    return f"{median} ({lowest} .. {highest})"


def _pairs(facts: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in facts.items())

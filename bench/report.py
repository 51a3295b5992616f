"""The results as text for people, which also fits into docs/performance.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from bench.measures import Measured
from bench.results import Line, Results, largest
from bench.spread import Spread

# From here on other programs have taken so much of the machine that the figures say more about them.
_CALM_CORES = 0.2


def text(results: Results) -> str:
    """Conditions, figures, CPU and memory."""
    parts = ["\n".join(_conditions(results))]
    if results.lines:
        parts += [_figures(results.lines), _cpu(results.lines), _memory(results.lines)]
    if results.measured:
        parts.append(_measures(results.measured))
    return "\n\n".join([*parts, *_warnings(results.lines)])


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
        alerts = line.figures()["alerts_per_second"].median
        rows.append(
            [
                line.scenario.title,
                *(f"{cores:.2f}" for cores in (receiver, line.busiest_web_cores(), *parts.values())),
                *(f"{cores / alerts * 1e6:,.0f}" for cores in (receiver, parts["database"])),
            ]
        )
    head = ["cores kept busy", "receiver", "its busiest process", "load", "database", "others"]
    return table([*head, "receiver us/alert", "database us/alert"], rows)


def _memory(lines: Sequence[Line]) -> str:
    rows = [
        [name, *(f"{megabytes:.0f}" for megabytes in (memory.rss, memory.pss, memory.peak))]
        for name, memory in largest(line.memory_mb() for line in lines).items()
    ]
    return table(["memory of each process, MB, at most", "RSS", "PSS", "peak RSS"], rows)


def _measures(measured: Sequence[Measured]) -> str:
    rows = [
        [figure.title, _told(values, figure.digits), figure.aim]
        for one in measured
        for figure, values in one.figures()
    ]
    return table(["besides", "median (lowest .. highest)", "aim"], rows)


def _warnings(lines: Sequence[Line]) -> Iterable[str]:
    others = max((run.cpu_cores["others"] for line in lines for run in line.runs), default=0.0)
    if others > _CALM_CORES:
        yield f"The machine was not calm: other programs kept up to {others:.2f} cores busy. Figures are too low."


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

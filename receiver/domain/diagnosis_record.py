"""`incidents.diagnostics`: what all diagnoses of an incident have found, the newest result of each probe. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from receiver.domain.diagnosis import Section

_NAMED = (Section.METRICS, Section.DEPENDENCIES)


def joined(
    before: Mapping[str, Any] | None, diagnosis: str, results: Mapping[str, Any], at: str
) -> dict[str, Any]:
    """What is kept after one more diagnosis: its results, and those of probes that it does not have.

    `ordinal` counts the diagnoses of the incident from 1, `diagnosis` is the name of the last one, `collected_at` when
    it ended: `at`. Always with all three sections.
    """
    record = dict(before or {})
    for section in _NAMED:
        record[section.value] = {**record.get(section.value, {}), **results.get(section.value, {})}
    record[Section.PODS.value] = results.get(Section.PODS.value) or record.get(Section.PODS.value, {})
    record["diagnosis"] = diagnosis
    record["collected_at"] = at
    record["ordinal"] = int(record.get("ordinal", 0)) + 1
    return record


def wrong(results: Mapping[str, Any]) -> list[str]:
    """The paths of the results that are not as they should be, as in `metrics.availability`."""
    return [path for path, result in _results(results) if not result.get("ok")]


def _results(results: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if results.get(Section.PODS.value):
        yield Section.PODS.value, results[Section.PODS.value]
    for section in _NAMED:
        for name, result in results.get(section.value, {}).items():
            yield f"{section.value}.{name}", result

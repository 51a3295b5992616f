"""All that is known after a fault: what the senders, the witnesses and the database say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from faults.history import Request, entries, requests_of
from faults.stack import Stack
from faults.watch import Meter, Sampler


@dataclass(slots=True)
class Evidence:
    """`marks` and `told`: entries of the journals. `unfinished`: what waited in vain after healing, in words.

    `holds_up`: requests may have been slow for the fault's own sake between its beginning and its end; `is_saturated`:
    always.
    """

    stack: Stack
    requests: Sequence[Request]
    marks: Sequence[Mapping[str, Any]]
    told: Sequence[Mapping[str, Any]]
    changed: Sequence[Mapping[str, Any]]
    sampler: Sampler
    meter: Meter
    unfinished: Sequence[str] = ()
    holds_up: bool = True
    is_saturated: bool = False
    figures: dict[str, float] = field(default_factory=dict)

    @classmethod
    def gather(
        cls,
        stack: Stack,
        sampler: Sampler,
        meter: Meter,
        unfinished: Sequence[str],
        *,
        holds_up: bool,
        is_saturated: bool = False,
    ) -> Evidence:
        """Read what was written. The largest of each figure that the fault itself noted is among the figures."""
        folder = stack.folder
        made = cls(
            stack=stack,
            requests=requests_of(folder / "history.jsonl"),
            marks=list(entries(folder / "marks.jsonl")),
            told=list(entries(folder / "channels.jsonl")),
            changed=list(entries(folder / "cluster.jsonl")),
            sampler=sampler,
            meter=meter,
            unfinished=unfinished,
            holds_up=holds_up,
            is_saturated=is_saturated,
        )
        for entry in made.marks:
            if entry["mark"] == "figure":
                known = made.figures.get(entry["name"], 0.0)
                made.figures[entry["name"]] = max(known, entry["value"])
        return made

    def times(self, mark: str) -> list[float]:
        """When these marks were made."""
        return [entry["at"] for entry in self.marks if entry["mark"] == mark]

    def is_in_trouble(self, since: float, until: float) -> bool:
        """Whether between these moments a process was killed or stopped, or the database was not to be relied on."""
        if any(since <= at <= until for mark in ("kill", "SIGSTOP", "ended") for at in self.times(mark)):
            return True
        begins, ends = self.times("trouble.begins"), self.times("trouble.ends")
        return any(begin <= until and since <= end for begin, end in zip(begins, ends, strict=False))

"""C7 to C9: what the processes say, take and how fast they answer."""

from __future__ import annotations

import json
import re
from urllib.parse import urlsplit

from sqlalchemy import make_url

from bench.spread import percentile
from faults import secrets
from faults.checks.evidence import Evidence
from faults.history import End

LARGEST_TOTAL_MB = 1074.0  # 1 GiB
LARGEST_GROWTH_MB, LARGEST_GROWTH_DESCRIPTORS = 48.0, 25
P99_SECONDS, SLOWEST_SECONDS = 0.150, 1.5
_TRACEBACK = re.compile(r"Traceback|File \"|\.py\b")
_BUGS = ("job.bug", "request.failed")
POISON_TRACE = "0" * 32  # of jobs that are planted so that they fail


def nothing_is_given_away(evidence: Evidence) -> list[str]:
    """C7: no traceback in an answer, no 500, no planted secret in a log, no unexpected error in a log."""
    found = [
        f"an answer {one.status} at {one.at:.1f}: {one.note[:120]}"
        for one in evidence.requests
        if one.status == 500 or (one.status is not None and _TRACEBACK.search(one.note))
    ]
    for name, file in evidence.stack.logs().items():
        text = file.read_text(errors="replace")
        found += [
            f"{name}: a secret is in its log ({secret[:12]}...)"
            for secret in _planted(evidence)
            if secret in text
        ]
        found += [
            f"{name}: {line[:300]}"
            for line in text.splitlines()
            if any(bug in line for bug in _BUGS) and POISON_TRACE not in line
        ]
    return found


def _planted(evidence: Evidence) -> list[str]:
    slack = urlsplit(evidence.stack.slack.url).path
    password = str(make_url(evidence.stack.url).password)
    given = (secrets.WEBHOOK_TOKEN, secrets.ROUTING_KEY, secrets.KUBERNETES_TOKEN, secrets.IN_BODIES)
    return [*given, slack.rpartition("/")[2], password]


def nothing_grows(evidence: Evidence) -> list[str]:
    """C8: processes that lived through it take about as much as before; all together stay below 1 GiB."""
    found = []
    growth = 0.0
    for pid, before in evidence.meter.before.items():
        after = evidence.meter.after.get(pid)
        if after is None:
            continue
        growth = max(growth, after.rss_mb - before.rss_mb)
        if after.rss_mb - before.rss_mb > LARGEST_GROWTH_MB:
            found.append(f"process {pid}: from {before.rss_mb:.0f} to {after.rss_mb:.0f} MB")
        if after.descriptors - before.descriptors > LARGEST_GROWTH_DESCRIPTORS:
            found.append(f"process {pid}: from {before.descriptors} to {after.descriptors} descriptors")
    total = evidence.meter.largest_total_mb
    if total > LARGEST_TOTAL_MB:
        found.append(f"all processes together: {total:.0f} MB")
    evidence.figures["growth_mb"], evidence.figures["total_mb"] = round(growth, 1), round(total, 1)
    return found


def answers_come_in_time(evidence: Evidence) -> list[str]:
    """C9: p99 while nothing was wrong with database and web; and at no time more than 1.5 s."""
    (warm,) = evidence.times("warm")
    begin, end = evidence.times("fault.begins"), evidence.times("fault.settled")
    answered = [one for one in evidence.requests if one.status is not None]
    calm = [
        one.seconds
        for one in answered
        if one.at > warm and not (evidence.holds_up and begin and end and begin[0] - 0.5 <= one.at <= end[0])
    ]
    found = []
    if calm and not evidence.is_saturated:
        p99 = percentile(sorted(calm), 99)
        evidence.figures["p99_ms"] = round(p99 * 1000, 1)
        if p99 > P99_SECONDS:
            found.append(f"p99 {p99 * 1000:.0f} ms with the database up")
    late = [one for one in evidence.requests if one.seconds > SLOWEST_SECONDS]
    # Whose process was stopped or killed got no answer from anybody: that is the fault itself.
    late = [
        one for one in late if one.end is End.OK or not evidence.is_in_trouble(one.at, one.at + one.seconds)
    ]
    slowest = max((one.seconds for one in answered), default=0.0)
    evidence.figures["slowest_ms"] = round(slowest * 1000, 1)
    found += [
        f"{json.dumps(one.what)} took {one.seconds:.2f} s ({one.status or one.note}) at {one.at:.1f}"
        for one in late
    ]
    return found

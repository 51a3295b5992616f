"""`python -m faults.rounds.command URL FOLDER ROUNDS`: the rounds of one lane; what came out is printed as JSON."""

from __future__ import annotations

import itertools
import json
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from sqlalchemy import text

from faults.rounds.judge import judge
from faults.rounds.lane import Lane
from faults.rounds.points import POINTS
from faults.waiting import WAITING
from tests.fakes.polling import TimedOut, wait_until

FINISHED_WITHIN_SECONDS = 120.0


def rounds(lane: Lane, count: int) -> dict[str, Any]:
    """So many rounds, their end, and the judgement."""
    reached: Counter[str] = Counter()
    started = time.monotonic()
    problems: list[str] = []
    for number, point in enumerate(itertools.islice(itertools.cycle(POINTS), count), start=1):
        services = lane.ask()
        with point(lane, services) as is_reached:
            worker = lane.nursery.start()
            reached[point.__name__] += is_reached()
            lane.nursery.end(worker)
        lane.everything_is_due()
        if number % len(POINTS) == 0 or number == count:
            problems += _finish(lane)  # else what is left would be given up after some deaths
    seconds = time.monotonic() - started
    found, figures = judge(lane)
    figures |= {"crash_rounds": float(count), "crashes": float(count)}
    return {
        "found": problems + found,
        "figures": figures,
        "reached": reached,
        "seconds_a_round": seconds / count,
    }


def _finish(lane: Lane) -> list[str]:
    """A worker that nobody kills sees to what is left."""
    last = lane.nursery.start()
    try:
        wait_until(lambda: not _left(lane), FINISHED_WITHIN_SECONDS, "the end of all jobs")
    except TimedOut as late:
        return [str(late), *map(str, _left(lane))]
    finally:
        lane.nursery.end(last, signal.SIGTERM)
    return []


def _left(lane: Lane) -> list[Any]:
    lane.everything_is_due()
    time.sleep(0.05)
    with lane.engine.connect() as connection:
        return list(connection.execute(text(WAITING)).all())


def main() -> None:
    url, folder, count = sys.argv[1:]
    with Lane(url, Path(folder)) as lane:
        print(json.dumps(rounds(lane, int(count))))


if __name__ == "__main__":
    main()

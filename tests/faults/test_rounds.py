"""A few crash rounds: workers die around their calls, and what the judge finds is what was done."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults.rounds.command import rounds
from faults.rounds.judge import judge
from faults.rounds.lane import Lane
from faults.rounds.points import POINTS


@pytest.mark.timeout(180)
def test_after_a_death_at_each_point_nothing_was_done_twice_and_the_judge_would_have_seen_it(
    mysql_database_url: str, tmp_path: Path
) -> None:
    with Lane(mysql_database_url, tmp_path) as lane:
        result = rounds(lane, len(POINTS))
        assert result["found"] == []
        assert result["figures"]["actions"] == 2 * len(POINTS)
        assert result["figures"]["double_executions"] == result["figures"]["avoidable_duplicates"] == 0
        assert sum(result["reached"].values()) > len(POINTS) // 2
        # Somebody carries an action out once more, and sends a message again.
        lane.cluster.asked["svc-1"] = 2
        again = next(entry for entry in lane.told() if entry["taken"])
        lane.slack.journal.write(**again | {"came": again["came"] + 3600})
        found, figures = judge(lane)
        assert figures["double_executions"] == 1
        assert figures["avoidable_duplicates"] == 1
        assert len(found) == 2

"""How long after the answer to a webhook the incident's message is at Slack, while webhooks come in steadily."""

from __future__ import annotations

import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench.bodies import Requests, Shape
from bench.databases import Database
from bench.load import Load
from bench.scenarios import all_new
from bench.spread import percentile
from bench.subject import Subject
from tests.fakes.slack import SlackServer

_CONNECTIONS = 64
_WARM_UP_SECONDS = 2.0
_LAST_MESSAGE_SECONDS = 60.0
_serial = re.compile(rb"checkout-([0-9a-f]{12})-0").search


@dataclass(frozen=True, slots=True)
class Delays:
    """Seconds from the answer, which is sent after COMMIT, to the message's arrival."""

    per_second: float
    messages: int
    p50_seconds: float
    p99_seconds: float
    slowest_seconds: float


def delays(database: Database, folder: Path, *, per_second: float = 200, seconds: float = 10) -> Delays:
    """Send webhooks that each open an incident, and wait for a message about every one of them.

    Raises LoadFailed, and AssertionError if a message is missing or comes twice.
    """
    own = Path(tempfile.mkdtemp(prefix="announcing-", dir=folder))
    url = database.create()
    with SlackServer() as slack:
        # P0, as the load's incidents are, is announced one by one at any rate; nothing else is changed for the bench.
        settings = {"RECEIVER_SLACK_WEBHOOK_URL": slack.url}
        with Subject(url, own, settings) as subject, Load(subject.address, _CONNECTIONS) as load:
            requests, serials = Requests(Shape(), token=subject.token), all_new()
            early = load.drive_steadily(requests, serials, _WARM_UP_SECONDS, per_second)
            answered = load.drive_steadily(requests, serials, seconds, per_second)
            messages = slack.wait_for(len(early) + len(answered), _LAST_MESSAGE_SECONDS)
    arrived: dict[int, float] = {}
    for message in messages:
        found = _serial(message.raw)
        assert found is not None, "a message that is about no incident of ours"
        serial = int(found[1], 16)
        assert serial not in arrived, f"incident {serial} was announced twice"
        arrived[serial] = message.received_at
    # The message may overtake the answer, which comes after COMMIT too.
    waits = sorted(max(0.0, arrived[serial] - at) for serial, at in answered.items())
    database.drop(url)
    shutil.rmtree(own)
    return Delays(per_second, len(waits), percentile(waits, 50), percentile(waits, 99), waits[-1])

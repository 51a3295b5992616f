"""The rules of deduplication, one promise a test, without a database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from receiver.domain.alert import Alert, AlertStatus, Disposition
from receiver.domain.events import EventType
from receiver.domain.incident import incident_id
from receiver.domain.ledger import Admission, EndedBy, Ledger, Occasion

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def alert(
    status: str = "firing", *, fingerprint: str = "f1", key: str = "k" * 16, **changes: object
) -> Alert:
    fields: dict[str, object] = {
        "status": AlertStatus(status),
        "rule_uid": "am:CpuHigh",
        "alertname": "CpuHigh",
        "fingerprint": fingerprint,
        "severity": "warning",
        "priority": "P2",
        "cluster": "",
        "namespace": "",
        "service": "svc-a",
        "phase": "",
        "incident_key": key,
        "raw": "{}",
        "starts_at": START,
        "title": "CpuHigh",
    }
    return Alert(**(fields | changes))  # type: ignore[arg-type]  # the test's own keyword arguments


class Story:
    """A ledger and a clock that moves a second with every alert."""

    def __init__(self, holds: timedelta = timedelta(minutes=15)) -> None:
        self.ledger = Ledger({}, {}, incident_id, holds)
        self.now = START

    def hears(self, one: Alert, source: str = "alertmanager") -> Admission:
        self.now += timedelta(seconds=1)
        return self.ledger.admit(one, Occasion(f"alert-{self.now:%H%M%S}", source, "trace", self.now))

    def types(self) -> list[EventType]:
        return [event.type for event in self.ledger.events]


def test_the_first_firing_opens_an_incident() -> None:
    story = Story()
    admission = story.hears(alert())
    assert admission.disposition is Disposition.OPENED
    assert admission.incident is not None
    assert (admission.incident.alert_count, admission.incident.firing_count) == (1, 1)
    assert story.types() == [EventType.ALERT_RAISED, EventType.INCIDENT_OPENED]


def test_a_repeat_opens_no_second_incident_and_tells_no_event() -> None:
    story = Story()
    first = story.hears(alert())
    again = story.hears(alert())
    assert again.disposition is Disposition.REPEATED
    assert again.incident is first.incident
    assert again.incident is not None
    assert (again.incident.alert_count, again.incident.firing_count) == (2, 1)
    assert len(story.ledger.opened) == 1
    assert len(story.ledger.events) == 2


def test_another_member_joins_the_open_incident() -> None:
    story = Story()
    first = story.hears(alert())
    other = story.hears(alert(fingerprint="f2"))
    assert other.disposition is Disposition.ATTACHED
    assert other.incident is first.incident
    assert other.incident is not None and other.incident.firing_count == 2


def test_the_same_fingerprint_from_another_source_is_another_member() -> None:
    story = Story()
    story.hears(alert(), source="alertmanager")
    assert story.hears(alert(), source="grafana").disposition is Disposition.ATTACHED


def test_the_incident_resolves_with_its_last_firing_member_and_not_before() -> None:
    story = Story()
    story.hears(alert())
    story.hears(alert(fingerprint="f2"))
    first = story.hears(alert("resolved"))
    assert first.disposition is Disposition.RESOLVED
    assert first.incident is not None and first.incident.status == "active"
    last = story.hears(alert("resolved", fingerprint="f2"))
    assert last.incident is not None
    assert (last.incident.status, last.incident.resolved_at) == ("resolved", story.now)
    assert story.types()[-2:] == [EventType.ALERT_RESOLVED, EventType.INCIDENT_RESOLVED]
    assert story.ledger.ended == [last.incident]


def test_a_new_start_after_the_resolve_opens_a_new_incident() -> None:
    story = Story()
    first = story.hears(alert())
    story.hears(alert("resolved"))
    again = story.hears(alert(starts_at=START + timedelta(minutes=5)))
    assert again.disposition is Disposition.OPENED
    assert again.incident is not None and first.incident is not None
    assert again.incident.incident_id != first.incident.incident_id


def test_a_new_start_while_the_incident_is_open_joins_it_without_counting_twice() -> None:
    story = Story()
    story.hears(alert())
    again = story.hears(alert(starts_at=START + timedelta(minutes=5)))
    assert again.disposition is Disposition.ATTACHED
    assert again.incident is not None and again.incident.firing_count == 1


def test_a_late_firing_of_an_ended_episode_never_reopens() -> None:
    story = Story()
    story.hears(alert())
    story.hears(alert("resolved"))
    for late in (alert(), alert(starts_at=START - timedelta(minutes=1))):
        admission = story.hears(late)
        assert (admission.disposition, admission.incident) == (Disposition.LATE, None)
    assert len(story.ledger.opened) == 1


def test_an_older_start_of_a_firing_member_is_a_repeat() -> None:
    story = Story()
    story.hears(alert())
    assert story.hears(alert(starts_at=START - timedelta(minutes=1))).disposition is Disposition.REPEATED


def test_resolved_with_nothing_open_is_an_orphan_and_its_firing_comes_too_late() -> None:
    story = Story()
    assert story.hears(alert("resolved")).disposition is Disposition.ORPHAN
    assert story.hears(alert()).disposition is Disposition.LATE
    assert story.ledger.opened == []


def test_a_second_resolved_of_one_episode_is_a_repeat_of_no_incident() -> None:
    story = Story()
    story.hears(alert())
    story.hears(alert("resolved"))
    admission = story.hears(alert("resolved"))
    assert (admission.disposition, admission.incident) == (Disposition.REPEATED, None)


def test_the_resolve_of_an_older_episode_does_not_end_the_current_one() -> None:
    story = Story()
    story.hears(alert(starts_at=START + timedelta(minutes=5)))
    assert story.hears(alert("resolved")).disposition is Disposition.ORPHAN
    assert story.ledger.opened[0].status == "active"


def test_the_resolve_of_a_newer_episode_ends_the_current_one() -> None:
    story = Story()
    story.hears(alert())
    assert (
        story.hears(alert("resolved", starts_at=START + timedelta(minutes=5))).disposition
        is Disposition.RESOLVED
    )
    assert story.hears(alert(starts_at=START + timedelta(minutes=5))).disposition is Disposition.LATE


def test_senders_without_a_start_time_still_repeat_resolve_and_fire_anew() -> None:
    story = Story()
    heard = [
        story.hears(alert(status, starts_at=None)) for status in ("firing", "firing", "resolved", "resolved")
    ]
    assert [one.disposition for one in heard] == ["opened", "repeated", "resolved", "repeated"]
    assert story.hears(alert(starts_at=None)).disposition is Disposition.OPENED


def test_a_test_alert_touches_nothing() -> None:
    story = Story()
    admission = story.hears(alert(is_test=True))
    assert (admission.disposition, admission.incident) == (Disposition.TEST, None)
    assert not story.ledger.events and not story.ledger.episodes


def test_a_worse_member_raises_severity_and_priority_and_says_so() -> None:
    story = Story()
    story.hears(alert())
    story.hears(alert(fingerprint="f2", severity="critical", priority="P0"))
    story.hears(alert(fingerprint="f3", severity="info", priority="P3"))
    incident = story.ledger.opened[0]
    assert (incident.severity, incident.priority) == ("critical", "P0")
    updates = [event for event in story.ledger.events if event.type is EventType.INCIDENT_UPDATED]
    assert [event.payload["changes"] for event in updates] == [
        {"severity": ["warning", "critical"], "priority": ["P2", "P0"]}
    ]


def ended_by_a_person(story: Story) -> None:
    story.hears(alert())
    episode = next(iter(story.ledger.episodes.values()))
    episode.status, episode.ended_at, episode.ended_by = AlertStatus.RESOLVED, story.now, EndedBy.PERSON
    story.ledger.incidents.clear()


def test_a_persons_resolve_stands_for_a_while_against_an_alert_that_keeps_firing() -> None:
    story = Story(holds=timedelta(minutes=15))
    ended_by_a_person(story)
    assert story.hears(alert()).disposition is Disposition.LATE
    story.now += timedelta(minutes=15)
    assert story.hears(alert()).disposition is Disposition.OPENED


def test_once_the_sender_agrees_with_the_person_the_episode_is_over_for_good() -> None:
    story = Story(holds=timedelta(minutes=15))
    ended_by_a_person(story)
    assert story.hears(alert("resolved")).disposition is Disposition.REPEATED
    story.now += timedelta(hours=1)
    assert story.hears(alert()).disposition is Disposition.LATE


def test_a_key_that_opens_twice_in_one_batch_has_one_open_incident() -> None:
    story = Story()
    story.hears(alert())
    story.hears(alert("resolved"))
    story.hears(alert(starts_at=START + timedelta(seconds=5)))
    assert [incident.status for incident in story.ledger.opened] == ["resolved", "active"]
    assert list(story.ledger.incidents.values()) == [story.ledger.opened[1]]

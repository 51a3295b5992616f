"""The way of an alert: body -> alerts -> one transaction with delivery, alerts, incidents, events and jobs -> answer.

Order inside the transaction (the reasons are in docs/architecture.md): the delivery first, while nothing is locked;
then the open incidents in the order of their keys, then the episodes; then the decisions, which are pure; then the
rows, the alerts last because their trigger updates the incidents.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection, Engine

from receiver import metrics
from receiver.domain.alert import Alert, Disposition, RejectedAlert
from receiver.domain.delivery import Answer, Delivery, IncidentView, Outcome
from receiver.domain.incident import free_incident_id
from receiver.domain.key import episode_key
from receiver.domain.ledger import IncidentState, Ledger, Occasion
from receiver.domain.rules.evaluate import triage
from receiver.errors import UnintelligibleBody
from receiver.ids import new_ulid
from receiver.runtime import Runtime
from receiver.services.effects import tell
from receiver.services.group_commit import WAIT_SECONDS, GroupCommit
from receiver.services.subjects import subjects_of
from receiver.services.transaction import transact
from receiver.sources.links import links_of
from receiver.sources.registry import parse_body
from receiver.storage import alerts, deliveries, episodes, incidents
from receiver.storage.alerts import AlertRow

# Which of an incident's dispositions the sender is told when several of its alerts touched it.
_TELLING = (Disposition.OPENED, Disposition.RESOLVED, Disposition.ATTACHED, Disposition.REPEATED)
_BYTES_PER_WEIGHT = 8192


@dataclass(slots=True)
class _Tally:
    """What became of one delivery's alerts, while the batch is being decided."""

    delivery: Delivery
    rows: list[AlertRow] = field(default_factory=list)
    touched: dict[str, tuple[IncidentState, Disposition]] = field(default_factory=dict)

    def add(self, row: AlertRow, incident: IncidentState | None) -> None:
        self.rows.append(row)
        if incident is None:
            return
        row.incident_id = incident.incident_id
        told = self.touched.get(incident.incident_id)
        if told is None or _TELLING.index(row.disposition) < _TELLING.index(told[1]):
            self.touched[incident.incident_id] = (incident, row.disposition)

    @property
    def outcome(self) -> Outcome:
        understood = self.delivery.parsed is not None and self.delivery.reason is None
        return Outcome.PROCESSED if understood else Outcome.QUARANTINED

    def answer(self) -> Answer:
        counts = Counter(row.disposition.value for row in self.rows)
        views = [
            IncidentView(
                state.incident_id,
                state.number,
                state.incident_key,
                str(state.status),
                state.alert_count,
                disposition.value,
            )
            for state, disposition in self.touched.values()
        ]
        delivery = self.delivery
        return Answer(delivery.delivery_id, delivery.trace_id, self.outcome, counts, views, delivery.reason)


class Intake:
    """Accepts deliveries for one process. Threads may share it; what waits at the same time is committed together."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._resolve_holds = timedelta(seconds=runtime.settings.resolve_holds_seconds)
        self._group: GroupCommit[Delivery, Answer] = GroupCommit(self.record, _weight)

    def read(
        self,
        body: bytes,
        *,
        trace_id: str,
        content_type: str = "",
        headers: Mapping[str, str] | None = None,
        credential: str = "none",
        signature_verified: bool = False,
    ) -> Delivery:
        """Make a delivery of a body. Never raises for what the body holds: that becomes a reason for quarantine."""
        delivery = Delivery(
            delivery_id=new_ulid(),
            trace_id=trace_id,
            received_at=self._runtime.clock(),
            body=body,
            content_type=content_type,
            headers=dict(headers or {}),
            credential=credential,
            signature_verified=signature_verified,
        )
        self.parse(delivery)
        return delivery

    def parse(self, delivery: Delivery) -> None:
        """Find out what the body says, or why nothing can be understood, unless that is known already."""
        if delivery.parsed is not None or delivery.reason is not None:
            return
        try:
            delivery.parsed = parse_body(delivery.body, self._runtime.mapping, delivery.received_at)
        except UnintelligibleBody as error:
            delivery.reason = error.reason
            return
        found = delivery.parsed.alerts
        if found and all(isinstance(alert, RejectedAlert) for alert in found):
            first = found[0]
            delivery.reason = f"no alert of it is understood: {first.reason}"  # type: ignore[union-attr]  # all rejected

    @property
    def engine(self) -> Engine:
        """Where it stores."""
        return self._runtime.engine

    def accept(self, delivery: Delivery, timeout_seconds: float = WAIT_SECONDS) -> Answer:
        """Store one delivery with all that follows from it. When this returns, it is committed.

        Raises StorageUnavailable when the database does not take it in time: it may come to be stored all the same.
        """
        return self._group.submit(delivery, timeout_seconds)

    def replay(self, deliveries: Sequence[Delivery]) -> list[Answer]:
        """Store deliveries that were read and kept before, some of which the database may have already.

        Raises StorageUnavailable, and what the database raises.
        """
        for one in deliveries:
            self.parse(one)
        return self.record(deliveries, may_be_stored=True)

    def record(self, batch: Sequence[Delivery], *, may_be_stored: bool = False) -> list[Answer]:
        """Store a batch in one transaction, run again as long as that may help; the answers in the batch's order.

        `may_be_stored`: some of it may have been committed before.
        """
        before = 1 if may_be_stored else 0
        answers = transact(
            self._runtime.engine, lambda connection, attempt: self._store(connection, attempt + before, batch)
        )
        metrics.BATCH_SIZE.observe(len(batch))
        for one, answer in zip(batch, answers, strict=True):
            metrics.DELIVERIES.labels(one.source, answer.outcome.value).inc()
            for disposition, count in answer.counts.items():
                metrics.ALERTS.labels(disposition).inc(count)
        return answers

    def _store(self, connection: Connection, attempt: int, batch: Sequence[Delivery]) -> list[Answer]:
        known: dict[str, Answer] = {}
        if attempt:  # an earlier COMMIT may have gone through although its answer was lost
            known = deliveries.recorded(connection, [one.delivery_id for one in batch])
        tallies = [_Tally(one) for one in batch if one.delivery_id not in known]
        if tallies:
            deliveries.insert_many(connection, [t.delivery for t in tallies], [t.outcome for t in tallies])
            self._decide_and_write(connection, attempt, tallies)
        answers = known | {tally.delivery.delivery_id: tally.answer() for tally in tallies}
        return [answers[one.delivery_id] for one in batch]

    def _decide_and_write(self, connection: Connection, attempt: int, tallies: Sequence[_Tally]) -> None:
        ledger = self._locked_ledger(connection, attempt, [tally.delivery for tally in tallies])
        for tally in tallies:
            _decide(ledger, tally)
        incidents.update_touched(connection, ledger.touched())
        if ledger.opened:
            for state in ledger.opened:
                state.links = links_of(state.opened_by) if state.opened_by else {}
            incidents.insert_opened(connection, ledger.opened)
        episodes.save(connection, ledger.episodes.values())
        rules = self._runtime.rules
        subjects = subjects_of(connection, rules, ledger.events, ledger.by_id())
        tell(connection, self._runtime, ledger.events, subjects)
        alerts.insert_many(connection, (row for tally in tallies for row in tally.rows))

    def _locked_ledger(self, connection: Connection, attempt: int, batch: Sequence[Delivery]) -> Ledger:
        keys: set[str] = set()
        episode_keys: set[str] = set()
        for delivery in batch:
            for alert in delivery.parsed.alerts if delivery.parsed else ():
                if isinstance(alert, Alert) and not alert.is_test:
                    keys.add(alert.incident_key)
                    episode_keys.add(episode_key(alert.incident_key, delivery.source, alert.fingerprint))
        last_ids: dict[str, str] = {}
        if (
            keys and attempt
        ):  # the id's second may be taken; asking costs a round trip, so only after a failure
            last_ids = incidents.last_ids(connection, keys)

        def name_incident(opened_at: datetime, key: str) -> str:
            last_ids[key] = free_incident_id(opened_at, key, last_ids.get(key))
            return last_ids[key]

        return Ledger(
            incidents=incidents.lock_open(connection, keys) if keys else {},
            episodes=episodes.lock(connection, episode_keys) if keys else {},
            name_incident=name_incident,
            resolve_holds=self._resolve_holds,
            judge=partial(triage, self._runtime.rules),
        )


def _decide(ledger: Ledger, tally: _Tally) -> None:
    delivery = tally.delivery
    for alert in delivery.parsed.alerts if delivery.parsed else ():
        alert_id = new_ulid()
        row = AlertRow(alert_id, delivery.delivery_id, delivery.received_at, alert, Disposition.REJECTED)
        incident = None
        if isinstance(alert, Alert):
            occasion = Occasion(alert_id, delivery.source, delivery.trace_id, delivery.received_at)
            admission = ledger.admit(alert, occasion)
            row.disposition, row.reason, incident = (
                admission.disposition,
                admission.reason,
                admission.incident,
            )
        tally.add(row, incident)


def _weight(delivery: Delivery) -> int:
    return (
        1 + (len(delivery.parsed.alerts) if delivery.parsed else 0) + len(delivery.body) // _BYTES_PER_WEIGHT
    )

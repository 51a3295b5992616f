"""What the rounds of one lane need: a database, the witnesses, a nursery of workers, and a hand that sends alerts."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Connection, text

from faults import witness
from faults.bodies import alert_of, body_of
from faults.history import entries
from faults.secrets import ROUTING_KEY
from faults.stack import RULES
from receiver.clock import utc_now
from receiver.config import load
from receiver.ids import new_trace_id
from receiver.runtime import build_runtime
from receiver.services.intake import Intake
from receiver.services.transaction import transact
from receiver.storage.migrate import upgrade
from tests.fakes.nursery import Nursery

INCIDENTS_PER_ROUND = 2


class Cluster(witness.Cluster):
    """Tells when a request has come, and has been seen to, before it is answered; which method and which service."""

    def __init__(self, file: Path) -> None:
        self.came = threading.Event()
        self.method = ""  # whose coming is told
        self.asked: dict[str, int] = {}  # how often each service was to be changed
        super().__init__(file)

    def _take(self, method: str, target: str, headers: Mapping[str, str], raw: bytes) -> Any:
        if method == "PUT":
            service = service_of(target)
            self.asked[service] = self.asked.get(service, 0) + 1
        try:
            return super()._take(method, target, headers, raw)
        finally:
            if method == self.method:
                self.came.set()


class Lane:
    """Runs from `with` to its end."""

    def __init__(self, url: str, folder: Path) -> None:
        self.folder = folder
        self._url = url
        self._parts = ExitStack()
        self._numbers = itertools.count(1)
        self.incidents: dict[str, str] = {}  # by service

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        channels = self.folder / "channels.jsonl"
        self.cluster = self._parts.enter_context(Cluster(self.folder / "cluster.jsonl"))
        self.slack = self._parts.enter_context(witness.slack(channels))
        self.pagerduty = self._parts.enter_context(witness.pagerduty(channels))
        rules = self.folder / "rules.yml"
        rules.write_text(RULES.format(services="svc-.*"))
        settings = {
            "DATABASE_URL": self._url,
            "SPOOL_DIR": str(self.folder / "spool"),
            "RULES": str(rules),
            "SLACK_WEBHOOK_URL": self.slack.url,
            "PAGERDUTY_ROUTING_KEY": ROUTING_KEY,
            "PAGERDUTY_EVENTS_URL": self.pagerduty.base_url,
            "WORKER_POLL_SECONDS": "0.05",
            "WORKER_LEASE_SECONDS": "20",
            "NOTIFY_PER_MINUTE": "1000000",
            "UPDATE_INTERVAL_SECONDS": "86400",
            "REMEDIATION_PER_HOUR": "1000000",
            **self.cluster.settings,
        }
        runtime = build_runtime(load({f"RECEIVER_{name}": value for name, value in settings.items()}))
        self._parts.callback(runtime.close)
        self.engine = runtime.engine
        upgrade(self.engine)
        self._intake = Intake(runtime)
        self.nursery = self._parts.enter_context(Nursery(settings, self.folder / "workers.log"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._parts.close()

    def ask(self) -> list[str]:
        """Open incidents, each of a service of its own: the services."""
        services = [f"svc-{number}" for number in itertools.islice(self._numbers, INCIDENTS_PER_ROUND)]
        self.cluster.add(services)
        body = body_of([alert_of(service, 0, utc_now()) for service in services])
        answer = self._intake.accept(self._intake.read(body, trace_id=new_trace_id()))
        self.incidents |= dict(zip(services, (view.incident_id for view in answer.incidents), strict=True))
        return services

    def everything_is_due(self) -> None:
        """As if all leases were over and all pauses too."""
        past = "CURRENT_TIMESTAMP(6) - INTERVAL 1 SECOND"

        def update(connection: Connection, attempt: int) -> None:
            for queue in ("remediate", "notify-slack", "notify-pagerduty"):
                for state, column in (("running", "lease_until"), ("ready", "run_at")):
                    connection.execute(
                        text(f"UPDATE jobs SET {column} = {past} WHERE queue = :queue AND state = :state"),
                        {"queue": queue, "state": state},
                    )

        transact(self.engine, update)  # workers lock the same rows, in another order

    def count(self, query: str, **values: Any) -> int:
        """The number that a query gives."""
        with self.engine.connect() as connection:
            return int(connection.execute(text(query), values).scalar_one())

    def lock_waits(self) -> int:
        """How many wait for a row's lock now, in all lanes."""
        with self.engine.connect() as connection:
            row = connection.execute(text("SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'")).one()
        return int(row[1])

    def told(self) -> list[dict[str, Any]]:
        """What the channels were told, in its order."""
        return list(entries(self.folder / "channels.jsonl"))

    def kept(self) -> str:
        """What became of it, for whoever started this."""
        return json.dumps({"incidents": len(self.incidents)})


def service_of(target: str) -> str:
    """Of /apis/apps/v1/namespaces/shop/deployments/svc-1/scale?...: svc-1."""
    return target.partition("?")[0].strip("/").split("/")[6]

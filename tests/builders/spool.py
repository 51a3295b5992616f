"""Deliveries for the spool, and an intake whose database can be away."""

from __future__ import annotations

from sqlalchemy import Engine, select

from receiver.domain.delivery import Delivery
from receiver.errors import StorageUnavailable
from receiver.ids import new_trace_id
from receiver.runtime import Runtime
from receiver.services.intake import Intake
from receiver.storage.tables import deliveries
from tests.builders import bodies

MEGABYTE = 1024 * 1024


class Away(Intake):
    """An intake whose database answers nobody, as long as `away` says so."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime)
        self.away = True
        self.asked = 0

    def record(self, batch, *, may_be_stored=False):
        self.asked += 1
        if self.away:
            raise StorageUnavailable("away")
        return super().record(batch, may_be_stored=may_be_stored)


def delivery(intake: Intake, body: bytes) -> Delivery:
    return intake.read(body, trace_id=new_trace_id(), headers={"User-Agent": "test"}, credential="bearer")


def firing(name: str = "a") -> bytes:
    return bodies.alertmanager([bodies.alert(name, service=name)])


def resolved(name: str = "a") -> bytes:
    alert = bodies.alert(name, status="resolved", service=name)
    return bodies.alertmanager([alert])


def stored(engine: Engine) -> list[bytes]:
    with engine.connect() as connection:
        rows = connection.execute(select(deliveries.c.body).order_by(deliveries.c.delivery_id))
        return [bytes(body) for (body,) in rows]

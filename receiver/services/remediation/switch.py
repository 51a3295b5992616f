"""The kill switch: whether remediation acts at all. It is a row that every worker reads before every action."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine

from receiver.config import Settings
from receiver.domain.remediation import Mode, stricter
from receiver.logs import event_logger
from receiver.services.transaction import transact
from receiver.storage import audit, breakers, controls, database_clock, remediation
from receiver.storage.engine import reading

CONTROL = "remediation"
_log = event_logger("remediation")


@dataclass(frozen=True, slots=True)
class Switch:
    """Where the switch stands, who put it there, and when; never touched, it is on."""

    mode: Mode = Mode.ON
    changed_by: str = ""
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """All that an operator asks first. `mode` is what counts: the stricter of the setting and the switch."""

    mode: Mode
    setting: Mode
    switch: Switch
    actions: Mapping[str, int]
    breakers: tuple[Mapping[Any, Any], ...]


def turn(engine: Engine, mode: Mode, by: str, trace_id: str) -> Switch:
    """Put the switch to `mode`; returns where it stood. When this returns, no action begins by what it was before.

    Raises StorageUnavailable.
    """

    def work(connection: Connection, attempt: int) -> Switch:
        before = _switch(controls.find(connection, CONTROL))
        now = database_clock.now(connection)
        controls.put(connection, CONTROL, {"mode": mode.value}, by, now)
        audit.write(
            connection,
            actor=by,
            action="remediation.switched",
            target=CONTROL,
            at=now,
            trace_id=trace_id,
            detail={"from": before.mode.value, "to": mode.value},
        )
        return before

    before = transact(engine, work)
    _log.info(
        "remediation.switched", extra={"from": before.mode.value, "to": mode.value, "trace_id": trace_id}
    )
    return before


def mode_now(connection: Connection, settings: Settings) -> Mode:
    """What remediation may do, from now until COMMIT: whoever turns the switch waits for that."""
    held = controls.hold(connection, CONTROL)
    if held is None:  # without a row there is nothing to wait for
        controls.put(connection, CONTROL, {"mode": Mode.ON.value}, "receiver", database_clock.now(connection))
    return stricter(settings.remediation, _switch(held).mode)


def status(engine: Engine, settings: Settings) -> Status:
    """How remediation stands now."""
    with reading(engine) as connection:
        switch = _switch(controls.find(connection, CONTROL))
        return Status(
            stricter(settings.remediation, switch.mode),
            Mode(settings.remediation),
            switch,
            remediation.counts(connection),
            tuple(breakers.not_closed(connection)),
        )


def _switch(row: Mapping[Any, Any] | None) -> Switch:
    if row is None:
        return Switch()
    return Switch(Mode(row["value"]["mode"]), row["changed_by"], row["changed_at"])

"""A transaction that fails is run again: how often, for how long, and what of it is told."""

from __future__ import annotations

import logging
import sqlite3

import pytest
import sqlalchemy
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from receiver.errors import StorageUnavailable
from receiver.services import transaction
from receiver.services.transaction import MAX_ATTEMPTS, transact

ENGINE = sqlalchemy.create_engine("sqlite://")


class Work:
    """Fails so many times with `message`, and notes which attempts there were."""

    def __init__(self, failures: int, message: str = "database is locked") -> None:
        self.attempts: list[int] = []
        self._failures = failures
        self._message = message

    def __call__(self, connection: Connection, attempt: int) -> str:
        self.attempts.append(attempt)
        if len(self.attempts) <= self._failures:
            raise OperationalError("INSERT", {}, sqlite3.OperationalError(self._message))
        return "stored"


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without waiting between attempts."""
    monkeypatch.setattr(transaction, "_FIRST_PAUSE_SECONDS", 0)


@pytest.mark.parametrize("failures", [0, 1, 2, MAX_ATTEMPTS - 1])
def test_it_is_run_until_it_succeeds(failures: int, caplog: pytest.LogCaptureFixture) -> None:
    work = Work(failures)
    with caplog.at_level(logging.INFO):
        assert transact(ENGINE, work) == "stored"
    assert work.attempts == list(range(failures + 1))
    told = [record.attempt for record in caplog.records if record.message == "transaction.retry"]  # type: ignore[attr-defined]  # an extra
    assert told == list(range(1, failures + 1))


def test_it_is_given_up_after_so_many_attempts() -> None:
    work = Work(failures=100)
    with pytest.raises(StorageUnavailable, match=f"{MAX_ATTEMPTS} attempts"):
        transact(ENGINE, work)
    assert work.attempts == list(range(MAX_ATTEMPTS))


def test_it_is_given_up_when_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transaction, "BUDGET_SECONDS", 0)
    work = Work(failures=100)
    with pytest.raises(StorageUnavailable, match="1 attempts"):
        transact(ENGINE, work)
    assert work.attempts == [0]


@pytest.mark.parametrize("lucky_before", [0, 1])
def test_an_error_that_no_other_try_helps_against_passes_through(lucky_before: int) -> None:
    work = Work(lucky_before)

    def wrong(connection: Connection, attempt: int) -> None:
        work(connection, attempt)
        raise OperationalError("INSERT", {}, sqlite3.OperationalError("no such table: alerts"))

    with pytest.raises(OperationalError, match="no such table"):
        transact(ENGINE, wrong)
    assert work.attempts == list(range(lucky_before + 1))

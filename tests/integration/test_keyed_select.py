"""Rows by many keys are the same by way of the driver as by way of SQLAlchemy."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, insert, select

from receiver.storage.keyed_select import KeyedSelect
from receiver.storage.tables import alert_episodes

SEEN = datetime(2026, 11, 21, 12, 0, 0, 123456, tzinfo=UTC)
# What would end a literal, or begin something else, if it were not escaped.
KEYS = [
    "plain",
    "it's",
    'a "quote"',
    "back\\slash",
    "end\\",
    "') OR 1=1 -- ",
    "100 %s",
    "a:colon",
    "%(keys)s",
]

_columns = (
    alert_episodes.c.episode_key,
    alert_episodes.c.status,
    alert_episodes.c.starts_at,
    alert_episodes.c.ended_at,
)
_by_key = KeyedSelect(
    lambda keys: (
        select(*_columns).where(alert_episodes.c.episode_key.in_(keys)).order_by(alert_episodes.c.episode_key)
    )
)


@pytest.fixture
def filled(engine: Engine) -> Engine:
    row = {"incident_key": "k", "source": "test", "fingerprint": "f", "status": "firing", "starts_at": SEEN}
    rows = [row | {"episode_key": key, "last_seen_at": SEEN} for key in (*KEYS, "another")]
    with engine.begin() as connection:
        connection.execute(insert(alert_episodes), rows)
    return engine


def test_exactly_the_rows_of_the_keys_come_back_as_their_types_have_them(filled: Engine) -> None:
    plainly = select(*_columns).where(alert_episodes.c.episode_key != "another")
    with filled.connect() as connection:
        found = list(_by_key.rows(connection, KEYS))
        assert found == list(map(tuple, connection.execute(plainly.order_by(alert_episodes.c.episode_key))))
    assert sorted(row[0] for row in found) == sorted(KEYS)
    assert {row[1:] for row in found} == {("firing", SEEN, None)}


@pytest.mark.parametrize("key", KEYS)
def test_each_key_finds_its_own_row_only(filled: Engine, key: str) -> None:
    with filled.connect() as connection:
        assert [row[0] for row in _by_key.rows(connection, [key])] == [key]


def test_keys_that_nobody_has_find_nothing(filled: Engine) -> None:
    with filled.connect() as connection:
        assert list(_by_key.rows(connection, ["nobody's", "\\"])) == []

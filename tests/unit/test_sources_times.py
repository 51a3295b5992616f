"""Times as Go writes them, and all that is no time."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.sources.times import latest_start, parse_start, parse_time

RECEIVED_AT = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)

offsets = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(datetime(2000, 1, 2), datetime(9998, 12, 30), timezones=offsets)  # noqa: DTZ001 - the strategy adds the zone


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-21T08:05:47Z", datetime(2026, 11, 21, 8, 5, 47, tzinfo=UTC)),
        ("2026-11-21T08:05:47.5Z", datetime(2026, 11, 21, 8, 5, 47, 500_000, tzinfo=UTC)),
        ("2026-11-21T08:05:47.60797Z", datetime(2026, 11, 21, 8, 5, 47, 607_970, tzinfo=UTC)),
        ("2026-11-21T08:05:47.123456789Z", datetime(2026, 11, 21, 8, 5, 47, 123_456, tzinfo=UTC)),
        ("2026-11-21T08:05:47.999999999Z", datetime(2026, 11, 21, 8, 5, 47, 999_999, tzinfo=UTC)),
        ("2026-11-21T08:05:47+02:00", datetime(2026, 11, 21, 6, 5, 47, tzinfo=UTC)),
        ("2026-11-21T08:05:47.1-11:30", datetime(2026, 11, 21, 19, 35, 47, 100_000, tzinfo=UTC)),
        ("2026-11-21t08:05:47z", datetime(2026, 11, 21, 8, 5, 47, tzinfo=UTC)),
        ("2000-01-01T00:00:00Z", datetime(2000, 1, 1, tzinfo=UTC)),
    ],
)
def test_gos_times_are_read_in_utc_and_cut_to_microseconds(text, moment):
    read = parse_time(text)
    assert read == moment
    assert read.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+02:00",
        "9999-12-31T23:59:59-02:00",
        "1999-12-31T23:59:59.999999Z",
        "2026-02-30T00:00:00Z",
        "2026-11-21T25:00:00Z",
        "2026-11-21T08:05:47+25:00",
        "2026-11-21T08:05:47",
        "2026-11-21",
        "1700000000",
        "yesterday",
        "٢٠٢٦-11-21T08:05:47Z",
        "2026-11-21T08:05:47.\x00Z",
        "2026-11-21T08:05:47." + "1" * 1_000_000 + "Z",
    ],
)
def test_what_is_no_time_is_none(text):
    assert parse_time(text) is None


@given(st.text(max_size=45) | st.from_regex(r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,14}[Z+-][0-9:]{0,5}\Z"))
def test_no_text_makes_it_raise(text):
    moment = parse_time(text)
    assert moment is None or (moment.tzinfo is UTC and moment.year >= 2000)


@given(moments)
def test_every_moment_is_read_back(moment):
    assert parse_time(moment.isoformat()) == moment


@pytest.mark.parametrize(
    ("text", "believed"),
    [
        ("2026-11-22T09:00:00Z", True),
        ("2026-11-22T09:00:00.000001Z", False),
        ("9999-12-31T23:59:59Z", False),
        ("2020-01-01T00:00:00Z", True),
    ],
)
def test_a_start_is_believed_up_to_a_day_ahead(text, believed):
    assert (parse_start(text, latest_start(RECEIVED_AT)) is not None) is believed

"""Times, lists and cursors of the API."""

from datetime import UTC, datetime, timedelta, timezone

import marshmallow as ma
import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.errors import InvalidField
from receiver.storage.incident_queries import After
from receiver.web.api import cursor
from receiver.web.api.fields import CommaList, Moment

NINE = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-21T09:00:00Z", NINE),
        ("2026-11-21t09:00:00z", NINE),
        ("2026-11-21 09:00:00Z", NINE),
        ("2026-11-21T11:30:00+02:30", NINE),
        ("2026-11-21T11:30:00 02:30", NINE),  # what a URL makes of +
        ("2026-11-21T04:00:00-05:00", NINE),
        ("2026-11-21T09:00:00.5Z", NINE + timedelta(milliseconds=500)),
        ("2026-11-21T09:00:00.123456789Z", NINE + timedelta(microseconds=123456)),
    ],
)
def test_a_time_is_read_as_rfc_3339(text, moment):
    assert Moment().deserialize(text) == moment


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-11-21",
        "2026-11-21T09:00:00",
        "2026-11-21T09:00Z",
        "2026-13-21T09:00:00Z",
        "20261121T090000Z",
        "2026-11-21T25:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "1700000000",
        "٢٠٢٦-11-21T09:00:00Z",
    ],
)
def test_anything_else_is_no_time(text):
    with pytest.raises(ma.ValidationError):
        Moment().deserialize(text)


def test_a_time_is_written_in_utc_with_its_zone():
    assert (
        Moment().serialize("at", {"at": NINE.astimezone(timezone(timedelta(hours=2)))})
        == "2026-11-21T09:00:00.000Z"
    )
    assert Moment().serialize("at", {"at": None}) is None


@pytest.mark.parametrize(
    ("given_values", "values"),
    [(["a"], ["a"]), (["a,b"], ["a", "b"]), (["a", "b, c"], ["a", "b", "c"]), ([""], []), ([",a,,"], ["a"])],
)
def test_several_values_come_with_commas_or_repeated(given_values, values):
    assert CommaList(ma.fields.String()).deserialize(given_values) == values


moments = st.datetimes(timezones=st.just(UTC))


@given(moments, st.text(st.characters(max_codepoint=127), max_size=40))
def test_a_cursor_comes_back_as_it_went(moment, row_id):
    assert cursor.read_row("alerts", cursor.after_row("alerts", moment, row_id)) == After(moment, row_id)


@given(st.integers(1, 10**17))
def test_the_cursor_of_a_timeline_comes_back_as_it_went(event_id):
    assert cursor.read_event(cursor.after_event(event_id)) == event_id


@given(st.text() | st.binary().map(lambda raw: raw.hex()))
def test_any_other_text_is_no_cursor(text):
    for read in (cursor.read_event, lambda other: cursor.read_row("incidents", other)):
        with pytest.raises(InvalidField, match="next_cursor") as refused:
            read(text)
        assert refused.value.field == "cursor"


def test_a_cursor_of_one_list_is_none_of_another():
    with pytest.raises(InvalidField):
        cursor.read_row("incidents", cursor.after_row("alerts", NINE, "x"))
    with pytest.raises(InvalidField):
        cursor.read_event(cursor.after_row("alerts", NINE, "5"))


def test_the_first_page_needs_no_cursor():
    assert cursor.read_row("incidents", None) is None
    assert cursor.read_event(None) == 0

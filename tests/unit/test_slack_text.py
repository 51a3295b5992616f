"""Text from alerts stays text: it is shown as it is written and can neither format, link nor ping."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.notifiers.plain_text import clean, duration
from receiver.notifiers.slack_text import code, escape, line, lines, link, moment, size

BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
ANY_TEXT = st.text(st.characters())  # surrogates too


def unescape(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("<!channel>", "&lt;!channel&gt;"),
        ("<@U123>", "&lt;@U123&gt;"),
        ("<http://x|y>", "&lt;http://x|y&gt;"),
        ("&lt;!here&gt;", "&amp;lt;!here&amp;gt;"),
        ("a & b && c", "a &amp; b &amp;&amp; c"),
    ],
)
def test_what_would_be_a_command_is_text(text, escaped):
    assert escape(text) == line(text, 1000) == lines(text, 1000) == escaped


@given(ANY_TEXT)
def test_whatever_is_visible_can_be_read_as_it_was_written(text):
    assert unescape(lines(text, 10_000)) == clean(text)


@given(ANY_TEXT)
def test_nothing_invisible_gets_through(text):
    for character in clean(text):
        assert character == "\n" or unicodedata.category(character) not in ("Cc", "Cs", "Zl", "Zp")
        assert unicodedata.bidirectional(character) not in BIDI


@pytest.mark.parametrize(
    "character", "\x00\x07\x1b\x7f\x9b\u200b\u200e\u200f\u202e\u2066\u2069\u061c\ufeff\ud800\U000e0041"
)
def test_each_invisible_character_is_gone(character):
    assert clean(f"a{character}b") == "ab"


def test_joiners_stay_because_emoji_and_scripts_need_them():
    assert clean("👩‍💻 می‌خواهم") == "👩‍💻 می‌خواهم"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\x0b", "\x0c", "\x85", "\u2028", "\u2029"])
def test_every_line_end_is_one(end):
    assert clean(f"one{end}two") == "one\ntwo"
    assert line(f"one{end}two", 100) == "one two"


def test_a_pile_of_empty_lines_is_one():
    assert clean("  one \n \n\t\n\n two\n\n") == "one\n\n two"


@given(ANY_TEXT, st.integers(10, 60))
def test_a_cut_text_fits_and_ends_in_no_half_entity(text, limit):
    cut = line(text, limit)
    assert size(cut) <= limit
    assert "&" not in re.sub("&(amp|lt|gt);", "", cut)


@given(st.text("&<>a🔥", min_size=1), st.integers(10, 60))
def test_a_cut_text_is_the_beginning_of_the_whole_one(text, limit):
    cut = lines(text, limit)
    if cut.endswith("…"):
        assert clean(text).startswith(unescape(cut[:-1]))
        assert size(escape(clean(text))) > limit
    else:
        assert unescape(cut) == clean(text)


def test_a_text_that_just_fits_is_not_cut():
    assert line("x" * 50, 50) == "x" * 50
    assert line("<" * 10, 40) == "&lt;" * 10
    assert line("<" * 11, 40) == "&lt;" * 9 + "…"
    assert line("x" * 51, 50) == "x" * 49 + "…"


def test_an_emoji_counts_as_two():
    assert size("🔥") == 2
    assert line("🔥" * 26, 50) == "🔥" * 24 + "…"


def test_nothing_formats_inside_a_code_span():
    assert code("*bold* _it_ ~no~ `code` ```block```", 100) == "`*bold* _it_ ~no~ 'code' '''block'''`"
    assert code("two\nlines", 100) == "`two lines`"
    assert code(" \u200b ", 100) == ""


@given(ANY_TEXT, st.integers(10, 60))
def test_a_code_span_is_one_span_and_fits(text, limit):
    span = code(text, limit)
    assert span == "" or re.fullmatch(r"`[^`\n]+`", span)
    assert size(span) <= limit


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://wiki.example/runbook?a=1&b=2#x", "<https://wiki.example/runbook?a=1&amp;b=2#x|Runbook>"),
        ("http://grafana:3000/d/uid", "<http://grafana:3000/d/uid|Runbook>"),
        ("HTTPS://Wiki.example/ü", "<HTTPS://Wiki.example/ü|Runbook>"),
    ],
)
def test_a_web_address_becomes_a_link(url, shown):
    assert link(url, "Runbook") == shown


@pytest.mark.parametrize(
    "url",
    [
        "",
        "wiki.example/runbook",
        "/runbook",
        "//wiki.example/runbook",
        "javascript:alert(1)",
        "data:text/html,x",
        "ftp://wiki.example/x",
        "file:///etc/passwd",
        "https://",
        "https:///x",
        "https://x y",
        "https://x\n/y",
        "https://x/a|b",
        "https://x/a>b",
        "https://x/<!channel>",
        "https://x/`y`",
        'https://x/"y"',
        "https:\\\\x\\y",
        "https://x/\u202egnp",
        "https://x/\x00",
        "https://[::1",
        "https://x:99999/",
        "https://user:password@x/",
        "https://slack.com@evil.example/",
        "https://x/" + "y" * 2000,
    ],
)
def test_anything_else_is_no_link(url):
    assert link(url, "Runbook") is None


@given(ANY_TEXT)
def test_no_address_breaks_out_of_its_link(text):
    found = link("https://x/" + text, "Runbook")
    assert found is None or re.fullmatch(r"<https://x/[^\s|<>]*\|Runbook>", found)


def test_a_time_is_shown_in_the_readers_zone():
    berlin = timezone(timedelta(hours=1))
    expected = "<!date^1795230000^{date_short_pretty} {time}|2026-11-21 03:00 UTC>"
    assert moment(datetime(2026, 11, 21, 3, 0, tzinfo=UTC)) == expected
    assert moment(datetime(2026, 11, 21, 4, 0, tzinfo=berlin)) == expected
    assert moment(datetime(2026, 11, 21, 3, 0)) == expected  # noqa: DTZ001 - some engines give times without a zone


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.9, "0 s"),
        (-5, "0 s"),
        (45, "45 s"),
        (60, "1 min"),
        (750, "12 min 30 s"),
        (3600, "1 h"),
        (3605, "1 h"),
        (11100, "3 h 5 min"),
        (86399, "23 h 59 min"),
        (187200, "2 d 4 h"),
        (8640000, "100 d"),
    ],
)
def test_a_duration_is_told_as_people_say_it(seconds, text):
    assert duration(timedelta(seconds=seconds)) == text

"""The incident key: no two tuples share a text, and the hash is the documented one."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.domain.key import episode_key, incident_key, key_text

# Separators and escapes in every second character: where two tuples might meet.
tricky = st.text(st.sampled_from("|\\ab") | st.characters(codec="utf-8"), max_size=8)
tuples = st.tuples(tricky, tricky, tricky, tricky, tricky)


def split_again(text):
    r"""The tuple under a key text: `\` makes the next character literal, a bare `|` ends a part."""
    parts, characters = [""], iter(text)
    for character in characters:
        if character == "|":
            parts.append("")
        else:
            parts[-1] += next(characters) if character == "\\" else character
    return tuple(parts)


@given(tuples)
def test_the_tuple_can_be_read_back_from_its_text(parts):
    assert split_again(key_text(*parts)) == parts


@given(tuples, tuples)
def test_two_tuples_share_a_text_only_if_they_are_equal(one, other):
    assert (key_text(*one) == key_text(*other)) == (one == other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("u", "a|b", "c", "d", ""), ("u", "a", "b|c", "d", "")),
        (("u", "a\\", "b", "", ""), ("u", "a", "\\b", "", "")),
        (("u", "a\\|b", "", "", ""), ("u", "a\\", "b", "", "")),
        (("u", "", "", "", "|"), ("u", "", "", "|", "")),
    ],
)
def test_separators_inside_values_do_not_move_the_borders(one, other):
    assert incident_key(*one) != incident_key(*other)


def test_the_key_is_the_documented_hash():
    wanted = sha256(b"cfk1w8m2p4tq8e|prod-eu1|checkout|api|canary").hexdigest()[:16]
    assert incident_key("cfk1w8m2p4tq8e", "prod-eu1", "checkout", "api", "canary") == wanted


def test_a_missing_value_is_the_empty_string():
    assert key_text("uid", "", "", "", "") == "uid||||"


@pytest.mark.parametrize(
    ("value", "escaped"), [("a|b", "a\\|b"), ("a\\b", "a\\\\b"), ("\\|", "\\\\\\|"), ("||", "\\|\\|")]
)
def test_bars_and_backslashes_are_escaped(value, escaped):
    assert key_text("uid", value, "", "", "") == f"uid|{escaped}|||"


@given(tuples)
def test_the_key_is_16_lower_case_hex_digits(parts):
    key = incident_key(*parts)
    assert len(key) == 16
    assert set(key) <= set("0123456789abcdef")


def test_case_counts():
    assert incident_key("Uid", "", "", "", "") != incident_key("uid", "", "", "", "")


def test_the_key_is_over_utf_8():
    wanted = sha256("am:警報 🔥|ünï|||".encode()).hexdigest()[:16]
    assert incident_key("am:警報 🔥", "ünï", "", "", "") == wanted


def test_episodes_of_one_incident_share_its_prefix_and_differ_by_source_and_fingerprint():
    keys = {
        episode_key("0123456789abcdef", source, fingerprint)
        for source in ("grafana", "alertmanager")
        for fingerprint in ("f1", "f2")
    }
    assert len(keys) == 4
    assert all(key.startswith("0123456789abcdef-") and len(key) == 33 for key in keys)

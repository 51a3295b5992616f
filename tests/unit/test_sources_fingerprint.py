"""Fingerprints: as sent where they look like one, else made so that the same alert has the same one."""

import pytest

from receiver.sources.fingerprint import fingerprint_of, labels_fingerprint

LABELS = {"alertname": "TestAlert", "instance": "Grafana"}


@pytest.mark.parametrize("sent", ["57c6d9296de2ad39", "A:b_c.d-e", "x", "f" * 64])
def test_a_usual_fingerprint_is_kept_as_sent(sent):
    assert fingerprint_of(sent, LABELS) == sent


def test_a_missing_one_is_computed_as_prometheus_does():
    # Grafana's own for its test alert, from TestAlert's labels.
    assert fingerprint_of(None, LABELS) == fingerprint_of("", LABELS) == "57c6d9296de2ad39"


def test_no_labels_give_the_offset_basis_of_fnv():
    assert labels_fingerprint({}) == "cbf29ce484222325"


def test_the_order_of_labels_does_not_count():
    assert labels_fingerprint(dict(reversed(LABELS.items()))) == labels_fingerprint(LABELS)


def test_the_borders_between_labels_count():
    assert labels_fingerprint({"ab": "c"}) != labels_fingerprint({"a": "bc"})


@pytest.mark.parametrize("sent", ["with space", "ünï", "x" * 65, "x" * 1_000_000, "a\n", "<!channel>", "a|b"])
def test_an_odd_one_becomes_a_digest_of_itself(sent):
    made = fingerprint_of(sent, LABELS)
    assert len(made) == 32
    assert set(made) <= set("0123456789abcdef")
    assert made == fingerprint_of(sent, {})
    assert made != fingerprint_of(sent + "x", LABELS)

"""A signature rules out most that is not there, and nothing that is."""

from __future__ import annotations

import random

import pytest

from receiver.domain.text_signature import Sought, signature_of

LETTERS = "abcdefgh XYZ019-_/%'\tÄéßøИ日💥"


@pytest.mark.parametrize("seed", range(40))
def test_every_part_of_every_text_may_be_there_in_any_case(seed: int) -> None:
    chance = random.Random(seed)
    texts = ["".join(chance.choices(LETTERS, k=chance.randint(0, 40))) for _ in range(20)]
    signature = signature_of(texts)
    for text in texts:
        low, high = sorted(chance.choices(range(len(text) + 1), k=2))
        part = text[low:high]
        assert Sought(part).may_be_in(signature)
        assert Sought(part.upper()).may_be_in(signature)


@pytest.mark.parametrize("said", ["Störung in Zürich", "STÖRUNG IN ZÜRICH"])
def test_what_a_database_may_take_for_the_same_letter_may_be_there(said: str) -> None:
    signature = signature_of([said])
    for text in ("storung", "Störung", "in zur", "ZÜRICH"):
        assert Sought(text).may_be_in(signature), text


def test_what_is_in_none_of_the_texts_is_ruled_out() -> None:
    signature = signature_of(["Disk is 100% full", "checkout", "INC-20261121090000-00000000000000ab"])
    for text in ("disk was", "checkin", "100% empty", "INC-20251121"):
        assert not Sought(text).may_be_in(signature), text


@pytest.mark.parametrize("text", ["", "ab", "日本語", "äöü"])
def test_a_text_that_rules_out_nothing_says_so(text: str) -> None:
    assert not Sought(text).is_telling and Sought(text).may_be_in(signature_of([]))

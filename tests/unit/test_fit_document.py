"""Labels and annotations as a JSON column of every engine can take them."""

from __future__ import annotations

from receiver.storage.text import ELLIPSIS, fit_document


def test_what_is_of_a_usual_size_stays_as_it_is() -> None:
    document = {"alertname": "CpuHigh", "description": "x" * 50_000}
    assert fit_document(document) is document


def test_many_names_are_kept_with_their_values() -> None:
    document = {f"label_{number:04}": "y" * 40 for number in range(2_000)}
    assert fit_document(document) == document


def test_a_name_that_is_longer_than_mysql_takes_is_cut() -> None:
    found = fit_document({"é" * 40_000: "a", "service": "db"})
    assert list(found.values()) == ["a", "db"]
    name, other = found
    assert name.endswith(ELLIPSIS) and len(name.encode()) < 65_535
    assert other == "service"


def test_a_huge_document_says_how_much_is_left_out() -> None:
    found = fit_document({f"label_{number:06}": "z" * 100 for number in range(20_000)})
    assert found[ELLIPSIS] == f"{20_000 - len(found) + 1} more"

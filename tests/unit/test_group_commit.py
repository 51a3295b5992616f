"""Group commit: one transaction for all that wait, and nobody suffers for a neighbour."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from receiver.errors import StorageUnavailable
from receiver.services.group_commit import GroupCommit


class Gate:
    """Work that waits at a gate in its first batch, so that others pile up behind it."""

    def __init__(self, refuse: Callable[[int], Exception | None] = lambda item: None) -> None:
        self.entered, self.open = threading.Event(), threading.Event()
        self.batches: list[list[int]] = []
        self._refuse = refuse

    def __call__(self, batch: Sequence[int]) -> list[int]:
        self.batches.append(list(batch))
        if len(self.batches) == 1:
            self.entered.set()
            assert self.open.wait(10)
        for item in batch:
            if error := self._refuse(item):
                raise error
        return [item * 10 for item in batch]


def submit_behind_the_gate(group: GroupCommit[int, int], gate: Gate, items: Sequence[int]) -> list[object]:
    """Item 0 holds the gate while `items` pile up; returns their results or exceptions, in order."""
    with ThreadPoolExecutor(len(items) + 1) as pool:
        first = pool.submit(group.submit, 0)
        assert gate.entered.wait(10)
        futures = [pool.submit(group.submit, item) for item in items]
        while len(group._waiting) < len(items):
            pass
        gate.open.set()
        assert first.result() == 0
        return [future.exception() or future.result() for future in futures]


def test_all_that_wait_share_one_batch_and_each_gets_its_own_result() -> None:
    gate = Gate()
    results = submit_behind_the_gate(GroupCommit(gate, lambda item: 1), gate, [1, 2, 3, 4])
    assert results == [10, 20, 30, 40]
    assert [sorted(batch) for batch in gate.batches] == [[0], [1, 2, 3, 4]]


def test_a_bad_member_fails_alone() -> None:
    gate = Gate(lambda item: ValueError("bad") if item == 2 else None)
    results = submit_behind_the_gate(GroupCommit(gate, lambda item: 1), gate, [1, 2, 3])
    assert [results[0], results[2]] == [10, 30]
    assert isinstance(results[1], ValueError)
    assert sorted(map(len, gate.batches)) == [1, 1, 1, 1, 3]


def test_when_the_database_is_away_nobody_is_tried_again_alone() -> None:
    gate = Gate(lambda item: StorageUnavailable("away") if item else None)
    results = submit_behind_the_gate(GroupCommit(gate, lambda item: 1), gate, [1, 2, 3])
    assert [type(result) for result in results] == [StorageUnavailable] * 3
    assert len(gate.batches) == 2


def test_a_batch_ends_where_its_weight_does_and_a_heavy_item_goes_alone() -> None:
    gate = Gate()
    group = GroupCommit(gate, lambda item: 50 if item == 3 else 4, largest_weight=10)
    assert submit_behind_the_gate(group, gate, [1, 2, 3, 4]) == [10, 20, 30, 40]
    assert all(len(batch) == 1 for batch in gate.batches if 3 in batch)
    assert all(len(batch) <= 2 for batch in gate.batches)


def test_it_goes_on_after_a_failure() -> None:
    group: GroupCommit[int, float] = GroupCommit(lambda batch: [1 / item for item in batch], lambda item: 1)
    with pytest.raises(ZeroDivisionError):
        group.submit(0)
    assert group.submit(2) == 0.5

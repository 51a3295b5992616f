"""disk.cleanup: old files removed from a folder that the operator has allowed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from receiver.clock import Clock, utc_now
from receiver.domain.action import Order, Parameter, Plan, Result, Signature, Type
from receiver.errors import DeliveryFailed
from receiver.remediation.base import LONGEST_TARGET, shown
from receiver.remediation.old_files import old_files, opened, remove

SETTING = "RECEIVER_REMEDIATION_PATHS"
DEFAULT_MOST, MOST_FILES = 1000, 100_000


class CleanDisk:
    """Removes files by age. Links are neither followed nor removed, other file systems are not entered."""

    signature = Signature(
        name="disk.cleanup",
        help=f"Removes old files below a folder of `{SETTING}`, on the machine of the worker.",
        required=("path",),
        parameters=(
            Parameter(
                "older_than_hours",
                Type.INTEGER,
                "hours since the file was last changed",
                is_required=True,
                least=1,
                most=10 * 8760,
            ),
            Parameter("pattern", Type.TEXT, "for the file's name, as `*.log`; all by default"),
            Parameter("most", Type.INTEGER, "how many at most; 1000 by default", least=1, most=MOST_FILES),
        ),
    )

    def __init__(self, allowed: Sequence[Path], clock: Clock = utc_now) -> None:
        self._allowed = tuple(Path(os.path.normpath(path)) for path in allowed)
        self._clock = clock

    def mistakes(self, order: Order) -> list[str]:
        """See Action.mistakes."""
        problems = self.signature.problems(order)
        if not problems and not _is_straight(text := order.target["path"]):
            problems.append(
                f"target.path: {shown(text)} must begin with /, and hold no .. and nothing but names"
            )
        return problems or _pattern_flaws(order)

    def check(self, order: Order) -> list[str]:
        """See Action.check."""
        problems = self.signature.problems(order)
        if problems:
            return problems
        text = order.target["path"]
        if self._root(text) is None:
            known = ", ".join(map(str, self._allowed)) or "none"
            problems.append(f"target.path: {shown(text)} is not in a folder of {SETTING}; it has {known}")
        return problems + _pattern_flaws(order)

    def target_text(self, order: Order) -> str:
        """See Action.target_text."""
        return f"disk:{order.target['path']}"[:LONGEST_TARGET]

    def system(self, order: Order) -> str:
        """The machine's own file system."""
        return "disk"

    def plan(self, order: Order) -> Plan:
        """Looks for the files."""
        before = self._before(order)
        with self._folder(order) as folder:
            found = old_files(folder, *self._which(order, before))
        states = {"files": len(found), "bytes": sum(one.size for one in found)}, {"files": 0, "bytes": 0}
        place = order.target["path"]
        if not found:
            return Plan(f"no file in {place} is old enough", *states, is_noop=True)
        text = f"remove {len(found)} files in {place} ({states[0]['bytes']} bytes), as {found[0].path}"
        return Plan(text, *states, token=(tuple(found), before))

    def run(self, order: Order, plan: Plan) -> Result:
        """Removes what the plan found, as far as it is as old still. A second try removes what is left."""
        if plan.is_noop:
            return Result(plan.text, plan.to_state)
        files, before = plan.token
        with self._folder(order) as folder:
            count, size, failed = remove(folder, list(files), before)
        if failed and not count:
            raise DeliveryFailed(f"none of {failed} files could be removed", permanent=True)
        left = f"; {failed} could not be removed" if failed else ""
        return Result(
            f"removed {count} files, {size} bytes{left}", {"removed": count, "bytes": size, "failed": failed}
        )

    def _folder(self, order: Order) -> AbstractContextManager[int]:
        path = order.target["path"]
        root = self._root(path)
        if root is None:
            raise DeliveryFailed("; ".join(self.check(order)), permanent=True)
        return opened(root, Path(path))

    def _root(self, text: str) -> Path | None:
        """The allowed folder that a path lies in. A path with `..`, or another way round, lies in none."""
        if not _is_straight(text):
            return None
        path = Path(text)
        return next((root for root in self._allowed if path == root or root in path.parents), None)

    def _which(self, order: Order, before: float) -> tuple[str, float, int]:
        given = order.parameters
        return given.get("pattern", "*"), before, given.get("most", DEFAULT_MOST)

    def _before(self, order: Order) -> float:
        """The Unix time before which a file is old."""
        return self._clock().timestamp() - int(order.parameters["older_than_hours"]) * 3600


def _is_straight(text: str) -> bool:
    return "\0" not in text and os.path.normpath(text) == text.rstrip("/") and text.startswith("/")


def _pattern_flaws(order: Order) -> list[str]:
    pattern = order.parameters.get("pattern", "*")
    if pattern and "/" not in pattern and len(pattern) <= 100:
        return []
    return ["pattern: must be 1 to 100 characters for a file's name, without a /"]

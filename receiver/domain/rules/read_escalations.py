"""The section `escalations` of a rules file: policies by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import pairwise

from receiver.domain.escalation import EscalationPolicy, EscalationStep
from receiver.domain.rules.document import Node, Sequence, Table, kind_of
from receiver.domain.rules.entries import Entries
from receiver.domain.rules.problem import Problem, quoted

MOST_POLICIES = 100
MOST_STEPS = 20
# The name becomes a part of keys, which are ASCII and of limited length.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")
_KEYS = ("steps", "acknowledgement_expires")
_STEP_KEYS = ("after", "channels")


def read_escalations(
    node: Node, problems: list[Problem], flaw_of_channel: Callable[[str], str | None]
) -> Mapping[str, EscalationPolicy]:
    """The policies. They count only if no problem was noted. `flaw_of_channel`: why a channel cannot be told."""
    if not isinstance(node, Table):
        problems.append(
            node.problem(f"escalations must be a table of policies by name, this is {kind_of(node)}")
        )
        return {}
    if len(node.entries) > MOST_POLICIES:
        problems.append(node.problem(f"there are {len(node.entries)} policies, {MOST_POLICIES} are allowed"))
        return {}
    policies = {}
    for key, value in node.entries.values():
        if not _NAME.fullmatch(key.value):
            problems.append(
                key.problem(
                    f"{quoted(key.value)} is no name for a policy; it must be at most 32 letters, digits, _ . -"
                )
            )
        policies[key.value] = _Reader(problems, flaw_of_channel).policy(value)
    return policies


class _Reader:
    def __init__(self, problems: list[Problem], flaw_of_channel: Callable[[str], str | None]) -> None:
        self._problems = problems
        self._flaw_of_channel = flaw_of_channel

    def policy(self, node: Node) -> EscalationPolicy:
        entries = Entries(node, self._problems, "a policy", _KEYS)
        expires = entries.seconds("acknowledgement_expires", least=60)
        if "steps" not in entries:
            if isinstance(node, Table):
                entries.missing("steps", "it is the list of whom to tell, and after how long")
            return EscalationPolicy(())
        return EscalationPolicy(tuple(self._steps(entries)), expires)

    def _steps(self, entries: Entries) -> list[EscalationStep]:
        listed = entries.value("steps")
        if not isinstance(listed, Sequence) or not listed.items:
            where = listed or entries.node
            expected = "steps must be a list, as in [{after: 0m, channels: [slack]}]"
            entries.note(where, f"{expected}, this is {kind_of(where)}")
            return []
        if len(listed.items) > MOST_STEPS:
            entries.note(listed, f"there are {len(listed.items)} steps, {MOST_STEPS} are allowed")
            return []
        found = [(item, self._step(item)) for item in listed.items]
        for (_, before), (item, step) in pairwise(found):
            if before and step and step.after_seconds <= before.after_seconds:
                entries.note(
                    item,
                    "each step must come after the one before it; after counts from the beginning,"
                    " and who is told at the same time stands in one step",
                )
        return [step for _, step in found if step]

    def _step(self, node: Node) -> EscalationStep | None:
        """None where its time is not known."""
        entries = Entries(node, self._problems, "a step", _STEP_KEYS)
        if not isinstance(node, Table):
            return None
        after = entries.seconds("after", least=0)
        if "after" not in entries:
            entries.missing("after", "it says how long after the beginning, as in 0m or 15m")
        if "channels" not in entries:
            entries.missing("channels", "it is the list of the channels that are told")
        channels = []
        for item in entries.texts("channels", "a list of channels"):
            flaw = self._flaw_of_channel(item.value)
            if flaw is not None:
                entries.note(item, flaw)
            channels.append(item.value)
        return None if after is None else EscalationStep(after, tuple(dict.fromkeys(channels)))

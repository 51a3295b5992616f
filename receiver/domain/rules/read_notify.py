"""The effect `notify` of a rule: which channels, with which text, how loudly."""

from __future__ import annotations

import re
from collections.abc import Collection

from receiver.domain.events import EventType
from receiver.domain.rules.document import Node
from receiver.domain.rules.entries import Entries
from receiver.domain.rules.known import ALL_CHANNELS, Channels, Known
from receiver.domain.rules.model import Notice
from receiver.domain.rules.problem import Problem, quoted, unknown

_KEYS = ("channels", "template", "quiet")
# The name of a folder's file, without its ending: nothing that could lead out of the folder.
_WORDING = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def read_notify(
    node: Node, problems: list[Problem], known: Known, events: Collection[EventType]
) -> Notice | None:
    """Whom a rule for these events tells, and how; None where the channels are missing."""
    entries = Entries(node, problems, "notify", _KEYS, "{channels: [slack]}")
    wording = entries.text("template", "the name of a file in RECEIVER_TEMPLATES_DIR")
    if wording is not None and not _WORDING.fullmatch(wording.value):
        entries.note(
            wording,
            f"{quoted(wording.value)} is no name for a template; it must be at most 64 letters, digits, _ and -",
        )
    elif wording is not None and known.wordings is not None and wording.value not in known.wordings:
        entries.note(
            wording,
            f"{_unknown(wording.value, known.wordings)}; a file in RECEIVER_TEMPLATES_DIR gives one its name",
        )
    names = _channels(entries, known.channels, events)
    if names is None:
        return None
    return Notice(names, wording.value if wording else "", entries.flag("quiet"))


def _unknown(name: str, known: Collection[str]) -> str:
    return unknown("template", name, known) if known else f"unknown template {quoted(name)}; there are none"


def _channels(entries: Entries, channels: Channels, events: Collection[EventType]) -> tuple[str, ...] | None:
    listed = entries.value("channels")
    if listed is None:
        if entries.is_table:
            entries.missing("channels", f"it is a list of channels, or {ALL_CHANNELS}")
        return None
    items = list(entries.texts("channels", f"a list of channels, or {ALL_CHANNELS}"))
    names = [item.value for item in items]
    if ALL_CHANNELS in names:
        if len(names) > 1:
            entries.note(listed, f"{ALL_CHANNELS} stands alone: it means every channel that is configured")
        return ()
    for item in items:
        flaw = channels.flaw_of(item.value, events)
        if flaw is not None:
            entries.note(item, flaw)
    return tuple(dict.fromkeys(names))

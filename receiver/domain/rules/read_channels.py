"""The section `channels:` of a rules file: `db-team: {slack: "#db-alerts"}`, `managers: {email: [a@example.org]}`."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from receiver.domain.channel import CHANNEL_NAME, NAMED_KINDS, RESERVED, SLACK_CHANNEL, ChannelSpec, Kind
from receiver.domain.mail_server import parse_mailbox
from receiver.domain.rules.document import Node, Sequence, Table, Text, kind_of
from receiver.domain.rules.problem import Problem, quoted, unknown

MOST_CHANNELS = 50
MOST_RECIPIENTS = 50
_NEEDED = {
    Kind.SLACK: "RECEIVER_SLACK_BOT_TOKEN (an incoming webhook posts to one channel only)",
    Kind.EMAIL: "RECEIVER_SMTP_URL",
}
_EXAMPLE = 'as in {slack: "#db-alerts"} or {email: [ops@example.org]}'


def read_channels(
    node: Node,
    problems: list[Problem],
    kinds: Collection[str] | None = None,
    taken: Collection[str] = (),
) -> Mapping[str, ChannelSpec]:
    """The channels by name; they count only if no problem was noted.

    `kinds`: those of which the settings allow more; None: all, for a look at a file that is meant for elsewhere.
    `taken`: names that belong to other channels already.
    """
    reader = _Reader(problems, kinds, frozenset(taken) | RESERVED)
    if not isinstance(node, Table):
        problems.append(node.problem(f"channels must be a table of names, this is {kind_of(node)}"))
        return {}
    if len(node.entries) > MOST_CHANNELS:
        problems.append(node.problem(f"there are {len(node.entries)} channels, {MOST_CHANNELS} are allowed"))
        return {}
    specs = (reader.channel(key, value) for key, value in node.entries.values())
    return {spec.name: spec for spec in specs if spec is not None}


class _Reader:
    def __init__(
        self, problems: list[Problem], kinds: Collection[str] | None, taken: Collection[str]
    ) -> None:
        self._problems = problems
        self._kinds = kinds
        self._taken = taken

    def channel(self, key: Text, node: Node) -> ChannelSpec | None:
        """One channel, None where nothing can be made of it."""
        if not CHANNEL_NAME.fullmatch(key.value):
            self._note(key, f"{quoted(key.value)} is no channel's name: 1 to 24 of a-z, 0-9 and -")
        elif key.value in self._taken:
            self._note(key, f"the name {quoted(key.value)} belongs to another channel")
        if not isinstance(node, Table) or len(node.entries) != 1:
            self._note(node, f"a channel must be one kind and where it leads, {_EXAMPLE}")
            return None
        ((word, target),) = node.entries.values()
        if word.value not in NAMED_KINDS:
            self._note(word, unknown("kind of channel", word.value, NAMED_KINDS))
            return None
        kind = Kind(word.value)
        if self._kinds is not None and kind not in self._kinds:
            self._note(word, f"such a channel needs {_NEEDED[kind]}")
        return ChannelSpec(
            key.value, kind, self._slack(target) if kind is Kind.SLACK else self._email(target)
        )

    def _slack(self, node: Node) -> tuple[str, ...]:
        if isinstance(node, Text) and SLACK_CHANNEL.fullmatch(node.value):
            return (node.value,)
        hint = 'a channel\'s id, as in C0123456789, or its name in quotes, as in "#db-alerts"'
        self._note(node, f"slack must be {hint}, this is {kind_of(node)}")
        return ()

    def _email(self, node: Node) -> tuple[str, ...]:
        items = node.items if isinstance(node, Sequence) else [node]
        if not 1 <= len(items) <= MOST_RECIPIENTS:
            self._note(node, f"email must be a list of 1 to {MOST_RECIPIENTS} addresses")
        return tuple(filter(None, map(self._address, items)))

    def _address(self, item: Node) -> str:
        try:
            return parse_mailbox(item.value if isinstance(item, Text) else "")
        except ValueError as error:
            self._note(item, f"email: {kind_of(item)} {error}")
        return ""

    def _note(self, node: Node, text: str) -> None:
        self._problems.append(node.problem(text))

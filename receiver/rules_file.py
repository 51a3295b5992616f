"""Reads the rules that are in force: those of RECEIVER_RULES, or the ones that come with this package."""

from __future__ import annotations

from collections.abc import Collection
from importlib import resources
from pathlib import Path

from receiver.config import Settings
from receiver.domain.action import Order
from receiver.domain.notification import Template
from receiver.domain.rules.document import LARGEST_CHARACTERS
from receiver.domain.rules.known import OrderCheck
from receiver.domain.rules.model import Audience, RuleSet
from receiver.domain.rules.parse import parse_rules
from receiver.domain.rules.problem import Problem
from receiver.errors import WrongRules
from receiver.notifiers.registry import WANTED, hearing, named_kinds
from receiver.notifiers.texts import wordings
from receiver.remediation.registry import CATALOGUE, build_actions, mistakes_of

_DEFAULT = "default.yml"
_REMEDIATION = "remediation.yml"
_BYTES_PER_CHARACTER = 4


def rules_of(settings: Settings) -> RuleSet:
    """The rules for `settings`, which may name configured channels only. Raises WrongRules with all mistakes."""
    return read_rules(settings.rules, settings, is_for_here=True)


def audience_of(settings: Settings) -> Audience:
    """The configured channels, and the messages that each has a use for; without those of the rules file itself."""
    return hearing(settings)


def read_rules(path: Path | None, settings: Settings | None = None, *, is_for_here: bool = False) -> RuleSet:
    """The rules in the file `path`, None for the default ones.

    `settings`: for the names of channels that nobody but them knows. `is_for_here`: only channels that they configure
    may be named. Raises WrongRules, and nothing else, for whatever the file holds, and if it cannot be read.
    """
    wanted = {**WANTED, **(hearing(settings) if settings else {})}
    return _read(path, wanted, settings if is_for_here else None, mistakes_of)


def check_rules(
    path: Path, settings: Settings, *, is_for_here: bool = False, elsewhere: Collection[str] = ()
) -> RuleSet:
    """Like `read_rules`, with what need not keep a receiver from its start.

    `is_for_here`: actions must be able to run here, and templates must be there. `elsewhere`: names of channels that
    exist where the rules are to run. Raises WrongRules, and SettingsError for what actions are set up with.
    """
    wanted = {**WANTED, **hearing(settings), **dict.fromkeys(elsewhere, frozenset(Template))}
    if not is_for_here:
        return _read(path, wanted, None, mistakes_of)
    actions = build_actions(settings)

    def mistakes_here(order: Order) -> list[str]:
        return actions[order.action].check(order)

    return _read(path, wanted, settings, mistakes_here, wordings(settings.templates_dir))


def unknown_wordings(rules: RuleSet, settings: Settings) -> list[tuple[str, str]]:
    """The rules that ask for a template which is not there, by name, and its name; the usual text is sent for it."""
    asked = [(rule.name, rule.notice.wording) for rule in rules.rules if rule.notice and rule.notice.wording]
    known = wordings(settings.templates_dir) if asked else frozenset[str]()
    return [(rule, wording) for rule, wording in asked if wording not in known]


def _read(
    path: Path | None,
    wanted: Audience,
    here: Settings | None,
    order_check: OrderCheck,
    known_wordings: Collection[str] | None = None,
) -> RuleSet:
    rules, problems = parse_rules(
        default_rules() if path is None else _text_of(path),
        wanted,
        here.channels if here else None,
        kinds=named_kinds(here) if here else None,
        actions=CATALOGUE,
        mistakes_of=order_check,
        wordings=known_wordings,
    )
    if rules is None:
        raise WrongRules([problem.at(str(path or _DEFAULT)) for problem in problems])
    return rules


def default_rules() -> str:
    """The text of the default rules."""
    return _shipped(_DEFAULT)


def remediation_rules() -> str:
    """The text of the default rules with those that mend common troubles."""
    return _shipped(_REMEDIATION)


def _shipped(name: str) -> str:
    return resources.files("receiver.domain.rules").joinpath(name).read_text(encoding="utf-8")


def _text_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            # One byte more than any file that is not too large: the parser says how large it may be.
            content = file.read(LARGEST_CHARACTERS * _BYTES_PER_CHARACTER + 1)
    except OSError as error:
        raise WrongRules(
            [f"{path}: the file cannot be read ({error.strerror or type(error).__name__})"]
        ) from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line = before.count(b"\n") + 1
        column = error.start - (before.rfind(b"\n") + 1) + 1
        raise WrongRules([Problem(line, column, "the file must be UTF-8 text").at(str(path))]) from None

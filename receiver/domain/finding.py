"""One thing that `receiver doctor` looked at: how it stands, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How a finding stands. Only `bad` makes the doctor's exit status 1."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """`subject` in one or two words, what was found in plain ones, and `advice`, empty where there is nothing to do."""

    level: Level
    subject: str
    text: str
    advice: str = ""


def ok(subject: str, text: str) -> Finding:
    """All is well."""
    return Finding(Level.OK, subject, text)


def warn(subject: str, text: str, advice: str) -> Finding:
    """It works, and should be better."""
    return Finding(Level.WARN, subject, text, advice)


def bad(subject: str, text: str, advice: str) -> Finding:
    """It does not work, or something that was promised may not hold."""
    return Finding(Level.BAD, subject, text, advice)

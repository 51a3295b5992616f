"""The files that texts come from: the shipped ones, and those of the user's folder that take their place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import resources
from pathlib import Path

# As rules name them.
_WORDING = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
LARGEST_CHARACTERS = 64 * 1024
MOST_FILES = 200
# How an included template says that it means the shipped one.
SHIPPED = "shipped/"


@dataclass(frozen=True, slots=True)
class Part:
    """One text of a message. `formats`: the endings that its file may have, the preferred one first.

    `is_body`: a wording's `NAME.txt` stands for it. `may_be_empty`: a message can do without it.
    """

    stem: str
    formats: tuple[str, ...] = ("txt",)
    is_body: bool = False
    may_be_empty: bool = False

    @property
    def files(self) -> tuple[str, ...]:
        """The names that its file may have."""
        return tuple(f"{self.stem}.{format_}" for format_ in self.formats)


SLACK_TITLE = Part("slack-title")
SLACK_PHONE = Part("slack-phone")
SLACK_TEXT = Part("slack-text", ("mrkdwn", "txt"), is_body=True, may_be_empty=True)
EMAIL_SUBJECT = Part("email-subject")
EMAIL_TEXT = Part("email-body", ("txt",), is_body=True)
EMAIL_HTML = Part("email-body", ("html",), is_body=True)
APPRISE_TITLE = Part("apprise-title")
APPRISE_BODY = Part("apprise-body", is_body=True)
PAGERDUTY_SUMMARY = Part("pagerduty-summary")
PARTS = (
    SLACK_TITLE,
    SLACK_PHONE,
    SLACK_TEXT,
    EMAIL_SUBJECT,
    EMAIL_TEXT,
    EMAIL_HTML,
    APPRISE_TITLE,
    APPRISE_BODY,
    PAGERDUTY_SUMMARY,
)
_BY_FILE: Mapping[str, Part] = {name: part for part in PARTS for name in part.files}


@dataclass(frozen=True, slots=True)
class Source:
    """The text of one template, and how errors call its place."""

    text: str
    place: str


@cache
def shipped() -> Mapping[str, Source]:
    """The templates that come with this package, by file name."""
    folder = resources.files("receiver.notifiers").joinpath("templates")
    return {
        entry.name: Source(entry.read_text(encoding="utf-8"), SHIPPED + entry.name)
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name in _BY_FILE
    }


def read_folder(folder: Path) -> tuple[dict[str, Source], list[str]]:
    """The templates of a user's folder by file name, and what is wrong with its files: `FILE: what`.

    Files whose names begin with a dot are left out, those that begin with _ are for others to include.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    except OSError as error:
        return {}, [f"{folder}: the folder cannot be read ({error.strerror or type(error).__name__})"]
    if len(paths) > MOST_FILES:
        return {}, [f"{folder}: there are {len(paths)} files, {MOST_FILES} are allowed"]
    found: dict[str, Source] = {}
    mistakes = []
    for path in paths:
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            why = "it is no UTF-8 text" if isinstance(error, UnicodeError) else error.strerror
            mistakes.append(f"{path}: the file cannot be read ({why})")
            continue
        flaw = _flaw(path.name, text)
        if flaw:
            mistakes.append(f"{path}: {flaw}")
        else:
            found[path.name] = Source(text, str(path))
    return found, mistakes


def part_of(file: str) -> Part | None:
    """The part that a file holds, also for a wording; None for a wording's `NAME.txt` and for what is included."""
    return _BY_FILE.get(file) or _BY_FILE.get(file.partition(".")[2])


def wording_of(file: str) -> str:
    """The wording that a file belongs to, empty for those that take the place of a shipped one."""
    name, _, rest = file.partition(".")
    of_wording = file not in _BY_FILE and (rest == "txt" or rest in _BY_FILE)
    return name if of_wording and _WORDING.fullmatch(name) else ""


def is_included(file: str) -> bool:
    """Whether a file is no message's text, only there for others to include."""
    return file.startswith("_")


def _flaw(file: str, text: str) -> str | None:
    if len(text) > LARGEST_CHARACTERS:
        return f"the file has {len(text)} characters, {LARGEST_CHARACTERS} are allowed"
    if is_included(file) or file in _BY_FILE or (part_of(file) and wording_of(file)):
        return None
    # A wording's name that looks like a known file's is a slip.
    near = get_close_matches(file, _BY_FILE, n=1, cutoff=0.85)
    if wording_of(file) and not near:
        return None
    if near:
        return f"no message has a text of this name; did you mean {near[0]}?"
    return (
        f"no message has a text of this name; known are {', '.join(sorted(_BY_FILE))}, each also with NAME. before it,"
        " and NAME.txt, for a wording NAME of your own (at most 64 letters, digits, _ and -)"
    )

"""Reads the environment. This is the one module that does."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from receiver.config.settings import NOTHING, PREFIX, SETTINGS, Settings
from receiver.domain.channel import RESERVED
from receiver.errors import SettingsError

FILE_SUFFIX = "_FILE"


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from `environ` (default: the process's environment).

    Raises SettingsError with one line per wrong or unknown variable, all at once.
    """
    given = dict(os.environ if environ is None else environ)
    problems = _unknown(given)
    texts, unreadable = _texts(given)
    problems += unreadable
    values: dict[str, Any] = {}
    for field in dataclasses.fields(Settings):
        name, parse = PREFIX + field.name.upper(), field.metadata["parse"]
        text = texts.get(name, field.metadata["default"])
        try:
            values[field.name] = parse(text) if text is not None else NOTHING.get(parse)
        except ValueError as error:
            problems.append(f"{name}: {error}")  # the parsers never quote the value: it may be a secret
    if problems:
        raise SettingsError(sorted(problems))
    return _checked(Settings(**values))


def _texts(given: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The text of each setting that is given, directly or as a file; and what could not be read."""
    texts: dict[str, str] = {}
    problems: list[str] = []
    for setting in SETTINGS:
        text, file = given.get(setting.name, ""), given.get(setting.name + FILE_SUFFIX, "")
        if file:
            try:
                text = Path(file).read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                problems.append(f"{setting.name}{FILE_SUFFIX}: cannot read the file ({type(error).__name__})")
        if text.strip():
            texts[setting.name] = text.strip()
    return texts, problems


def _unknown(given: Mapping[str, str]) -> list[str]:
    known = {setting.name for setting in SETTINGS}
    known |= {name + FILE_SUFFIX for name in known}
    # Variables of the test suite share the prefix; they are not settings.
    strangers = (name for name in given if name.startswith(PREFIX) and not name.startswith(PREFIX + "TEST_"))
    return [f"{name}: there is no such setting" for name in strangers if name not in known]


def _checked(settings: Settings) -> Settings:
    problems = []
    exposed = not settings.bind.is_loopback and settings.auth
    if exposed and not settings.has_webhook_credential and not settings.api_tokens:
        problems.append(
            f"RECEIVER_BIND: {settings.bind} can be reached from other machines and no credential is set; set"
            " RECEIVER_WEBHOOK_TOKEN and RECEIVER_API_TOKENS, or RECEIVER_AUTH=off if something else protects it"
        )
    for first, second in (
        ("smtp_url", "smtp_from"),
        ("smtp_url", "smtp_to"),
        ("webhook_out_url", "webhook_out_secret"),
        ("slack_bot_token", "slack_channel"),
    ):
        if getattr(settings, first) and not getattr(settings, second):
            names = [PREFIX + name.upper() for name in (second, first)]
            problems.append(f"{names[0]}: must be set, because {names[1]} is")
    taken = sorted(RESERVED.intersection(settings.apprise_urls))
    if taken:
        problems.append(f"RECEIVER_APPRISE_URLS: {', '.join(taken)}: the name belongs to another channel")
    if problems:
        raise SettingsError(sorted(problems))
    return settings

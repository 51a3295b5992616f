"""The commands that command.run may run, from the YAML file RECEIVER_REMEDIATION_COMMANDS.

flush-cache:
  run: [/usr/local/bin/flush-cache, --service, "{service}"]
  arguments: {service: "[a-z0-9-]{1,40}"}     # patterns (RE2) for whole values
  timeout_seconds: 30
  folder: /var/lib/app
  environment: {LANG: C.UTF-8}
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import re2
import yaml

from receiver.errors import SettingsError

SETTING = "RECEIVER_REMEDIATION_COMMANDS"
DEFAULT_SECONDS, MOST_SECONDS = 30.0, 600.0
_KEYS = ("run", "arguments", "timeout_seconds", "folder", "environment")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_PLACE = re.compile(r"\{([a-z][a-z0-9_]*)\}")


@dataclass(frozen=True, slots=True)
class Command:
    """One command. `run` is the argument vector, with `{name}` where an argument goes in."""

    name: str
    run: tuple[str, ...]
    arguments: Mapping[str, Any] = field(default_factory=dict)  # compiled patterns of RE2, which has no type
    timeout_seconds: float = DEFAULT_SECONDS
    folder: Path = Path("/")
    environment: Mapping[str, str] = field(default_factory=dict)

    def flaws_of(self, given: Mapping[str, str]) -> list[str]:
        """What is wrong with the arguments of an order."""
        flaws = [f"arguments.{name}: is missing" for name in self.arguments if name not in given]
        for name, value in given.items():
            if name not in self.arguments:
                flaws.append(f"arguments.{name}: the command {self.name} has no such argument")
            elif "\0" in value or not self.arguments[name].fullmatch(value):
                flaws.append(f"arguments.{name}: does not match the pattern that the command has for it")
        return flaws

    def argv(self, given: Mapping[str, str]) -> list[str]:
        """The argument vector with the arguments in it: each stays within the one word that names it."""
        return [_PLACE.sub(lambda found: given[found[1]], word) for word in self.run]


def read_commands(path: Path) -> dict[str, Command]:
    """The commands in the file, by name. Raises SettingsError that names all mistakes."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError([f"{SETTING}: the file cannot be read ({type(error).__name__})"]) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise SettingsError([f"{SETTING}: the file is not YAML{where}"]) from None
    problems: list[str] = []
    if not isinstance(document, dict):
        problems.append("must be a table of commands by name")
        document = {}
    found = {str(name): _command(str(name), entry, problems) for name, entry in document.items()}
    if problems:
        raise SettingsError([f"{SETTING}: {problem}" for problem in problems])
    return {name: command for name, command in found.items() if command}


def _command(name: str, entry: Any, problems: list[str]) -> Command | None:
    """The command, None if anything is wrong with it, which is noted."""
    flaws = list(_flaws(name, entry))
    problems += [f"{name}: {flaw}" for flaw in flaws]
    if flaws:
        return None
    patterns = {key: re2.compile(text) for key, text in entry.get("arguments", {}).items()}
    return Command(
        name=name,
        run=tuple(entry["run"]),
        arguments=patterns,
        timeout_seconds=float(entry.get("timeout_seconds", DEFAULT_SECONDS)),
        folder=Path(entry.get("folder", "/")),
        environment=dict(entry.get("environment", {})),
    )


def _flaws(name: str, entry: Any) -> list[str]:
    if not _NAME.fullmatch(name):
        return ["a command's name is 1 to 40 of a-z, 0-9 and -"]
    if not isinstance(entry, dict):
        return ["must be a table with `run`"]
    flaws = [f"there is no key {key}; there are {', '.join(_KEYS)}" for key in entry if key not in _KEYS]
    run = entry.get("run")
    if not isinstance(run, list) or not run or not all(isinstance(word, str) and word for word in run):
        return [*flaws, "run must be a list of texts: the program and its arguments"]
    if not run[0].startswith("/") or _PLACE.search(run[0]):
        flaws.append("run must begin with the program's absolute path")
    arguments, environment = entry.get("arguments", {}), entry.get("environment", {})
    if not _is_table_of_texts(arguments) or not _is_table_of_texts(environment):
        return [*flaws, "arguments and environment must be tables of texts"]
    named = {found for word in run for found in _PLACE.findall(word)}
    flaws += [f"{{{one}}} stands in run but not in arguments" for one in sorted(named - set(arguments))]
    flaws += [f"the argument {one} does not stand in run" for one in sorted(set(arguments) - named)]
    flaws += [
        f"the pattern of {key} is none of RE2" for key, text in arguments.items() if not _is_pattern(text)
    ]
    seconds = entry.get("timeout_seconds", DEFAULT_SECONDS)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= MOST_SECONDS:
        flaws.append(f"timeout_seconds must be a number above 0 and up to {MOST_SECONDS:g}")
    folder = entry.get("folder", "/")
    if not isinstance(folder, str) or not folder.startswith("/"):
        flaws.append("folder must be an absolute path")
    return flaws


def _is_table_of_texts(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(key, str) and isinstance(one, str) for key, one in value.items()
    )


def _is_pattern(text: str) -> bool:
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(text, options)
    except re2.error:
        return False
    return True

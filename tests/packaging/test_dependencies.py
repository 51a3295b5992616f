"""What the code imports is declared, and what is declared is pinned."""

from __future__ import annotations

import ast
import configparser
import sys
from collections.abc import Iterable
from importlib import metadata

import pytest
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

from tests.fakes.tools import ROOT


def requirements(section: str, option: str) -> list[Requirement]:
    configuration = configparser.ConfigParser(interpolation=None)
    configuration.read(ROOT / "setup.cfg", encoding="utf-8")
    return [Requirement(line) for line in configuration[section][option].split("\n") if line]


def extras() -> set[str]:
    configuration = configparser.ConfigParser(interpolation=None)
    configuration.read(ROOT / "setup.cfg", encoding="utf-8")
    return set(configuration["options.extras_require"])


RUNTIME = requirements("options", "install_requires")
DEV = requirements("options.extras_require", "dev")
# What is imported only where a setting asks for it.
EXTRAS = [one for name in extras() - {"dev"} for one in requirements("options.extras_require", name)]
# PyMySQL imports it to sign in to MySQL 8 without TLS.
NEEDED_UNSEEN = {"cryptography"}
# It comes with the environment, and is what installs the others.
NEVER_PINNED = {"pip"}
PINS = {
    canonicalize_name(pin.name): str(pin.specifier)
    for pin in map(Requirement, (ROOT / "constraints.txt").read_text().splitlines()[1:])
}


def imported(folder: str) -> set[str]:
    """The top-level names of all foreign modules that the Python files of a folder import."""
    names: set[str] = set()
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                names.add(node.module or "")
    return (
        {name.split(".")[0] for name in names}
        - sys.stdlib_module_names
        - {"receiver", "tests", "bench", "faults", "fuzz", ""}
    )


def distributions(modules: Iterable[str]) -> set[NormalizedName]:
    known = metadata.packages_distributions()
    return {canonicalize_name(known[module][0]) for module in modules}


def closure(roots: Iterable[Requirement]) -> set[NormalizedName]:
    """The distributions that these requirements bring with them on this machine, themselves included."""
    found: set[NormalizedName] = set()
    todo = list(roots)
    while todo:
        requirement = todo.pop()
        name = canonicalize_name(requirement.name)
        if (
            name in found
            or name in NEVER_PINNED
            or (requirement.marker and not requirement.marker.evaluate({"extra": ""}))
        ):
            continue
        found.add(name)
        todo += [Requirement(text) for text in metadata.requires(name) or []]
    return found


@pytest.mark.parametrize("folder", ["receiver", "migrations"])
def test_what_the_package_imports_is_declared(folder: str):
    declared = {canonicalize_name(requirement.name) for requirement in [*RUNTIME, *EXTRAS]}
    assert distributions(imported(folder)) <= declared


def test_nothing_is_declared_that_nobody_needs():
    declared = {canonicalize_name(requirement.name) for requirement in RUNTIME}
    assert declared - distributions(imported("receiver") | imported("migrations")) == NEEDED_UNSEEN


@pytest.mark.parametrize("folder", ["tests", "bench", "faults", "fuzz"])
def test_what_tests_and_bench_import_comes_with_the_dev_extra(folder: str):
    assert distributions(imported(folder)) <= closure([*RUNTIME, *DEV])


def test_everything_that_gets_installed_is_pinned():
    assert closure([*RUNTIME, *DEV]) <= PINS.keys()


def test_pins_are_exact():
    assert [name for name, versions in PINS.items() if not versions.startswith("==")] == []


def test_the_environment_is_what_the_pins_say():
    wanted = {name: PINS[name].removeprefix("==") for name in closure([*RUNTIME, *DEV])}
    assert {name: metadata.version(name) for name in wanted} == wanted


def test_the_build_backend_is_the_pinned_one():
    assert f'"setuptools{PINS[canonicalize_name("setuptools")]}"' in (ROOT / "pyproject.toml").read_text()

"""What `pip install` of the built package gives, far from any checkout."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import sysconfig
import venv
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

import receiver
from tests.fakes.processes import environment
from tests.fakes.tools import ROOT

# What the package is built from; a copy, because a build leaves folders behind that would be part of the next one.
INGREDIENTS = (
    "LICENSE",
    "README.md",
    "constraints.txt",
    "pyproject.toml",
    "setup.cfg",
    "migrations",
    "receiver",
    "sql",
)


def run(*command: str | Path, cwd: Path, **settings: str) -> str:
    done = subprocess.run(
        command, cwd=cwd, env=environment(settings), capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, f"{command}:\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("build")
    for name in INGREDIENTS:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif (ROOT / name).exists():
            shutil.copy(ROOT / name, folder)
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", "out", cwd=folder)
    [built] = (folder / "out").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel; its dependencies come from the one that runs the tests."""
    folder = tmp_path_factory.mktemp("elsewhere")
    venv.create(folder / "venv", symlinks=True, with_pip=False)
    python = folder / "venv" / "bin" / "python"
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check"]
    run(*pip, "install", "--no-index", "--no-deps", wheel, cwd=folder)
    packages = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip()
    # A plain path in a .pth file: the packages there can be imported, the checkout's own .pth file does not count.
    (Path(packages) / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return folder


def contents(wheel: Path) -> set[str]:
    return set(zipfile.ZipFile(wheel).namelist())


def test_every_module_is_in_the_wheel(wheel: Path):
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "receiver").rglob("*.py")}
    missing = modules - contents(wheel)
    assert not missing, (
        f"their folders are not named in setup.cfg under [options] packages: {sorted(missing)}"
    )


@pytest.mark.parametrize("folder", ["sql", "migrations"])
def test_what_lies_beside_the_package_is_in_the_wheel(wheel: Path, folder: str):
    files = [path for path in (ROOT / folder).rglob("*") if path.suffix in {".py", ".sql", ".mako"}]
    assert files
    expected = {f"receiver/_{path.relative_to(ROOT)}" for path in files}
    missing = expected - contents(wheel)
    assert not missing, (
        f"their folders are not named in setup.cfg under [options] packages: {sorted(missing)}"
    )


def test_nothing_else_of_the_checkout_is_in_the_wheel(wheel: Path):
    assert {name.split("/")[0] for name in contents(wheel)} == {
        "receiver",
        f"alert_receiver-{receiver.__version__}.dist-info",
    }


def test_an_installed_receiver_brings_its_default_rules(installed: Path):
    command = installed / "venv" / "bin" / "receiver"
    assert "name: tell-everybody" in run(command, "rules", "default", cwd=installed)


def test_an_installed_receiver_brings_its_templates(installed: Path):
    command = installed / "venv" / "bin" / "receiver"
    listed = run(command, "templates", "show", cwd=installed)
    files = {path.name for path in (ROOT / "receiver" / "notifiers" / "templates").iterdir()}
    assert files
    assert [file for file in files if file not in listed] == []


def test_an_installed_receiver_migrates_a_database(installed: Path):
    python, command = (installed / "venv" / "bin" / name for name in ("python", "receiver"))
    place = run(python, "-c", "import receiver; print(receiver.__file__)", cwd=installed).strip()
    assert Path(place).is_relative_to(installed)
    run(command, "db", "upgrade", cwd=installed, RECEIVER_DATABASE_URL=f"sqlite:///{installed}/alerts.db")
    with closing(sqlite3.connect(installed / "alerts.db")) as database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert {"deliveries", "grafana_alerts", "incidents", "alembic_version"} <= tables

"""Dockerfile and .dockerignore. The build itself needs Docker; here its steps are checked one by one."""

from __future__ import annotations

import fnmatch
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from receiver import config
from tests.deploy import compose
from tests.deploy.compose import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
LAST_STAGE = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]


def admitted() -> list[str]:
    """Names at the top of the checkout that .dockerignore lets into the build."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*", "everything is kept out but what is named"
    return [rule.removeprefix("!") for rule in rules if rule.startswith("!")]


def test_only_named_parts_of_the_checkout_go_into_the_build() -> None:
    for name in admitted():
        assert (ROOT / name).exists(), f".dockerignore admits {name}, which does not exist"
    for private in (".git", ".env", ".venv", "deploy", "tests", "var"):
        assert not any(fnmatch.fnmatch(private, name) for name in admitted())


def test_the_package_can_be_built_from_what_goes_into_the_build(tmp_path: Path) -> None:
    context = tmp_path / "context"
    context.mkdir()
    for name in admitted():
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, context / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        else:
            shutil.copy(source, context)
    done = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path / "dist", context],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (wheel,) = (tmp_path / "dist").iterdir()
    with zipfile.ZipFile(wheel) as archive:
        packed = {entry.rpartition("/")[2] for entry in archive.namelist()}
    for part in ("sql", "migrations"):  # beside the package in the checkout, inside it in the wheel
        files = {file.name for file in (ROOT / part).rglob("*") if file.suffix in (".sql", ".py")}
        assert files <= packed, f"{part} is not whole in the wheel"


def test_dependencies_are_the_pinned_ones() -> None:
    assert re.search(r"pip .*install -c constraints\.txt '\.\[[a-z,]+\]'$", DOCKERFILE, re.MULTILINE)
    assert "constraints.txt" in admitted()


def test_it_runs_as_an_ordinary_user_named_by_number() -> None:
    users = re.findall(r"^USER (\S+)$", LAST_STAGE, re.MULTILINE)
    assert len(users) == 1
    assert int(users[0].partition(":")[0]) > 0


def test_nothing_is_built_where_it_runs() -> None:
    # No compiler, no pip cache, no source tree in what is shipped.
    assert "COPY . ." not in LAST_STAGE
    assert re.findall(r"^COPY (.*)$", LAST_STAGE, re.MULTILINE) == [
        "--from=build /opt/receiver /opt/receiver"
    ]
    assert "pip" not in LAST_STAGE


def test_its_own_settings_exist() -> None:
    known = {setting.name for setting in config.SETTINGS}
    assert compose.image_environment()
    assert set(compose.image_environment()) <= known


def test_it_listens_where_its_health_is_checked() -> None:
    bind = compose.image_environment()["RECEIVER_BIND"]
    port = bind.rpartition(":")[2]
    assert f"EXPOSE {port}\n" in LAST_STAGE
    assert f"('127.0.0.1', {port}," in LAST_STAGE[LAST_STAGE.index("HEALTHCHECK") :]

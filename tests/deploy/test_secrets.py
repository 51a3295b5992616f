"""deploy/make-secrets.sh: random, closed to others, never twice."""

from __future__ import annotations

import re
import stat
import subprocess
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from tests.deploy import compose

RANDOM = ("mysql_password", "mysql_root_password", "webhook_token", "grafana_admin_password")


def contents(folder: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in folder.iterdir()}


def test_every_secret_is_long_random_and_its_own(secrets: Path) -> None:
    made = contents(secrets)
    random = [*(made[name] for name in RANDOM), made["api_tokens"].removeprefix("admin:admin:")]
    assert len(set(random)) == len(random)
    for text in random:
        # No newline either: some readers would take it for a part of the secret.
        assert re.fullmatch(r"[0-9a-f]{64}", text)


def test_another_installation_gets_others(secrets: Path, tmp_path: Path) -> None:
    compose.make_secrets(tmp_path / "other").check_returncode()
    first, second = contents(secrets), contents(tmp_path / "other")
    assert {name for name in first if first[name] == second[name]} == {"slack_webhook_url"}


def test_the_database_url_holds_the_accounts_password(secrets: Path) -> None:
    url = make_url((secrets / "database_url").read_text())
    environment = compose.SERVICES["mysql"]["environment"]
    assert url.drivername == "mysql+pymysql"
    assert url.password == (secrets / "mysql_password").read_text()
    assert (url.username, url.database) == (environment["MYSQL_USER"], environment["MYSQL_DATABASE"])
    assert url.host in compose.SERVICES


def test_others_on_the_machine_cannot_get_at_the_files_and_the_containers_can(secrets: Path) -> None:
    # Compose mounts the files with their owner and mode into containers that run as other users: see its README.
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    for file in secrets.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o644, file.name


def test_a_second_run_changes_nothing(secrets: Path) -> None:
    (secrets / "slack_webhook_url").write_text("https://hooks.slack.example/T0/B0/x")
    (secrets / "webhook_token").write_text("mine")
    before = contents(secrets)
    again = compose.make_secrets(secrets)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert contents(secrets) == before


def test_what_is_missing_is_added_to_what_is_there(secrets: Path) -> None:
    before = contents(secrets)
    (secrets / "database_url").unlink()
    (secrets / "api_tokens").unlink()
    compose.make_secrets(secrets).check_returncode()
    after = contents(secrets)
    assert after["database_url"] == before["database_url"]
    assert after.pop("api_tokens") != before.pop("api_tokens")
    assert after == before


def test_two_runs_at_once_leave_one_set(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    script = compose.ROOT / "deploy" / "make-secrets.sh"
    runs = [subprocess.Popen([script, folder], stdout=subprocess.DEVNULL) for _ in range(8)]
    assert [run.wait() for run in runs] == [0] * 8
    assert set(contents(folder)) == set(compose.DOCUMENT["secrets"])
    assert make_url((folder / "database_url").read_text()).password == (folder / "mysql_password").read_text()


def test_no_secret_is_printed(tmp_path: Path) -> None:
    run = compose.make_secrets(tmp_path / "secrets")
    assert "made" in run.stdout
    for text in contents(tmp_path / "secrets").values():
        assert not text or text not in run.stdout + run.stderr


@pytest.mark.parametrize(
    ("files", "what_to_do"),
    [
        ({"mysql_password": "p@ss/word"}, "write"),
        ({"mysql_password": ""}, "is empty"),
        ({"database_url": "mysql+pymysql://u:p@h/d"}, "mysql_password is not"),
    ],
)
def test_what_does_not_fit_together_is_refused_with_what_to_do(
    tmp_path: Path, files: dict[str, str], what_to_do: str
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    run = compose.make_secrets(tmp_path)
    assert run.returncode == 1
    assert what_to_do in run.stderr
    assert {name: (tmp_path / name).read_text() for name in files} == files

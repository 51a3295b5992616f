"""docker-compose.yml: valid, whole, and as closed as it is meant to be."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from receiver import config
from tests.deploy import compose
from tests.deploy.compose import DOCUMENT, ROOT, SERVICES

DOCUMENTS = ("docker-compose.yml", "deploy/demo-ports.yml")
every_service = pytest.mark.parametrize("name", SERVICES)


@pytest.mark.parametrize("file", DOCUMENTS)
def test_the_file_follows_the_compose_specification(file: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", ROOT / file],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_everything_mounted_is_in_the_checkout_and_mounted_read_only() -> None:
    mounts = list(compose.bind_mounts())
    assert mounts
    for service, path, mode in mounts:
        assert (ROOT / path).exists(), f"{service} mounts {path}, which does not exist"
        assert mode == "ro", f"{service} may write to {path}"


def test_every_secret_is_made_by_the_script_and_used_by_a_service(secrets: Path) -> None:
    declared = DOCUMENT["secrets"]
    for name, secret in declared.items():
        assert secret == {"file": f"deploy/secrets/{name}"}
    assert set(declared) == {file.name for file in secrets.iterdir()}
    assert set(declared) == {name for service in SERVICES.values() for name in service.get("secrets", ())}


@every_service
def test_a_secret_that_a_service_reads_is_mounted_there(name: str) -> None:
    service = SERVICES[name]
    read = set(re.findall(rf"{compose.SECRETS}(\w+)", str(service)))
    for _, path, _ in filter(lambda mount: mount[0] == name, compose.bind_mounts()):
        place = ROOT / path
        for file in [place] if place.is_file() else place.iterdir():
            read |= set(re.findall(rf"{compose.SECRETS}(\w+)", file.read_text(encoding="utf-8")))
    assert read == set(service.get("secrets", ()))


@every_service
def test_no_secret_stands_in_an_environment(name: str) -> None:
    for variable, value in SERVICES[name].get("environment", {}).items():
        if re.search(r"PASSWORD|TOKEN|SECRET|DATABASE_URL|WEBHOOK_URL", variable):
            assert variable.endswith("_FILE")
            assert value.startswith(compose.SECRETS)


def test_every_setting_that_is_a_secret_comes_as_a_file() -> None:
    secret = {setting.name for setting in config.SETTINGS if setting.secret}
    for name in compose.OF_THE_IMAGE:
        assert not secret & set(SERVICES[name]["environment"])


@pytest.mark.parametrize("name", compose.OF_THE_IMAGE)
def test_the_receiver_starts_with_the_settings_it_is_given(name: str, secrets: Path) -> None:
    settings = config.load(compose.environment(name, secrets))  # raises for a setting that does not exist
    assert settings.webhook_token == ((secrets / "webhook_token").read_text(),)
    assert [(token.name, token.role) for token in settings.api_tokens] == [("admin", "admin")]
    assert settings.database_url == (secrets / "database_url").read_text()
    assert settings.public_url == "http://127.0.0.1:8080"
    assert settings.metrics_dir.is_relative_to("/tmp"), "nothing else can be written"


def test_an_empty_slack_secret_means_no_slack_and_a_filled_one_slack(secrets: Path) -> None:
    environment = compose.environment("worker", secrets)
    assert config.load(environment).channels == ()
    (secrets / "slack_webhook_url").write_text("https://hooks.slack.example/T0/B0/x\n")
    assert config.load(environment).channels == ("slack",)


def test_the_public_address_can_be_given(secrets: Path) -> None:
    given = {"RECEIVER_PUBLIC_URL": "https://alerts.example.com"}
    assert (
        config.load(compose.environment("worker", secrets, given)).public_url == "https://alerts.example.com"
    )


def test_only_nginx_can_be_reached_and_only_from_this_machine() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"nginx": ["${HTTP_PUBLISH:-127.0.0.1:8080}:8080"]}


def test_the_database_and_the_receiver_have_no_way_out() -> None:
    networks = DOCUMENT["networks"]
    closed = {name for name, network in networks.items() if network.get("internal")}
    assert set(SERVICES["mysql"]["networks"]) == {"database"}
    assert {"inside", "database"} == closed
    for name in ("mysql", "receiver", "migrate", "prometheus", "alertmanager", "grafana"):
        assert set(SERVICES[name]["networks"]) <= closed, name


@every_service
def test_every_container_is_closed_in(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert not service.get("privileged")
    assert not service.get("cap_add")
    # Our own image says itself who it runs as (test_image.py).
    assert name in compose.OF_THE_IMAGE or int(service["user"].partition(":")[0]) > 0


@every_service
def test_every_container_is_bounded(name: str) -> None:
    service = SERVICES[name]
    assert {"cpus", "memory", "pids"} <= set(service["deploy"]["resources"]["limits"])
    assert {"max-size", "max-file"} <= set(service["logging"]["options"])
    for mount in service.get("tmpfs", ()):
        assert "size=" in mount


@every_service
def test_every_container_tells_how_it_is_and_comes_back(name: str) -> None:
    service = SERVICES[name]
    if name == "migrate":  # runs once
        assert service["restart"] == "no"
        return
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")


@every_service
def test_a_service_waits_for_what_it_needs(name: str) -> None:
    service = SERVICES[name]
    for other, how in service.get("depends_on", {}).items():
        assert how["condition"] != "service_started"
        assert (
            how["condition"] == "service_completed_successfully" or "test" in SERVICES[other]["healthcheck"]
        )
        # A service of a profile does not exist where the profile is off.
        assert set(SERVICES[other].get("profiles", ())) <= set(service.get("profiles", ()))


def test_nothing_starts_before_the_schema_is_there() -> None:
    for name in ("receiver", "worker"):
        assert SERVICES[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert SERVICES["migrate"]["depends_on"]["mysql"] == {"condition": "service_healthy"}


def test_a_stopping_worker_is_left_the_time_to_finish(secrets: Path) -> None:
    drain = config.load(compose.environment("worker", secrets)).worker_drain_seconds
    assert int(SERVICES["worker"]["stop_grace_period"].removesuffix("s")) > drain


@every_service
def test_every_image_has_a_full_version(name: str) -> None:
    image = SERVICES[name]["image"]
    assert image == "alert-receiver:local" or re.search(r":v?\d+\.\d+\.\d+", image), image


def test_every_volume_network_and_secret_named_is_declared_and_used() -> None:
    used = {
        "volumes": {
            volume.partition(":")[0]
            for service in SERVICES.values()
            for volume in service.get("volumes", ())
            if not volume.startswith(".")
        },
        "networks": {name for service in SERVICES.values() for name in service["networks"]},
    }
    for kind, names in used.items():
        assert names == set(DOCUMENT[kind])


def test_every_variable_of_the_file_is_documented() -> None:
    manual = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
    variables = set(re.findall(r"\$\{(\w+)", compose.FILE.read_text(encoding="utf-8")))
    assert variables
    assert {name for name in variables if f"`{name}`" not in manual} == set()

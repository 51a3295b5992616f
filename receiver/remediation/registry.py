"""Every action there is, written out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Protocol

from receiver.clock import Clock, utc_now
from receiver.domain.action import Order, Signature
from receiver.httpclient import HttpClient, Network
from receiver.kubeclient import KubeClient, build_kubeclient
from receiver.kubeclient.access import KubernetesSettings
from receiver.remediation.base import Action
from receiver.remediation.command_list import Command, read_commands
from receiver.remediation.command_run import RunCommand
from receiver.remediation.disk_cleanup import CleanDisk
from receiver.remediation.http_call import HttpCall
from receiver.remediation.kubernetes_cordon import Cordon, Uncordon
from receiver.remediation.kubernetes_delete_pod import DeletePod
from receiver.remediation.kubernetes_hpa import PatchHpa
from receiver.remediation.kubernetes_job import CreateJob, RestartJob
from receiver.remediation.kubernetes_restart import RolloutRestart
from receiver.remediation.kubernetes_rollback import Rollback
from receiver.remediation.kubernetes_scale import Scale
from receiver.remediation.mysql_connections import KillMysqlConnections
from receiver.remediation.postgresql_connections import KillPostgresqlConnections
from receiver.remediation.redis_prefix import ClearRedisPrefix

# What each takes: known without settings, so that a rules file can be checked anywhere.
CATALOGUE: Mapping[str, Signature] = {
    signature.name: signature
    for signature in (
        Scale.signature,
        RolloutRestart.signature,
        Rollback.signature,
        DeletePod.signature,
        Cordon.signature,
        Uncordon.signature,
        RestartJob.signature,
        CreateJob.signature,
        PatchHpa.signature,
        HttpCall.signature,
        RunCommand.signature,
        KillMysqlConnections.signature,
        KillPostgresqlConnections.signature,
        ClearRedisPrefix.signature,
        CleanDisk.signature,
    )
}


class ActionSettings(KubernetesSettings, Protocol):
    """The part of the settings that actions need (receiver.config.Settings has it all)."""

    # ruff: noqa: D102 - what each is for stands in receiver/config/settings.py

    @property
    def remediation_http_allow(self) -> tuple[Network, ...]: ...
    @property
    def remediation_commands(self) -> Path | None: ...
    @property
    def remediation_databases(self) -> Mapping[str, str]: ...
    @property
    def remediation_paths(self) -> tuple[Path, ...]: ...


def build_actions(
    settings: ActionSettings, http: HttpClient | None = None, clock: Clock = utc_now
) -> dict[str, Action]:
    """All actions by name, with what `settings` set up for them: one that lacks its setting refuses every order.

    Raises SettingsError for a kubeconfig or a list of commands that cannot be used.
    """
    http = http or HttpClient()
    setup = _Setup(
        http,
        build_kubeclient(settings, http),
        settings.remediation_http_allow,
        read_commands(settings.remediation_commands) if settings.remediation_commands else {},
        settings.remediation_databases,
        settings.remediation_paths,
    )
    return _build(setup, clock)


def mistakes_of(order: Order) -> list[str]:
    """What is wrong with an order for an action of the catalogue wherever it is to run. Asks nobody."""
    return _unset()[order.action].mistakes(order)


@dataclass(frozen=True, slots=True)
class _Setup:
    http: HttpClient
    kube: KubeClient | None = None
    http_allow: tuple[Network, ...] = ()
    commands: Mapping[str, Command] = field(default_factory=dict)
    databases: Mapping[str, str] = field(default_factory=dict)
    paths: tuple[Path, ...] = ()


@cache
def _unset() -> dict[str, Action]:
    return _build(_Setup(HttpClient()), utc_now)


def _build(setup: _Setup, clock: Clock) -> dict[str, Action]:
    kube, databases = setup.kube, setup.databases
    actions: list[Action] = [
        Scale(kube),
        RolloutRestart(kube, clock),
        Rollback(kube),
        DeletePod(kube),
        Cordon(kube),
        Uncordon(kube),
        RestartJob(kube),
        CreateJob(kube),
        PatchHpa(kube),
        HttpCall(setup.http, setup.http_allow),
        RunCommand(setup.commands),
        KillMysqlConnections(databases),
        KillPostgresqlConnections(databases),
        ClearRedisPrefix(databases),
        CleanDisk(setup.paths, clock),
    ]
    return {action.signature.name: action for action in actions}

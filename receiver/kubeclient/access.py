"""Where the API server is and how it knows us: from the settings, a kubeconfig file, or the pod that this runs in."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from receiver.errors import DeliveryFailed
from receiver.kubeclient.kubeconfig import read_kubeconfig

# https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
IN_CLUSTER_URL = "https://kubernetes.default.svc"
UNSET = (
    "no Kubernetes API server is set up: set RECEIVER_KUBERNETES_URL and RECEIVER_KUBERNETES_TOKEN, or"
    " RECEIVER_KUBERNETES_CONFIG, or run it in the cluster"
)


class KubernetesSettings(Protocol):
    """The part of the settings that is about the cluster (receiver.config.Settings has it all)."""

    # ruff: noqa: D102 - what each is for stands in receiver/config/settings.py

    @property
    def kubernetes_url(self) -> str | None: ...
    @property
    def kubernetes_token(self) -> str | None: ...
    @property
    def kubernetes_ca(self) -> Path | None: ...
    @property
    def kubernetes_config(self) -> Path | None: ...


@dataclass(frozen=True, slots=True)
class Access:
    """An API server and our credentials for it. `token_file` is read before each request: such tokens are renewed."""

    url: str
    token: str | None = field(default=None, repr=False)
    token_file: Path | None = None
    authority: Path | None = None
    certificate: tuple[Path, Path] | None = None

    def bearer(self) -> str | None:
        """The token, None if there is none. Raises DeliveryFailed if its file cannot be read."""
        if self.token_file is None:
            return self.token
        try:
            return self.token_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = f"the file with the token for Kubernetes cannot be read ({type(error).__name__})"
        raise DeliveryFailed(reason)


def access_of(settings: KubernetesSettings, service_account: Path = SERVICE_ACCOUNT) -> Access | None:
    """The access that the settings give, or else that of the pod; None if there is neither.

    Raises SettingsError if the kubeconfig file cannot be used.
    """
    if settings.kubernetes_url:
        return Access(settings.kubernetes_url, settings.kubernetes_token, authority=settings.kubernetes_ca)
    if settings.kubernetes_config:
        found = read_kubeconfig(settings.kubernetes_config)
        return Access(found.server, found.token, found.token_file, found.authority, found.certificate)
    token_file = service_account / "token"
    if not token_file.exists():
        return None
    return Access(IN_CLUSTER_URL, token_file=token_file, authority=service_account / "ca.crt")

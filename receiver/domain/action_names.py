"""The names of all actions, for what knows no action itself: settings name them. The actions: receiver/remediation."""

from __future__ import annotations

from fnmatch import fnmatchcase

from receiver.domain.rules.problem import unknown

# Written out once more, because settings are read before any action is imported; a test holds both lists together.
ACTION_NAMES = frozenset(
    {
        "command.run",
        "disk.cleanup",
        "http.call",
        "kubernetes.cordon",
        "kubernetes.create_job",
        "kubernetes.delete_pod",
        "kubernetes.patch_hpa",
        "kubernetes.restart_job",
        "kubernetes.rollback",
        "kubernetes.rollout_restart",
        "kubernetes.scale",
        "kubernetes.uncordon",
        "mysql.kill_connections",
        "postgresql.kill_connections",
        "redis.clear_prefix",
    }
)
# How the addresses of databases may begin that actions and diagnoses can sign in to.
DATABASE_SCHEMES = ("mysql", "mariadb", "postgresql", "postgres", "redis", "rediss")


def flaw_of_action_glob(text: str) -> str | None:
    """Why `text`, a name or a glob as `kubernetes.*`, names no action at all; None if it names one."""
    if any(fnmatchcase(name, text) for name in ACTION_NAMES):
        return None
    return unknown("action", text, ACTION_NAMES)

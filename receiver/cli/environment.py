"""What every command begins with: the settings, and logs that fit the reader."""

from __future__ import annotations

from receiver import logs
from receiver.config import Settings, load


def start(*, quiet: bool = False) -> Settings:
    """The settings, with logs set up. `quiet`: for commands that speak to people, who want warnings only.

    Raises SettingsError.
    """
    settings = load()
    logs.configure("WARNING" if quiet else settings.log_level, settings.secrets())
    return settings
